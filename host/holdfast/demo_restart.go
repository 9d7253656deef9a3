package main

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// backWithin is how long a host may take to come back before the demo calls it
// lost.
const backWithin = time.Minute

// killHost kills the host itself in a burst and starts it again. What it has
// begun it finishes, whatever time the story has left: without a host there is
// no end to tell.
func (s *story) killHost(ctx context.Context) {
	var talking sync.WaitGroup
	defer talking.Wait()
	talking.Go(func() {
		_ = s.sim.Run(ctx, simulator.Rate{Count: burstSize}, func(int) bool { return s.talk("burst") })
	})
	acked := s.host.plugin("record").Acked
	if poll(ctx, func() bool { return s.host.plugin("record").Acked > acked+burstSize/10 }) != nil {
		return
	}
	before := s.sim.Counts()
	pid, killed := s.host.now.cmd.Process.Pid, time.Now()
	s.host.kill()
	said := s.saidSoFar()
	s.witness.read() // the plugins have died with the host: this is all they did
	again, repeated := s.witness.again, s.witness.repeated
	s.show.sayf("kill -9 of the host (process %d) in a burst of %d messages", pid, burstSize)
	if !s.startAgain() {
		return
	}
	after := s.sim.Counts()
	s.hostKills++
	s.show.sayf("the host is back as process %d, and online %d ms after the kill: %d shards resumed, %d IDENTIFYs; what plugins kept in memory is gone, as after any kill",
		s.host.now.cmd.Process.Pid, time.Since(killed).Milliseconds(), after.Resumes-before.Resumes, after.Identifies-before.Identifies)

	whole := s.watch(func() (bool, uint64) {
		s.witness.read()
		missing := s.witness.missing(said)
		return missing == 0, uint64(missing)
	})
	if !whole {
		s.flawf("%d messages from before the kill were not handled after it", s.witness.missing(said))
		return
	}
	s.show.sayf("nothing from before the kill is lost; of what record had in hand %d came again, marked (%d had been handled already)",
		s.witness.again-again, s.witness.repeated-repeated)
}

// startAgain starts the host and waits until it is online.
func (s *story) startAgain() bool {
	if err := s.host.start(); err != nil {
		s.flawf("%v", err)
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), backWithin)
	defer cancel()
	err := poll(ctx, func() bool { return s.host.gone() || s.host.up() })
	if err != nil || s.host.gone() {
		s.flawf("the host did not come back")
		return false
	}
	return true
}

// saidSoFar is what people have said until now. A slice of it may grow
// elsewhere, and is never changed.
func (s *story) saidSoFar() map[uint64][]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.said)
}
