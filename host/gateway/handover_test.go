package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFingerprints: the same event in two sessions looks alike, others do not.
func TestFingerprints(t *testing.T) {
	f := newFingerprints(0)
	event := func(name string, id uint64, data string) fingerprint {
		return f.of(&Event{Name: name, ID: id, Data: []byte(data)})
	}
	same := [][2]fingerprint{
		{event("MESSAGE_CREATE", 7, `{"id":"7","content":"x"}`), event("MESSAGE_CREATE", 7, `{"content":"","id":"7"}`)},
		{event("TYPING_START", 0, `{"a":1,"b":{"c":[1,{"d":null,"e":"x"}],"f":true}}`), event("TYPING_START", 0, ` { "b" : {"f":true,"c":[ 1 ,{"e":"x","d":null}]} , "a":1 } `)},
		{event("X", 0, `{}`), event("X", 0, `{ }`)},
		{event("GUILD_CREATE", 7, `{"members":[1]}`), event("GUILD_CREATE", 7, `{"members":[]}`)},
		{event("X", 0, `no json`), event("X", 0, `no json`)},
	}
	for n, pair := range same {
		if pair[0] != pair[1] {
			t.Errorf("pair %d looks different", n)
		}
	}
	all := []fingerprint{
		event("MESSAGE_CREATE", 7, `{}`), event("MESSAGE_CREATE", 8, `{}`), event("MESSAGE_DELETE", 7, `{}`),
		event("MESSAGE_UPDATE", 7, `{"a":1}`), event("MESSAGE_UPDATE", 7, `{"a":2}`), event("MESSAGE_UPDATE", 8, `{"a":1}`),
		event("THREAD_CREATE", 7, `{"a":1}`), event("THREAD_CREATE", 7, `{"a":2}`), event("GUILD_CREATE", 7, `{"a":1}`), event("GUILD_DELETE", 7, `{"a":1}`),
		event("X", 0, `{"a":[1,2]}`), event("X", 0, `{"a":[2,1]}`), event("X", 0, `{"a":[[1],2]}`), event("X", 0, `{"a":{"b":1}}`),
		event("X", 0, `{"b":{"a":1}}`), event("X", 0, `{"a":1,"b":2}`), event("X", 0, `{"a":2,"b":1}`), event("X", 0, `{}`), event("X", 0, `[]`),
		event("X", 0, `{"a":1,"a":1}`), event("X", 0, `[{}]`), event("X", 0, `""`), event("X", 0, ``), event("X", 0, `{"a"`),
		event("X", 0, strings.Repeat("[", 200)+strings.Repeat("]", 200)),
	}
	for a := range all {
		for b := range a {
			if all[a] == all[b] {
				t.Errorf("%d and %d look alike", a, b)
			}
		}
	}
}

// TestFingerprintsWithoutContent: an edit is the same event for a session without
// MESSAGE_CONTENT.
func TestFingerprintsWithoutContent(t *testing.T) {
	whole := Event{Name: "MESSAGE_UPDATE", ID: 7, Data: []byte(`{"id":"7","content":"x","embeds":[1],"edited_timestamp":"1"}`)}
	bare := Event{Name: "MESSAGE_UPDATE", ID: 7, Data: []byte(`{"id":"7","edited_timestamp":"1","embeds":[],"content":""}`)}
	later := Event{Name: "MESSAGE_UPDATE", ID: 7, Data: []byte(`{"id":"7","edited_timestamp":"2","embeds":[],"content":""}`)}
	f := newFingerprints(intentMessageContent | 1)
	if f.of(&whole) != f.of(&bare) || f.of(&bare) == f.of(&later) {
		t.Error("an edit is known by its content")
	}
	if f = newFingerprints(1); f.of(&whole) == f.of(&bare) {
		t.Error("content makes no difference between sessions that both have it")
	}
}

func FuzzFingerprint(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":"\\u0041"}],"c":null}`, `[1,2,[3]]`, `{"a":`, "\x00"} {
		f.Add([]byte(seed))
	}
	prints := newFingerprints(0)
	f.Fuzz(func(t *testing.T, data []byte) {
		var compact bytes.Buffer
		if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) >= hashDepth || json.Compact(&compact, data) != nil {
			return // it is hashed as it stands
		}
		if prints.of(&Event{Name: "X", Data: data}) != prints.of(&Event{Name: "X", Data: compact.Bytes()}) {
			t.Error("space makes a difference")
		}
	})
}

// world is what Discord emits: lanes of events, in their order.
type world struct {
	r      *rand.Rand
	nextID uint64
	now    time.Time
}

// emit makes an event of a lane. A third of them are of kinds without an id.
func (w *world) emit(guild uint64) Event {
	w.now = w.now.Add(time.Millisecond)
	e := Event{Guild: guild, Received: w.now}
	switch w.r.IntN(6) {
	case 0, 1, 2:
		w.nextID++
		e.Name, e.ID, e.Data = "MESSAGE_CREATE", w.nextID, fmt.Appendf(nil, `{"id":"%d"}`, w.nextID)
	case 3:
		e.Name, e.ID = "MESSAGE_UPDATE", 1+w.r.Uint64N(w.nextID+1)
		e.Data = fmt.Appendf(nil, `{"content":"%d","id":"%d"}`, w.nextID, e.ID)
	default:
		e.Name = "MESSAGE_REACTION_ADD"
		w.nextID++
		e.Data = fmt.Appendf(nil, `{"n":"%d","emoji":{"name":"x","id":null}}`, w.nextID)
	}
	return e
}

