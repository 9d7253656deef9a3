package gateway_test

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
)

// message is one of those that are said: the n-th of a guild.
type message struct {
	guild uint64
	n     int
}

// sessionSeen is a session as the router got to know it.
type sessionSeen struct {
	id    string
	last  uint64 // the number of its last event
	ready time.Time
}

// reader stands for the router. Its goroutine is the test's; others may ask for readies.
type reader struct {
	*storm
	r        *rand.Rand
	next     map[uint64]int // by guild
	missing  map[message]bool
	sessions [][]sessionSeen // by shard
	count    []atomic.Int64  // of sessions, by shard
	lag      []time.Duration // by shard: the longest that a message was on its way
	resumed  int
	messages int
}

func newReader(s *storm) *reader {
	return &reader{
		storm: s, r: rand.New(rand.NewPCG(s.seed, 1)), next: make(map[uint64]int), missing: make(map[message]bool),
		sessions: make([][]sessionSeen, s.shards), count: make([]atomic.Int64, s.shards), lag: make([]time.Duration, s.shards),
	}
}

// readies counts the sessions of a shard that have begun.
func (w *reader) readies(shard int) int { return int(w.count[shard].Load()) }

func (w *reader) allReady() bool {
	for shard := range w.sessions {
		if w.readies(shard) == 0 {
			return false
		}
	}
	return true
}

// settled says whether every shard has a session and everything that it numbered.
func (w *reader) settled() bool {
	sessions := w.discord.Sessions()
	for _, s := range sessions {
		seen := w.sessions[s.Shard]
		if now := seen[len(seen)-1]; now.id != s.ID || now.last != s.Seq || s.Awaiting > 0 {
			return false
		}
	}
	return len(sessions) == w.shards
}

// until takes events until something is so, and ends a test that hangs.
func (w *reader) until(done func() bool) {
	w.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	last := time.Now()
	for {
		select {
		case e := <-w.events:
			w.take(&e)
			last = time.Now()
		case <-look.C:
			if done() {
				return
			}
			if time.Since(last) > 2*time.Minute {
				w.t.Fatalf("no event for two minutes: %d messages, %+v; lost were %v", w.messages, w.set.Status(), w.log.causes())
			}
		}
		if w.r.IntN(2000) == 0 {
			time.Sleep(time.Duration(w.r.IntN(30)) * time.Millisecond) // no wait for anything: a slow router
		}
	}
}

// rest takes what is left in the queue after the end.
func (w *reader) rest() {
	for {
		select {
		case e := <-w.events:
			w.take(&e)
		default:
			return
		}
	}
}

func (w *reader) take(e *gateway.Event) {
	if e.Name == "READY" {
		w.begin(e)
	}
	s := &w.sessions[e.Shard][len(w.sessions[e.Shard])-1]
	if e.Name != "RESUMED" && e.Seq != s.last+1 || e.Seq < s.last {
		w.t.Errorf("shard %d: %s has number %d after %d", e.Shard, e.Name, e.Seq, s.last)
	}
	s.last = e.Seq
	switch e.Name {
	case "RESUMED":
		w.resumed++
	case "MESSAGE_CREATE":
		w.message(e)
	}
	if w.r.IntN(5) == 0 {
		w.set.Handled(e.Shard, e.Seq)
	}
}

func (w *reader) begin(e *gateway.Event) {
	var d struct {
		SessionID string `json:"session_id"`
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		w.t.Fatal(err)
	}
	w.sessions[e.Shard] = append(w.sessions[e.Shard], sessionSeen{id: d.SessionID, ready: time.Now()})
	w.count[e.Shard].Add(1)
}

func (w *reader) message(e *gateway.Event) {
	m, id := readMessage(w.t, e.Data)
	if id != e.ID || m.guild != e.Guild || int(e.Guild>>22)%w.shards != e.Shard {
		w.t.Errorf("id %d, guild %d, shard %d, but the data say %d, %+v", e.ID, e.Guild, e.Shard, id, m)
	}
	if m.n < w.next[m.guild] {
		w.t.Errorf("guild %d: message %d comes after %d", m.guild, m.n, w.next[m.guild]-1)
	}
	shard := int(m.guild>>22) % w.shards
	w.lag[shard] = max(w.lag[shard], time.Since(w.about(m)))
	w.skip(m)
	w.next[m.guild] = m.n + 1
	w.messages++
}

// skip notes what is missing before a message.
func (w *reader) skip(m message) {
	for n := w.next[m.guild]; n < m.n; n++ {
		w.missing[message{m.guild, n}] = true
	}
}

func readMessage(t testing.TB, data []byte) (m message, id uint64) {
	var d struct {
		ID      string `json:"id"`
		Guild   string `json:"guild_id"`
		Content string `json:"content"`
	}
	err := json.Unmarshal(data, &d)
	if err == nil {
		m.guild, err = strconv.ParseUint(d.Guild, 10, 64)
	}
	if err == nil {
		id, err = strconv.ParseUint(d.ID, 10, 64)
	}
	if err == nil {
		m.n, err = strconv.Atoi(d.Content)
	}
	if err != nil {
		t.Fatalf("message %.200s: %v", data, err)
	}
	return m, id
}
