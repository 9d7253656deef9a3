package sdk

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// guildOf is a guild of some bytes.
func guildOf(version uint64, bytes int) *Guild {
	return &Guild{Version: version, Raw: GuildParts{Guild: make([]byte, bytes)}}
}

// TestCopiesAgainstAModel keeps, reads and replaces guilds at random, and
// compares with a list that is too simple to be wrong.
func TestCopiesAgainstAModel(t *testing.T) {
	const guilds, limit, most = 20, 40_000, 25_000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	type entry struct {
		id    uint64
		guild *Guild
	}
	c := newGuildCopies(limit)
	var model []entry // the last read first
	find := func(id uint64) int { return slices.IndexFunc(model, func(e entry) bool { return e.id == id }) }
	front := func(n int) { model = slices.Concat(model[n:n+1], model[:n], model[n+1:]) }
	evicted, tooLarge, late := 0, 0, 0
	for range 20_000 {
		id := random.Uint64N(guilds) + 1
		at := find(id)
		if random.IntN(2) == 0 {
			var want *Guild
			if at >= 0 {
				want = model[at].guild
				front(at)
			}
			if got := c.get(id); got != want {
				t.Fatalf("guild %d: got %p, want %p", id, got, want)
			}
			continue
		}
		g := guildOf(random.Uint64N(1000), random.IntN(most))
		want := g
		switch {
		case at >= 0 && model[at].guild.Version >= g.Version:
			want = model[at].guild
			front(at)
			late++
		default:
			if at >= 0 {
				model = slices.Delete(model, at, at+1)
			}
			if sizeOf(g) > limit {
				tooLarge++
				break
			}
			model = append([]entry{{id, g}}, model...)
			bytes := 0
			for n, e := range model {
				if bytes += sizeOf(e.guild); bytes > limit {
					model = model[:n]
					evicted++
					break
				}
			}
		}
		if got := c.put(id, g); got != want {
			t.Fatalf("guild %d: put gave version %d, want %d", id, got.Version, want.Version)
		}
		bytes := 0
		for _, e := range model {
			bytes += sizeOf(e.guild)
		}
		if c.bytes != bytes || c.bytes > limit || len(c.byID) != len(model) || c.recent.Len() != len(model) {
			t.Fatalf("%d bytes of %d guilds, want %d of %d", c.bytes, len(c.byID), bytes, len(model))
		}
	}
	if evicted == 0 || tooLarge == 0 || late == 0 {
		t.Errorf("%d were evicted, %d too large, %d late: the test has lost its aim", evicted, tooLarge, late)
	}
}

// TestGuildThatIsTooLarge is handed out, and its older copy is not kept either.
func TestGuildThatIsTooLarge(t *testing.T) {
	c := newGuildCopies(10_000)
	c.put(1, guildOf(1, 100))
	c.put(2, guildOf(2, 100))
	large := guildOf(3, 10_000)
	if c.put(1, large) != large {
		t.Error("it was not handed out")
	}
	if c.get(1) != nil || c.get(2) == nil {
		t.Errorf("kept %v and %v", c.get(1), c.get(2))
	}
}

// TestSizeOfGuilds measures what guilds really cost, real ones and one that is
// large: what receiving and decoding allocate, of which next to nothing is
// garbage afterwards.
func TestSizeOfGuilds(t *testing.T) {
	created := captured(t)["GUILD_CREATE"]
	small := partsOf(t, created[0])
	large := proto.CloneOf(small)
	list := func(part []byte, times int) []byte {
		inner := strings.Trim(string(part), "[]")
		return []byte("[" + strings.TrimSuffix(strings.Repeat(inner+",", times), ",") + "]")
	}
	large.Channels, large.Threads = list(small.GetChannels(), 20), list(small.GetChannels(), 10)
	other := partsOf(t, created[1])
	for name, answer := range map[string]*wire.GuildResponse{"small": small, "large": large, "other": other} {
		const guilds = 50
		encoded, err := proto.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeGuild(answer, nil); err != nil { // the decoder learns disgo's types
			t.Fatal(err)
		}
		c := newGuildCopies(1 << 40)
		before := allocated()
		for n := range guilds {
			received := new(wire.GuildResponse) // a memory of its own, as grpc gives it
			if err := proto.Unmarshal(encoded, received); err != nil {
				t.Fatal(err)
			}
			g, err := decodeGuild(received, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.put(uint64(n)+1, g)
		}
		cost := (allocated() - before) / guilds
		counted := c.bytes / guilds
		t.Logf("%s: %d bytes of JSON, %d of memory, counted as %d", name, len(encoded), cost, counted)
		if counted*2 < cost || counted > cost*2 {
			t.Errorf("%s: a guild of %d bytes in memory is counted as %d", name, cost, counted)
		}
	}
}

func allocated() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.TotalAlloc)
}

// BenchmarkGuild reads a guild that the plugin has, or looks something up in it,
// and decodes one that is new: wholly, or where only its channels have changed.
func BenchmarkGuild(b *testing.B) {
	answer := partsOf(b, captured(b)["GUILD_CREATE"][1])
	h := &guildHost{guild: answerWith(answer)}
	l := lineTo(b, h)
	l.userID = "9"
	bot := botOf(l, "MESSAGE_CREATE", 1, 1)
	b.Run("unchanged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := bot.Guild(b.Context(), "1"); err != nil {
				b.Fatal(err)
			}
		}
	})
	known, err := decodeGuild(answer, nil)
	if err != nil {
		b.Fatal(err)
	}
	role, channel := known.Roles[len(known.Roles)-1].ID, known.Channels[len(known.Channels)-1].ID
	for name, read := range map[string]func() error{
		"role":        func() error { _, err := bot.Role(b.Context(), "1", role); return err },
		"channel":     func() error { _, err := bot.Channel(b.Context(), "1", channel); return err },
		"permissions": func() error { _, err := bot.Permissions(b.Context(), "1", "9", channel); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	if calls := h.calls(); calls != "1 v0 MESSAGE_CREATE" {
		b.Errorf("asked %q", calls)
	}
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := bot.Guild(b.Context(), "1"); err != nil {
					b.Error(err)
				}
			}
		})
	})
	changed := proto.CloneOf(answer)
	changed.Channels = append(changed.GetChannels(), ' ')
	for name, test := range map[string]struct {
		answer *wire.GuildResponse
		old    *Guild
	}{"decode": {answer, nil}, "decode/channels": {changed, known}, "decode/nothing": {answer, known}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(proto.Size(test.answer)))
			for b.Loop() {
				if _, err := decodeGuild(test.answer, test.old); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestUnchangedGuildCostsNoAllocation is what the benchmark shows, held.
func TestUnchangedGuildCostsNoAllocation(t *testing.T) {
	l := lineTo(t, &guildHost{guild: answerWith(guildAt(1, 1))})
	bot, ctx := botOf(l, "E", 1, 1), t.Context()
	read := func() {
		if _, err := bot.Guild(ctx, "1"); err != nil {
			t.Error(err)
		}
	}
	if allocs := testing.AllocsPerRun(1000, read); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