// shuffled is the event as another session has it.
func (w *world) shuffled(e Event) Event {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(e.Data, &fields); err != nil {
		panic(err)
	}
	var parts []string
	for key, value := range fields { // in random order
		parts = append(parts, fmt.Sprintf("%q: %s", key, value))
	}
	e.Data = []byte("{" + strings.Join(parts, " ,") + "}")
	return e
}

// TestHandoverLosesNothing: two sets hear the same world, each with delays of its
// own; wherever the switch falls, each event is delivered once, in its lane's order.
func TestHandoverLosesNothing(t *testing.T) {
	for seed := range uint64(50) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { handOver(t, seed) })
	}
}

func handOver(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	w := &world{r: r, now: time.Unix(1_700_000_000, 0)}
	const guilds, shards = 12, 3
	h := NewHandover(shards, 0, HandoverSkew)
	want, got := map[uint64][]Event{}, map[uint64][]Event{}
	deliver := func(e *Event) { got[e.Guild] = append(got[e.Guild], *e) }
	switchOver := func() {
		for _, e := range h.Switch(anything) {
			deliver(&e)
		}
	}
	// Each set has a queue a lane of what it has not heard yet.
	oldQueue, newQueue := map[uint64][]Event{}, map[uint64][]Event{}
	readyAt := [shards]int{}
	for shard := range readyAt {
		readyAt[shard] = 200 + r.IntN(300)
	}
	const steps = 2000
	for step := range steps {
		for shard, at := range readyAt {
			if step == at {
				data := []byte(`{"guilds":[`)
				for g := range uint64(guilds) {
					if int(g)%shards == shard {
						data = fmt.Appendf(data, `{"id":"%d","unavailable":true},`, g<<22)
					}
				}
				ready := Event{Shard: shard, Name: nameReady, Received: w.now, Data: append(data[:len(data)-1], "]}"...)}
				if now, err := h.New(&ready); now || err != nil {
					t.Fatal("READY was delivered", err)
				}
				for g := range uint64(guilds) {
					if int(g)%shards == shard {
						create := Event{Shard: shard, Name: nameGuildCreate, Guild: g << 22, ID: g << 22, Data: []byte("{}")}
						if now, err := h.New(&create); now || err != nil {
							t.Fatal("GUILD_CREATE of a READY was delivered", err)
						}
					}
				}
			}
		}
		guild := r.Uint64N(guilds) << 22
		e := w.emit(guild)
		want[guild] = append(want[guild], e)
		oldQueue[guild] = append(oldQueue[guild], e)
		if shard := int(guild >> 22 % shards); step > readyAt[shard] {
			other := w.shuffled(e)
			other.Shard, other.Seq = shard, uint64(step)
			newQueue[guild] = append(newQueue[guild], other)
		}
		for _, both := range []struct {
			queue map[uint64][]Event
			take  func(*Event) (bool, error)
		}{{oldQueue, h.Old}, {newQueue, h.New}} {
			lane := r.Uint64N(guilds) << 22
			for range r.IntN(30) {
				if len(both.queue[lane]) == 0 {
					break
				}
				e := both.queue[lane][0]
				both.queue[lane] = both.queue[lane][1:]
				e.Received = w.now
				now, err := both.take(&e)
				if err != nil {
					t.Fatal(err)
				}
				if now {
					deliver(&e)
				}
			}
		}
		// What was emitted before a new session was ready, only the old one shows:
		// the switch waits for that as long as sessions may be apart.
		if step > 700 && !h.switched && !h.Due().IsZero() && r.IntN(50) == 0 && heardAllBefore(oldQueue, newQueue) {
			switchOver()
		}
	}
	if !h.switched {
		switchOver()
	}
	for guild, queue := range newQueue {
		for n := range queue {
			if now, err := h.New(&queue[n]); err != nil {
				t.Fatal(err)
			} else if now {
				deliver(&queue[n])
			}
		}
		delete(newQueue, guild)
	}
	for guild := range want {
		compareLane(t, guild, want[guild], got[guild])
	}
}

// heardAllBefore says whether the old set has shown all that the new one cannot.
func heardAllBefore(oldQueue, newQueue map[uint64][]Event) bool {
	for guild, queue := range oldQueue {
		if len(queue) > len(newQueue[guild]) && len(queue) > 0 {
			return false
		}
	}
	return true
}

func compareLane(t *testing.T, guild uint64, want, got []Event) {
	t.Helper()
	label := func(e Event) string {
		var fields map[string]any
		_ = json.Unmarshal(e.Data, &fields) // it is what emit made
		raw, _ := json.Marshal(fields)
		return e.Name + string(raw)
	}
	var a, b []string
	for _, e := range want {
		a = append(a, label(e))
	}
	for _, e := range got {
		b = append(b, label(e))
	}
	if !slices.Equal(a, b) {
		n := 0
		for n < min(len(a), len(b)) && a[n] == b[n] {
			n++
		}
		t.Fatalf("guild %d: %d events, want %d, first difference at %d: got %v, want %v", guild>>22, len(b), len(a), n,
			b[n:min(n+3, len(b))], a[n:min(n+3, len(a))])
	}
}

// anything is brought by sets of the same intents.
func anything(string) bool { return true }
