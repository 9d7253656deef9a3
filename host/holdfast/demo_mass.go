package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bot/holdfast/host"
)

const (
	leavesName = "GUILD_MEMBER_REMOVE"
	// Few people of many guilds: whoever has his guild is said goodbye to, and
	// that is a request of its own, beside those of the loads.
	massBans = 2 * coldGuilds
	massRate = 1500 // bans a second
)

// massBan bans thousands of people from guilds that the host has not loaded.
// The plugin welcome wants the guild of everybody who leaves, to say goodbye
// there, so that the goodbyes that reach Discord tell how many had their guild.
func (s *story) massBan(ctx context.Context) {
	var cold []uint64
	for _, g := range s.cold {
		cold = append(cold, g.ID)
	}
	before, limited, began := s.host.status(), s.sim.Counts().Limited, time.Now()
	if before.Cache == nil {
		return // no host answers: the story ends
	}
	acked := pluginIn(before, "welcome").Acked
	var banning sync.WaitGroup
	banned := 0
	meanwhile, over := context.WithCancel(ctx)
	banning.Go(func() {
		defer over()
		banned = s.sim.MassBan(ctx, cold, massBans, massRate)
	})
	s.pingAmid(meanwhile)
	banning.Wait()
	s.show.sayf("%d people are banned from %d guilds within %.1f s; the host has loaded none of these guilds, and welcome wants the guild of each who leaves",
		banned, len(cold), time.Since(began).Seconds())

	// Begun is finished: who leaves now is handled, whatever time the story has left.
	after := before
	all := s.watch(func() (bool, uint64) {
		if status := s.host.status(); status.Cache != nil {
			after = status
		}
		now := pluginIn(after, "welcome").Acked
		return now >= acked+uint64(banned), now
	})
	got := pluginIn(after, "welcome").Acked - acked
	if !all || got != uint64(banned) {
		s.flawf("%d people left, and welcome got %d events", banned, got)
	}
	m := s.massRequests(began)
	loads := after.Cache.Loads - before.Cache.Loads
	limited = s.sim.Counts().Limited - limited
	s.show.sayf("welcome got %d leaves, %d with their guild: the guard had %d guilds loaded in %d requests; answers of 429: %d",
		got, m.goodbyes, loads, m.requests, limited)
	if m.over > 0 {
		s.flawf("%d guilds were loaded before the guard had a token for them", m.over)
	}
	s.leaves, s.withGuild, s.loads = s.leaves+banned, s.withGuild+m.goodbyes, s.loads+loads
}

// pingAmid has somebody elsewhere use a command when half of the people have
// left, unless ctx ends before.
func (s *story) pingAmid(ctx context.Context) {
	half := s.sim.Counts().Events[leavesName] + massBans/2
	if poll(ctx, func() bool { return s.sim.Counts().Events[leavesName] >= half }) == nil {
		s.ping(context.WithoutCancel(ctx)) // it ends within Discord's 3 s
	}
}

// massCounts is what Discord was asked about the cold guilds.
type massCounts struct {
	requests int // for guilds
	over     int // loads for which the guard could have no token
	goodbyes int
}

// massRequests counts what Discord has been asked since the mass event began. A
// load begins with the guild itself.
func (s *story) massRequests(began time.Time) (m massCounts) {
	guilds, channels := make(map[uint64]bool), make(map[uint64]bool)
	for _, g := range s.cold {
		guilds[g.ID] = true
		for _, c := range g.Channels {
			channels[c] = true
		}
	}
	guard := host.Settings{}.WithDefaults()
	loads := 0
	for _, r := range s.sim.Requests() {
		id := idIn(r.Path)
		switch {
		case r.Time.Before(began):
		case r.Route == sayRoute && channels[id]:
			m.goodbyes++
		case strings.HasPrefix(r.Route, "GET /guilds/") && guilds[id]:
			m.requests++
			if r.Route != "GET /guilds/{guild}" {
				continue
			}
			loads++
			if float64(loads) > float64(guard.GuardBurst)+float64(guard.GuardRate)*r.Time.Sub(began).Seconds()+1 {
				m.over++
			}
		}
	}
	return m
}

// idIn is the first id of a request's path, 0 if there is none.
func idIn(path string) uint64 {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	id, err := strconv.ParseUint(rest[:end], 10, 64)
	if err != nil {
		return 0
	}
	return id
}
