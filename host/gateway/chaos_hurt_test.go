package gateway_test

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// fault does harm to a shard's connection and says whether there was one.
type fault struct {
	name   string
	weight int // how often, compared with others
	ends   bool
	hit    func(discord *simulator.Server, shard int) int
}

// resumable are the faults after which the session goes on. The silent ones are rarer: each takes a shard away
// until its next heartbeats.
var resumable = []fault{
	{name: "drop", weight: 20, hit: (*simulator.Server).Drop},
	{name: "reset", weight: 20, hit: (*simulator.Server).Reset},
	{name: "op 7", weight: 20, hit: (*simulator.Server).Reconnect},
	{name: "op 9 true", weight: 20, hit: func(d *simulator.Server, shard int) int { return d.Invalidate(shard, true) }},
	{name: "close 4000", weight: 20, hit: closing(4000)},
	{name: "close 4008", weight: 10, hit: closing(4008)},
	{name: "op 1", weight: 20, hit: (*simulator.Server).RequestHeartbeat},
	{name: "no ACK", weight: 5, hit: func(d *simulator.Server, shard int) int { return d.NoACK(shard, true) }},
	{name: "stall, or the end of it", weight: 10, hit: func(d *simulator.Server, shard int) int {
		if n := d.Stall(shard, false); n > 0 {
			return n
		}
		return d.Stall(shard, true)
	}},
	{name: "vanish", weight: 5, hit: (*simulator.Server).Vanish},
}

// fatal are those that end it.
var fatal = []fault{
	{name: "close 4007", weight: 1, ends: true, hit: closing(4007)},
	{name: "close 4009", weight: 1, ends: true, hit: closing(4009)},
	{name: "op 9 false", weight: 1, ends: true, hit: func(d *simulator.Server, shard int) int { return d.Invalidate(shard, false) }},
	{name: "vanish, and op 9 false to nobody", weight: 1, ends: true, hit: func(d *simulator.Server, shard int) int {
		if d.Vanish(shard) == 0 {
			return 0
		}
		time.Sleep(50 * time.Millisecond) // for nothing but some events that the session is left with
		return d.Invalidate(shard, false)
	}},
	{name: "stall, and op 9 false behind it", weight: 1, ends: true, hit: stalledEnd},
	{name: "stall, op 9 false behind it, and on", weight: 1, ends: true, hit: func(d *simulator.Server, shard int) int {
		n := stalledEnd(d, shard)
		d.Stall(shard, false)
		return n
	}},
}

func stalledEnd(d *simulator.Server, shard int) int {
	if d.Stall(shard, true) == 0 {
		return 0
	}
	time.Sleep(50 * time.Millisecond)
	return d.Invalidate(shard, false)
}

func closing(code int) func(*simulator.Server, int) int {
	return func(d *simulator.Server, shard int) int { return d.CloseCode(shard, code) }
}

// hurt does harm, each kind at least once, until all is said.
type hurt struct {
	*storm
	w      *reader
	r      *rand.Rand
	faults []fault
	dice   []int    // indexes of faults by their weight
	hits   []int    // by fault
	deaths []int    // sessions that were ended, by shard
	early  []uint64 // by shard: before which of its resumes it was hit
}

func newHurt(s *storm, w *reader, faults []fault) *hurt {
	h := &hurt{storm: s, w: w, r: rand.New(rand.NewPCG(s.seed, 2)), faults: faults, hits: make([]int, len(faults)), deaths: make([]int, s.shards), early: make([]uint64, s.shards)}
	for i, f := range faults {
		h.dice = append(h.dice, slices.Repeat([]int{i}, f.weight)...)
	}
	return h
}

func (h *hurt) run() {
	first, more := h.r.Perm(len(h.faults)), h.more
	for {
		select {
		case <-h.driven:
			if len(first) == 0 {
				return
			}
		case <-h.t.Context().Done():
			return
		case <-time.After(time.Duration(h.r.IntN(60)) * time.Millisecond):
		}
		switch kind := h.dice[h.r.IntN(len(h.dice))]; {
		case len(first) > 0 && h.r.IntN(4) == 0:
			if h.harm(first[0]) {
				first = first[1:]
			}
		case !h.faults[kind].ends:
			h.harm(kind)
		case len(first) == 0 && more > 0 && h.harm(kind):
			more--
		}
	}
}

// harm hits a shard that can be hit.
func (h *hurt) harm(kind int) bool {
	f := h.faults[kind]
	for _, shard := range h.r.Perm(h.shards) {
		// A session of which the client has not read READY it cannot resume, and nobody could say what it missed.
		if h.w.readies(shard) != h.deaths[shard]+1 {
			continue
		}
		// Nor would a slow machine ever come to an end if each attempt to resume were hit: one before each is enough.
		status := h.set.Status()[shard]
		early := status.State != gateway.StateReady
		if early && h.early[shard] == status.Resumes+1 {
			continue
		}
		session := h.session(shard)
		if f.hit(h.discord, shard) == 0 || f.ends && h.session(shard) == session {
			continue
		}
		if f.ends {
			h.deaths[shard]++
		}
		if early {
			h.early[shard] = status.Resumes + 1
		}
		h.hits[kind]++
		return true
	}
	return false
}

// ended is how many sessions were.
func (h *hurt) ended() (n int) {
	for _, of := range h.deaths {
		n += of
	}
	return n
}

// session is the one that a shard has at the moment.
func (h *hurt) session(shard int) string {
	for _, s := range h.discord.Sessions() {
		if s.Shard == shard {
			return s.ID
		}
	}
	return ""
}
