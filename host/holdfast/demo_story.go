package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const (
	demoRate  = 250 // messages a second, all the time
	maxSaid   = 1_000_000
	burstSize = 3000 // messages of a burst, as fast as they go
	actPause  = 1200 * time.Millisecond
	pollPause = 20 * time.Millisecond
	// patience is how long the end waits without any progress before it calls
	// what is missing lost.
	patience = 15 * time.Second
)

// story is what happens in the demo, and who watches.
type story struct {
	sim          *simulator.Server
	host         *host.Host
	show         *narrator
	record       string // what the record plugin writes
	plugins      string // the folder
	builds       int
	reloadFaults int

	guilds []simulator.Guild
	faults int

	mu   sync.Mutex
	said map[uint64][]uint64 // messages of each guild, in order
	sum  int                 // of said
}

// awaitSessions waits until all shards are ready.
func (s *story) awaitSessions(ctx context.Context) error {
	if err := poll(ctx, func() bool {
		for _, shard := range s.host.Status().Shards {
			if shard.State != "ready" {
				return false
			}
		}
		return true
	}); err != nil {
		return err
	}
	status := s.host.Status()
	for _, p := range status.Plugins {
		s.show.sayf("plugin %s runs as process %d", p.Name, p.PID)
		if p.State == "failed" {
			return errors.New(p.LastError)
		}
	}
	s.show.sayf("the bot is online with %d shards", len(status.Shards))
	return nil
}

// play lets people talk all the time, and one thing after another happen
// besides, until ctx ends.
func (s *story) play(ctx context.Context) {
	s.said = make(map[uint64][]uint64)
	s.guilds = s.sim.Guilds()
	var talking sync.WaitGroup
	talking.Go(func() {
		_ = s.sim.Run(ctx, simulator.Rate{PerSecond: demoRate}, func(int) bool { return s.talk("hello there") })
	})
	acts := []func(context.Context){s.ping, s.reload, s.askGuild, s.reconnect, s.burst, s.ping, s.reset, s.killPlugin, s.join, s.reload, s.leave}
	defer talking.Wait()
	for n := 0; ; n++ {
		select {
		case <-time.After(actPause):
		case <-ctx.Done():
			return
		}
		if s.over() {
			s.show.sayf("%d messages have been said: that is enough for one story", maxSaid)
			return
		}
		acts[n%len(acts)](ctx)
	}
}

func (s *story) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum >= maxSaid
}

// talk lets somebody say something somewhere. It is false when enough has been
// said.
func (s *story) talk(text string) bool {
	g := s.somewhere()
	return s.say(g, pick(g.Channels), text)
}

// say keeps what was said. One message at a time: their ids then tell the order
// of each guild.
func (s *story) say(g simulator.Guild, channel uint64, text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := s.sim.Say(g.ID, channel, pick(g.Members), text); id != 0 {
		s.said[g.ID] = append(s.said[g.ID], id)
		s.sum++
	}
	return s.sum < maxSaid
}

func (s *story) somewhere() simulator.Guild { return pick(s.guilds) }

func pick[T any](of []T) T { return of[rand.IntN(len(of))] }

func (s *story) ping(ctx context.Context) {
	g := s.somewhere()
	i := s.sim.Slash(g.ID, pick(g.Channels), pick(g.Members), "ping")
	answer, err := i.Wait(ctx)
	switch {
	case err == nil:
		s.show.sayf("somebody in %s uses /ping and reads %q after %d ms", g.Name, answer.Content, answer.Took.Milliseconds())
	case ctx.Err() == nil:
		s.show.sayf("somebody in %s uses /ping and gets no answer: %v", g.Name, err)
	}
}

func (s *story) askGuild(ctx context.Context) {
	g := s.somewhere()
	before := s.sim.Counts().Requests["POST /channels/{channel}/messages"]
	s.say(g, g.Channels[0], "!guild")
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if poll(wait, func() bool { return s.sim.Counts().Requests["POST /channels/{channel}/messages"] > before }) == nil {
		s.show.sayf("somebody in %s writes !guild; hello reads the guild and answers with its name", g.Name)
	}
}

func (s *story) join(context.Context) {
	g := s.somewhere()
	s.sim.Join(g.ID, 0)
	s.show.sayf("somebody joins %s", g.Name)
}

func (s *story) leave(context.Context) {
	g := s.somewhere()
	s.sim.Leave(g.ID, pick(g.Members[1:]))
	s.show.sayf("somebody leaves %s", g.Name)
}

func (s *story) burst(ctx context.Context) {
	start := time.Now()
	_ = s.sim.Run(ctx, simulator.Rate{Count: burstSize}, func(int) bool { return s.talk("burst") })
	s.show.sayf("a burst of %d messages within %d ms", burstSize, time.Since(start).Milliseconds())
}

func (s *story) reconnect(ctx context.Context) {
	shard := s.nextShard()
	s.broken(ctx, shard, func() { s.sim.Reconnect(shard) }, "Discord asks shard %d to reconnect (op 7)")
}

func (s *story) reset(ctx context.Context) {
	shard := s.nextShard()
	s.broken(ctx, shard, func() { s.sim.Reset(shard) }, "the connection of shard %d breaks")
}

func (s *story) nextShard() int {
	s.faults++
	return s.faults % demoShards
}

// broken breaks a shard's connection and tells when it has been resumed.
func (s *story) broken(ctx context.Context, shard int, fault func(), what string) {
	before := s.host.Status().Shards[shard].Resumes
	s.show.sayf(what, shard)
	start := time.Now()
	fault()
	if poll(ctx, func() bool {
		now := s.host.Status().Shards[shard]
		return now.Resumes > before && now.State == "ready"
	}) == nil {
		s.show.sayf("shard %d has resumed after %d ms, without an IDENTIFY", shard, time.Since(start).Milliseconds())
	}
}

func (s *story) killPlugin(ctx context.Context) {
	before := s.recorder()
	if before.PID == 0 {
		return
	}
	var talking sync.WaitGroup
	defer talking.Wait()
	talking.Go(func() {
		_ = s.sim.Run(ctx, simulator.Rate{Count: burstSize}, func(int) bool { return s.talk("burst") })
	})
	if poll(ctx, func() bool { return s.recorder().Acked > before.Acked+burstSize/10 }) != nil {
		return
	}
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		return // it ended by itself; the totals will tell
	}
	s.show.sayf("kill -9 of plugin record (process %d) in a burst of %d messages", before.PID, burstSize)
	if poll(ctx, func() bool { p := s.recorder(); return p.PID != 0 && p.PID != before.PID }) == nil {
		s.show.sayf("plugin record is back as process %d; what it had in hand comes again, marked", s.recorder().PID)
	}
}

// recorder is the plugin that is killed.
func (s *story) recorder() control.Plugin {
	for _, p := range s.host.Status().Plugins {
		if p.Name == "record" {
			return p
		}
	}
	return control.Plugin{}
}

// settle waits until the plugins have handled everything, or nothing moves
// any more.
func (s *story) settle() {
	var last uint64 // a sum of counters: it stands still when nothing moves
	moved := time.Now()
	_ = poll(context.Background(), func() bool {
		status := s.host.Status()
		busy := 0
		now := status.Events.Received
		for _, p := range status.Plugins {
			busy += p.Queued + p.InFlight
			now += p.Delivered + p.Acked + uint64(p.Generation)
		}
		if now != last {
			last, moved = now, time.Now()
		}
		quiet := busy == 0 && s.missing() == 0
		return quiet || time.Since(moved) > patience
	})
}

// poll asks until the answer is yes or ctx ends.
func poll(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
