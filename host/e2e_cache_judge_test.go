package host_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// sight is a line of the watcher.
type sight struct {
	Event   string
	Guild   string
	Data    uint64
	Told    json.RawMessage
	At      int64
	Look    bool
	Again   bool
	Reason  string
	Version uint64
	Sum     uint64
	Content *parts
}

// parts are a guild as the host has it.
type parts struct{ Guild, Channels, Threads, Member json.RawMessage }

// deed is an event as it was told when it happened.
type deed struct {
	name string
	data []byte
	at   time.Time
}

// chronicle is what happened in each guild, in order.
type chronicle struct {
	mu  sync.Mutex
	all map[uint64][]deed
}

// note is simulator.Config.Emitted.
func (c *chronicle) note(e simulator.Emission) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make(map[uint64][]deed)
	}
	c.all[e.Guild] = append(c.all[e.Guild], deed{e.Name, e.Data, time.Now()})
}

// value is what a field was from one event on.
type value struct {
	from int
	is   string
}

// past is a guild's whole history. State n is the guild after the first n events;
// state 0 is what it was before.
type past struct {
	happened []deed
	sums     []uint64 // of the events' data
	digests  []uint64 // of the states, 0: not there, or an outage
	history  map[string][]value
	answered []time.Time // when REST told of it
}

// newPast follows a guild, whose first event is a GUILD_CREATE.
func newPast(id, bot uint64, happened []deed) *past {
	p := &past{happened: happened, history: make(map[string][]value)}
	m := newModel(id, bot)
	last := flat{}
	for n := range len(happened) + 1 {
		if n > 0 {
			m.apply(happened[n-1].name, happened[n-1].data)
			p.sums = append(p.sums, sumOf(happened[n-1].data))
		}
		f := m.flat()
		for place := range last {
			if _, still := f[place]; !still {
				p.history[place] = append(p.history[place], value{n, ""})
			}
		}
		for place, is := range f {
			if was, had := last[place]; !had || was != is {
				p.history[place] = append(p.history[place], value{n, is})
			}
		}
		last = f
		p.digests = append(p.digests, f.digest())
	}
	return p
}

// now is the last state.
func (p *past) now() flat {
	f := make(flat)
	for place, values := range p.history {
		if is := values[len(values)-1].is; is != "" {
			f[place] = is
		}
	}
	return f
}

// statesAt is the number of events until then.
func (p *past) statesAt(when time.Time) int {
	return sort.Search(len(p.happened), func(i int) bool { return p.happened[i].at.After(when) })
}

// find gives the state that an event made, after the last one that the plugin saw;
// ok is false when there is none.
func (p *past) find(s *sight, bot uint64, after int) (n int, ok bool) {
	if s.Event == "GUILD_CREATE" {
		// Each session is told of the guild in its own words.
		id, _ := strconv.ParseUint(s.Guild, 10, 64)
		m := newModel(id, bot)
		m.apply(s.Event, s.Told)
		digest := m.flat().digest()
		for n := after; n < len(p.digests); n++ {
			if p.digests[n] == digest {
				return n, true
			}
		}
		return 0, false
	}
	for n := after + 1; n <= len(p.happened); n++ {
		if p.happened[n-1].name == s.Event && p.sums[n-1] == s.Data {
			return n, true
		}
	}
	return 0, false
}

// stale names a field of a guild that was seen as it never was from state n on;
// "" if there is none.
func (p *past) stale(f flat, n int) string {
	for place := range f {
		if p.history[place] == nil {
			return fmt.Sprintf("%s is %q, and never was there", place, f[place])
		}
	}
	for place, values := range p.history {
		is := f[place]
		fresh := values[0].from > n && is == "" // not yet there at n
		for i, v := range values {
			if v.is == is && (i+1 == len(values) || values[i+1].from > n) {
				fresh = true
			}
		}
		if !fresh {
			return fmt.Sprintf("%s is %q, and was so before event %d only: %v", place, is, n, values)
		}
	}
	return ""
}

// judgement is what the judge has found of one plugin.
type judgement struct {
	faults []string
	events int // and looks
	found  int // with the guild
	exact  int // of those, the ones held against whole states
	newer  int // the ones that a load may have mixed of several states
	looks  int // the ones of no event of the guild

	missing  map[string]int     // by reason
	versions map[sightOf]uint64 // sums
	contents map[uint64]flat    // by sum
	last     map[string]int     // by guild, the state of the last event
	pasts    map[uint64]*past
	bot      uint64
}

