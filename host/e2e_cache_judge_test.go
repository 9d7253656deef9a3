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

// telling is a GUILD_CREATE as a session was told it, in its own words.
type telling struct {
	session string
	after   int // how many events come before it, itself included if it is one
	data    []byte
	sum     uint64 // of data
	state   int    // the first state from after on that it tells
}

// chronicle is what happened in each guild, and how sessions were told of the
// guild as a whole, in order.
type chronicle struct {
	mu   sync.Mutex
	all  map[uint64][]deed
	told map[uint64][]telling
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

// introduced is simulator.Config.Introduced.
func (c *chronicle) introduced(i simulator.Introduction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == nil {
		c.told = make(map[uint64][]telling)
	}
	c.told[i.Guild] = append(c.told[i.Guild], telling{session: i.Session, after: int(i.After), data: i.Data, sum: sumOf(i.Data)})
}

// pasts follow the guilds, each of which begins with a GUILD_CREATE.
func (c *chronicle) pasts(t testing.TB, bot uint64) map[uint64]*past {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	pasts := make(map[uint64]*past)
	for id, happened := range c.all {
		if id != 0 {
			pasts[id] = newPast(t, id, bot, happened, c.told[id])
		}
	}
	return pasts
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
	told     []telling
	sums     []uint64 // of the events' data
	digests  []uint64 // of the states, 0: not there, or an outage
	history  map[string][]value
	answered []time.Time // when REST told of it
}

// newPast follows a guild, whose first event is a GUILD_CREATE.
func newPast(t testing.TB, id, bot uint64, happened []deed, told []telling) *past {
	t.Helper()
	p := &past{happened: happened, told: told, history: make(map[string][]value)}
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
	for i := range told {
		m := newModel(id, bot)
		m.apply("GUILD_CREATE", told[i].data)
		if ok := p.settle(&told[i], m.flat()); !ok {
			t.Errorf("guild %d: what session %q was told after event %d of %d is no state of it: beside the nearest, %v",
				id, told[i].session, told[i].after, len(happened), p.nearest(m.flat(), told[i].after))
		}
	}
	return p
}

// actEvents is how many events one act tells at most.
const actEvents = 2

// settle notes which state a session was told of: the one after the events that
// came before, or, if it was told of the guild because of an act, of those that
// the act makes.
func (p *past) settle(told *telling, f flat) (ok bool) {
	digest := f.digest()
	for n := told.after; n <= min(told.after+actEvents, len(p.happened)); n++ {
		if p.digests[n] == digest {
			told.state = n
			return true
		}
	}
	return false
}

// nearest says how a guild differs from the most similar of the states of an act.
func (p *past) nearest(f flat, after int) (out []string) {
	for n := after; n <= min(after+actEvents, len(p.happened)); n++ {
		if d := p.at(n).differences(f); n == after || len(d) < len(out) {
			out = d
		}
	}
	return out
}

// at is state n.
func (p *past) at(n int) flat {
	f := make(flat)
	for place, values := range p.history {
		is := ""
		for _, v := range values {
			if v.from <= n {
				is = v.is
			}
		}
		if is != "" {
			f[place] = is
		}
	}
	return f
}

// now is the last state.
func (p *past) now() flat { return p.at(len(p.happened)) }

// statesAt is the number of events until then.
func (p *past) statesAt(when time.Time) int {
	return sort.Search(len(p.happened), func(i int) bool { return p.happened[i].at.After(when) })
}

// seat is how far a plugin is in a guild's past.
type seat struct {
	event int // the last that it has seen, or that comes before what it was told
	told  int // how many tellings it has seen or missed

	version uint64 // the newest of the guild that was read for an event
}

// find gives the seat of what came after another, and the state that it tells;
// ok is false when there is none.
func (p *past) find(s *sight, after seat) (at seat, state int, ok bool) {
	if s.Event == "GUILD_CREATE" {
		for i, told := range p.told[after.told:] {
			if told.sum == s.Data && told.after >= after.event {
				return seat{told.after, after.told + i + 1, after.version}, told.state, true
			}
		}
		return seat{}, 0, false
	}
	for n := after.event + 1; n <= len(p.happened); n++ {
		if p.happened[n-1].name == s.Event && p.sums[n-1] == s.Data {
			return seat{n, after.told, after.version}, n, true
		}
	}
	return seat{}, 0, false
}

// misplaced says what is known of what came at a wrong time, if anything is.
func (p *past) misplaced(s *sight, after seat) string {
	const clock = "15:04:05.000000"
	var known []string
	for i, told := range p.told {
		if s.Event == "GUILD_CREATE" && told.sum == s.Data {
			known = append(known, fmt.Sprintf("telling %d, to session %q after event %d", i+1, told.session, told.after))
		}
	}
	for i, d := range p.happened {
		if s.Event != "GUILD_CREATE" && d.name == s.Event && p.sums[i] == s.Data {
			known = append(known, fmt.Sprintf("event %d of %s", i+1, d.at.Format(clock)))
		}
	}
	what := "never happened"
	if len(known) > 0 {
		what = "came twice or out of order: it is " + strings.Join(known, ", or ")
	}
	return fmt.Sprintf("%s (seen at %s, after event %d of %d and telling %d of %d)",
		what, time.Unix(0, s.At).Format(clock), after.event, len(p.happened), after.told, len(p.told))
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
	ahead  int // GUILD_CREATEs with what the event behind them changes in them

	missing  map[string]int     // by reason
	versions map[sightOf]uint64 // sums
	contents map[uint64]flat    // by sum
	last     map[string]seat    // by guild
	pasts    map[uint64]*past
}

type sightOf struct {
	guild   string
	version uint64
}

func newJudgement(pasts map[uint64]*past) *judgement {
	return &judgement{
		missing: make(map[string]int), versions: make(map[sightOf]uint64), contents: make(map[uint64]flat), last: make(map[string]seat),
		pasts: pasts,
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
	n := 0 // an event of another guild says nothing of this one
	if !s.Look {
		at, state, ok := p.find(s, v.last[s.Guild])
		if !ok {
			v.faultf(s, "%s", p.misplaced(s, v.last[s.Guild]))
			return
		}
		if v.last[s.Guild], n = at, state; state > at.event {
			v.ahead++
		}
	}
	at := time.Unix(0, s.At)
	if f == nil {
		v.absent(s, p, n, p.statesAt(at))
		return
	}
	v.found++
	if !s.Look && v.wentBack(s) {
		return
	}
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

// wentBack says whether the guild was seen newer for an event before: those of a
// guild are handled one after the other.
func (v *judgement) wentBack(s *sight) bool {
	at := v.last[s.Guild]
	if s.Version < at.version {
		v.faultf(s, "the guild is of version %d, and was of version %d for an event before", s.Version, at.version)
		return true
	}
	at.version = s.Version
	v.last[s.Guild] = at
	return false
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
