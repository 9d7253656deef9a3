package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

const (
	demoRate  = 250 // messages a second, all the time
	maxSaid   = 1_000_000
	burstSize = 3000 // messages of a burst, as fast as they go
	actPause  = 600 * time.Millisecond
	pollPause = 20 * time.Millisecond
	sayRoute  = "POST /channels/{channel}/messages"
	// patience is how long the end waits without any progress before it calls
	// what is missing lost.
	patience = 15 * time.Second
)

// story is what happens in the demo, and who watches.
type story struct {
	sim     *simulator.Server
	host    *hosted
	show    *narrator
	witness *witness

	guilds []simulator.Guild // where people talk
	cold   []simulator.Guild // where nobody does
	faults int               // of connections

	builds, reloadFaults int
	hostKills            int
	flaws                int // promises that were not kept
	// What came of mass events:
	leaves, withGuild int
	loads             uint64

	mu   sync.Mutex
	said map[uint64][]uint64 // messages of each guild, in order
	sum  int                 // of said
}

// awaitSessions waits until all shards are ready.
func (s *story) awaitSessions(ctx context.Context) error {
	if err := poll(ctx, s.host.up); err != nil {
		return err
	}
	status := s.host.status()
	for _, p := range status.Plugins {
		s.show.sayf("plugin %s runs as process %d", p.Name, p.PID)
		if p.State == stateFailed {
			return errors.New(p.LastError)
		}
	}
	s.show.sayf("the bot is online with %d shards; its host is process %d", len(status.Shards), status.PID)
	return nil
}

// act is one thing that happens.
type act struct {
	name string
	play func(context.Context)
}

// acts are all that happens. The first ones say the most: time may be short.
func (s *story) acts() []act {
	return []act{
		{"a command", s.ping},
		{"a reconnect", s.reconnect},
		{"the mass ban", s.massBan},
		{"the kill of the host", s.killHost},
		{"a reload", s.reload},
		{"a broken connection", s.reset},
		{"the kill of a plugin", s.killPlugin},
		{"a question for the guild's name", s.askGuild},
		{"a burst", s.burst},
		{"a join", s.join},
		{"a leave", s.leave},
	}
}

// play lets people talk all the time, and one thing after another happen
// besides, until ctx ends.
func (s *story) play(ctx context.Context) {
	s.said = make(map[uint64][]uint64)
	all := s.sim.Guilds()
	s.guilds, s.cold = all[:demoGuilds], all[demoGuilds:]
	var talking sync.WaitGroup
	talking.Go(func() {
		_ = s.sim.Run(ctx, simulator.Rate{PerSecond: demoRate}, func(int) bool { return s.talk("hello there") })
	})
	defer talking.Wait()
	acts := s.acts()
	for n := 0; ; n++ {
		select {
		case <-time.After(actPause):
		case <-ctx.Done():
			s.untold(acts[min(n, len(acts)):])
			return
		}
		if s.over() {
			s.show.sayf("%d messages have been said: that is enough for one story", maxSaid)
			return
		}
		acts[n%len(acts)].play(ctx)
	}
}

// untold says what there was no time for.
func (s *story) untold(acts []act) {
	var names []string
	for _, a := range acts {
		names = append(names, a.name)
	}
	if len(names) > 0 {
		s.show.sayf("there was no time for %s", strings.Join(names, ", "))
	}
}

// flawf tells of a promise that was not kept: the demo fails.
func (s *story) flawf(format string, args ...any) {
	s.flaws++
	s.show.sayf("broken promise: "+format, args...)
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
	before := s.sim.Counts().Requests[sayRoute]
	s.say(g, g.Channels[0], "!guild")
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if poll(wait, func() bool { return s.sim.Counts().Requests[sayRoute] > before }) == nil {
		s.show.sayf("somebody in %s writes !guild; hello reads the guild and answers with its name", g.Name)
	}
}

func (s *story) join(ctx context.Context) {
	g := s.somewhere()
	if s.welcomed(ctx, func() { s.sim.Join(g.ID, 0) }) {
		s.show.sayf("somebody joins %s, and welcome knows", g.Name)
	}
}

func (s *story) leave(ctx context.Context) {
	g := s.somewhere()
	if s.welcomed(ctx, func() { s.sim.Leave(g.ID, pick(g.Members[1:])) }) {
		s.show.sayf("somebody leaves %s, and welcome knows", g.Name)
	}
}

// welcomed waits until the plugin welcome has handled what happens: its events
// are counted in a mass ban.
func (s *story) welcomed(ctx context.Context, happens func()) bool {
	before := s.host.plugin("welcome").Acked
	happens()
	return poll(ctx, func() bool { return s.host.plugin("welcome").Acked > before }) == nil
}

func (s *story) burst(ctx context.Context) {
	start := time.Now()
	_ = s.sim.Run(ctx, simulator.Rate{Count: burstSize}, func(int) bool { return s.talk("burst") })
	s.show.sayf("a burst of %d messages within %d ms", burstSize, time.Since(start).Milliseconds())
}

// settle waits until the plugins have handled everything, or nothing moves
// any more.
func (s *story) settle() {
	s.watch(func() (bool, uint64) {
		status := s.host.status()
		busy := status.Phase == ""
		moved := status.Events.Received
		for _, p := range status.Plugins {
			busy = busy || p.Queued+p.InFlight > 0 || p.Behind > 0
			moved += p.Delivered + p.Acked + uint64(p.Generation)
		}
		s.witness.read()
		return !busy && s.witness.missing(s.said) == 0, moved
	})
}

// watch looks until it is done. It is false when that cannot be any more: the
// host has gone, or the number, a sum of counters, stands still.
func (s *story) watch(look func() (done bool, sum uint64)) bool {
	done := false
	var last uint64
	moved := time.Now()
	_ = poll(context.Background(), func() bool {
		var sum uint64
		if done, sum = look(); sum != last {
			last, moved = sum, time.Now()
		}
		return done || s.host.gone() || time.Since(moved) > patience
	})
	return done
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