type sightOf struct {
	guild   string
	version uint64
}

func newJudgement(bot uint64, pasts map[uint64]*past) *judgement {
	return &judgement{
		missing: make(map[string]int), versions: make(map[sightOf]uint64), contents: make(map[uint64]flat), last: make(map[string]int),
		pasts: pasts, bot: bot,
	}
}

func (v *judgement) faultf(s *sight, format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf("%s in guild %s: ", s.Event, s.Guild)+fmt.Sprintf(format, args...))
}

// judge holds what one plugin saw against what happened.
func (v *judgement) judge(lines []byte) error {
	for raw := range bytes.Lines(lines) {
		var s sight
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("a line of the watcher: %w: %.200s", err, raw)
		}
		v.one(&s)
	}
	return nil
}

func (v *judgement) one(s *sight) {
	v.events++
	f, ok := v.content(s)
	if !ok {
		return
	}
	id, _ := strconv.ParseUint(s.Guild, 10, 64)
	p := v.pasts[id]
	if p == nil {
		v.faultf(s, "there is no such guild")
		return
	}
	n := v.last[s.Guild]
	if !s.Look {
		if n, ok = p.find(s, v.bot, n); !ok {
			v.faultf(s, "came twice, out of order, or never happened (after event %d of %d)", v.last[s.Guild], len(p.happened))
			return
		}
		v.last[s.Guild] = n
	} else {
		n = 0 // an event of another guild says nothing of this one
	}
	at := time.Unix(0, s.At)
	if f == nil {
		v.absent(s, p, n, p.statesAt(at))
		return
	}
	v.found++
	if what := p.stale(f, n); what != "" {
		v.faultf(s, "the guild is older than event %d: %s", n, what)
		return
	}
	loaded := 0
	for _, done := range p.answered {
		if done.Before(at) {
			loaded = max(loaded, p.statesAt(done))
		}
	}
	switch {
	case s.Look:
		v.looks++
		return
	case n < loaded:
		v.newer++
		return
	}
	v.exact++
	if digest := f.digest(); !slices.Contains(p.digests[n:], digest) {
		v.faultf(s, "the guild is none that there was from event %d on, though none was loaded since", n)
	}
}

// content is what was seen of the guild: nil if it was missing. False: a fault.
func (v *judgement) content(s *sight) (f flat, ok bool) {
	if s.Reason != "" {
		return nil, true
	}
	key := sightOf{s.Guild, s.Version}
	if sum, known := v.versions[key]; known && sum != s.Sum {
		v.faultf(s, "version %d has two contents", s.Version)
		return nil, false
	}
	v.versions[key] = s.Sum
	if f := v.contents[s.Sum]; f != nil {
		return f, true
	}
	if s.Content == nil {
		v.faultf(s, "version %d came without its content", s.Version)
		return nil, false
	}
	f, err := flatParts(s.Content.Guild, s.Content.Channels, s.Content.Threads, s.Content.Member)
	if err != nil {
		v.faultf(s, "%v", err)
		return nil, false
	}
	v.contents[s.Sum] = f
	return f, true
}

// absent judges why there was no guild: what says that the bot is not in it, or
// that there is an outage, must have been so since the event.
func (v *judgement) absent(s *sight, p *past, n, now int) {
	reason, _, _ := strings.Cut(s.Reason, ":")
	v.missing[reason]++
	switch reason {
	case "removed", "outage":
		if !slices.Contains(p.digests[n:max(n, now)+1], 0) {
			v.faultf(s, "missing as %q after event %d, though it was there all the time", reason, n)
		}
	case "failed", "backing off", "guard open", "refused", "timeout", "memory":
	default:
		v.faultf(s, "missing as %q", s.Reason)
	}
}

func decoded(t testing.TB, text string) *sight {
	t.Helper()
	s := new(sight)
	if err := json.Unmarshal([]byte(text), s); err != nil {
		t.Fatalf("a line of the watcher: %v: %.200s", err, text)
	}
	return s
}

func sumOf(data []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(data) // it never fails
	return h.Sum64()
}
