package sdk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// kelpAt is a guild whose every part tells its version.
func kelpAt(id, version uint64) *wire.GuildResponse {
	return &wire.GuildResponse{
		Version: version,
		Guild: fmt.Appendf(nil, `{"id":"%d","name":"v%d","owner_id":"2","roles":[{"id":"%d","permissions":"3072"},{"id":"20","name":"v%d","permissions":"8"}]}`,
			id, version, id, version),
		Channels: fmt.Appendf(nil, `[{"id":"30","type":0,"name":"v%d","permission_overwrites":[{"id":"7","type":1,"allow":"0","deny":"2048"}]}]`, version),
		Threads:  fmt.Appendf(nil, `[{"id":"40","type":11,"name":"v%d","parent_id":"30"}]`, version),
		Member:   fmt.Appendf(nil, `{"user":{"id":"9"},"nick":"v%d","roles":[]}`, version),
	}
}

// partly answers as a host does.
func partly(whole *wire.GuildResponse, r *wire.GuildRequest) *wire.GuildResponse {
	answer := proto.CloneOf(whole)
	send := Part(r.GetParts())
	if r.GetVersion() == answer.GetVersion() {
		send &^= Part(r.GetHave())
	}
	for part, field := range map[Part]*[]byte{PartGuild: &answer.Guild, PartChannels: &answer.Channels, PartThreads: &answer.Threads, PartMember: &answer.Member} {
		if send&part == 0 {
			*field = nil
		}
	}
	answer.Parts = uint32(send)
	return answer
}

// isWhole says what is wrong with a guild whose parts must be those that it says
// it has, all of its version.
func isWhole(g *Guild, parts Part) error {
	if !g.Has(parts) {
		return fmt.Errorf("it has %s, want %s", g.parts(), parts)
	}
	want := fmt.Sprintf("v%d", g.Version)
	names := map[Part]string{PartGuild: g.Name}
	if len(g.Channels) > 0 {
		names[PartChannels] = **g.Channels[0].Name
	}
	if len(g.Threads) > 0 {
		names[PartThreads] = **g.Threads[0].Name
	}
	if g.Member != nil {
		names[PartMember] = **g.Member.Nick
	}
	for part := PartGuild; part <= PartMember; part <<= 1 {
		switch name := names[part]; {
		case g.Has(part) && name != want:
			return fmt.Errorf("its %s is %q in %s", part, name, want)
		case !g.Has(part) && name != "":
			return fmt.Errorf("it has no %s, but %q", part, name)
		}
	}
	return nil
}

// TestReadsNameTheirParts goes through reads of several kinds, and the calls that
// they cost.
func TestReadsNameTheirParts(t *testing.T) {
	version := uint64(5)
	h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
		return partly(kelpAt(r.GetGuild(), version), r), nil
	}}
	l := lineTo(t, h)
	l.userID = "9"
	ctx := t.Context()
	guild := func(parts ...Part) func(*Bot) error {
		return func(b *Bot) error {
			g, err := b.Guild(ctx, "1", parts...)
			if err != nil {
				return err
			}
			return isWhole(g, union(parts))
		}
	}
	role := func(b *Bot) error { _, err := b.Role(ctx, "1", "20"); return err }
	channel := func(b *Bot) error { _, err := b.Channel(ctx, "1", "30"); return err }
	thread := func(b *Bot) error { _, err := b.Channel(ctx, "1", "40"); return err }
	own := func(b *Bot) error { _, err := b.Permissions(ctx, "1", "9", "40"); return err }
	for n, step := range []struct {
		version uint64
		read    func(*Bot) error
		want    string
	}{
		{5, role, "1 v0 E for guild"},
		{5, role, ""},
		{5, guild(PartGuild), ""},
		{5, channel, "1 v5 E for channels, threads having guild"},
		{5, thread, ""},
		{5, guild(PartThreads, PartGuild), ""},
		{5, guild(), "1 v5 E having guild, channels, threads"},
		{5, guild(), ""},
		{5, own, ""},
		{6, role, "1 v5 E for guild"},
		{6, own, "1 v6 E having guild"},
		{6, guild(), ""},
		{7, guild(PartMember), "1 v6 E for member"},
		{7, channel, "1 v7 E for channels, threads having member"},
		{7, own, "1 v7 E having channels, threads, member"},
		{8, guild(), "1 v7 E"},
		{8, role, ""},
	} {
		version = step.version
		if err := step.read(botOf(l, "E", 1, version)); err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
		if calls := h.calls(); calls != step.want {
			t.Errorf("step %d: asked %q, want %q", n, calls, step.want)
		}
	}
}

// TestPartsAreDecodedOnce compares pointers: what came before stays when more
// parts come.
func TestPartsAreDecodedOnce(t *testing.T) {
	h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
		return partly(kelpAt(r.GetGuild(), 5), r), nil
	}}
	b := botOf(lineTo(t, h), "E", 1, 5)
	role, err := b.Role(t.Context(), "1", "20")
	if err != nil {
		t.Fatal(err)
	}
	channel, err := b.Channel(t.Context(), "1", "30")
	if err != nil {
		t.Fatal(err)
	}
	g, err := b.Guild(t.Context(), "1")
	if err != nil || g.Roles[1] != role || g.Channels[0] != channel {
		t.Errorf("%+v, %v: a part was decoded again", g, err)
	}
	if again, _ := b.Guild(t.Context(), "1"); again != g {
		t.Error("read a second time, it is another")
	}
}

// TestOlderHostsSendAll: they know of no parts.
func TestOlderHostsSendAll(t *testing.T) {
	version := uint64(5)
	h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
		if r.GetVersion() == version {
			return &wire.GuildResponse{Version: version}, nil
		}
		return kelpAt(r.GetGuild(), version), nil
	}}
	l := lineTo(t, h)
	read := func(want string) {
		t.Helper()
		b := botOf(l, "E", 1, version)
		if _, err := b.Role(t.Context(), "1", "20"); err != nil {
			t.Error(err)
		}
		if g, err := b.Guild(t.Context(), "1"); err != nil || isWhole(g, wholeGuild) != nil {
			t.Errorf("%+v, %v", g, err)
		}
		if calls := h.calls(); calls != want {
			t.Errorf("asked %q, want %q", calls, want)
		}
	}
	read("1 v0 E for guild")
	version = 6
	read("1 v5 E for guild")
	if g, err := botOf(l, "E", 1, 0).Guild(t.Context(), "1", PartChannels); err != nil || g.Version != 6 {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestPartsThatDoNotCome are told, not made up.
func TestPartsThatDoNotCome(t *testing.T) {
	for name, test := range map[string]struct {
		send Part
		want string
	}{
		"other parts":   {PartChannels, "read guild 1: the host answered channels, which is less than guild: report this"},
		"nothing":       {0, "read guild 1: the host answered that version 5 is unchanged, the plugin has 0: report this"},
		"an empty part": {PartGuild, `read guild 1: decode the guild: "" is no object`},
	} {
		h := &guildHost{guild: func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
			answer := &wire.GuildResponse{Version: 5, Parts: uint32(test.send)}
			if name == "other parts" || name == "an empty part" {
				answer.Channels = []byte(`[]`)
			}
			return answer, nil
		}}
		if _, err := botOf(lineTo(t, h), "E", 1, 5).Role(t.Context(), "1", "20"); err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// The same version, of which the plugin has too little.
	h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
		if r.GetVersion() == 0 {
			return partly(kelpAt(1, 5), r), nil
		}
		return &wire.GuildResponse{Version: 5}, nil
	}}
	b := botOf(lineTo(t, h), "E", 1, 5)
	if _, err := b.Role(t.Context(), "1", "20"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Channel(t.Context(), "1", "30"); err == nil || err.Error() != "read guild 1: the host answered guild, which is less than channels, threads: report this" {
		t.Errorf("got %v", err)
	}
}

// TestReadsNeverGoBack lets a call for all parts, begun before, answer after one
// for a single part that is newer: who has read the newer does not get the older.
func TestReadsNeverGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		version := uint64(5)
		h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
			answer := partly(kelpAt(1, version), r)
			if Part(r.GetParts()) == wholeGuild && version == 5 {
				time.Sleep(time.Second)
			}
			return answer, nil
		}}
		l := lineTo(t, h)
		before := startReading(t.Context(), botOf(l, "E", 1, 5), "1")
		synctest.Wait()
		version = 6
		b := botOf(l, "E", 2, 0) // the handler of another guild's event: any version will do
		b.ticket = detachedTicket
		if g, err := b.Guild(t.Context(), "1", PartGuild); err != nil || g.Version != 6 {
			t.Fatalf("%+v, %v", g, err)
		}
		if g, err := b.Guild(t.Context(), "1"); err != nil || g.Version != 6 || isWhole(g, wholeGuild) != nil {
			t.Errorf("%+v, %v", g, err)
		}
		if <-before.done; before.err != nil || before.guild.Version != 5 || isWhole(before.guild, wholeGuild) != nil {
			t.Errorf("who asked before: %+v, %v", before.guild, before.err)
		}
		if have := l.guilds.copies.get(1); have.Version != 6 || isWhole(have, wholeGuild) != nil {
			t.Errorf("kept %+v", have)
		}
	})
}

// TestCopiesNeverMixVersions puts parts of random versions, and looks at what is
// given back and kept.
func TestCopiesNeverMixVersions(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c := newGuildCopies(1 << 20)
	have := make(map[uint64]*Guild)
	var merged, kept int
	for range 5000 {
		id := 1 + random.Uint64N(3)
		parts := Part(1 + random.UintN(uint(wholeGuild)))
		version := 1 + random.Uint64N(40)
		if old := have[id]; old != nil && random.IntN(2) == 0 {
			version = old.Version
		}
		if random.IntN(50) == 0 {
			c = newGuildCopies(1 << 20) // versions come anew
			clear(have)
		}
		g, err := decodeGuild(partly(kelpAt(id, version), &wire.GuildRequest{Parts: uint32(parts)}), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := c.put(id, g)
		if err := isWhole(got, parts); err != nil || got.Version < version {
			t.Fatalf("put %s of version %d, got version %d: %v", parts, version, got.Version, err)
		}
		now := c.get(id)
		old := have[id]
		switch {
		case old == nil || version > old.Version:
			if now != g {
				t.Fatal("the newer one was not kept")
			}
		case version < old.Version:
			if now != old {
				t.Fatal("an older one took the place of a newer one")
			}
		case now.parts() != old.parts()|parts:
			t.Fatalf("%s and %s became %s", old.parts(), parts, now.parts())
		case old.parts() != now.parts():
			merged++
		default:
			kept++
		}
		if err := isWhole(now, 0); err != nil {
			t.Fatal(err)
		}
		have[id] = now
		size := 0
		for _, g := range have {
			size += sizeOf(g)
		}
		if c.bytes != size {
			t.Fatalf("%d bytes are counted, want %d", c.bytes, size)
		}
	}
	if merged < 100 || kept < 100 {
		t.Errorf("%d were joined, %d kept: the test has lost its aim", merged, kept)
	}
}

// TestPartsAreNeverOlderThanEvents lets guilds change, leave the host's cache and
// come back while handlers read them twice, in parts, with answers that take
// their time: each gets what it asked for, of one version, not older than its
// event, and the second time not older than the first.
func TestPartsAreNeverOlderThanEvents(t *testing.T) {
	const guilds, handlers = 3, 2000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		var mu sync.Mutex // guards random, too
		var counter uint64
		now, cached := make(map[uint64]uint64), make(map[uint64]Part) // versions of the truth, and what the host has of it
		draw := func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(n)
		}
		pause := func(limit int) { time.Sleep(time.Duration(draw(limit)) * time.Microsecond) }
		h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
			pause(500)
			mu.Lock()
			if want := Part(r.GetParts()); cached[r.GetGuild()]&want != want { // it is loaded further
				counter++
				now[r.GetGuild()] = counter
				cached[r.GetGuild()] |= want
			}
			answer := partly(kelpAt(r.GetGuild(), now[r.GetGuild()]), r)
			mu.Unlock()
			pause(2000)
			return answer, nil
		}}
		l := lineTo(t, h)
		var running sync.WaitGroup
		for range handlers {
			pause(100)
			guild := uint64(1 + draw(guilds))
			change, name := draw(4), []string{"A", "B"}[draw(2)]
			parts := [2]Part{Part(1 + draw(int(wholeGuild))), Part(1 + draw(int(wholeGuild)))}
			mu.Lock()
			switch change {
			case 0, 1: // an event that changes the guild
				counter++
				now[guild] = counter
			case 2:
				cached[guild] = 0
			}
			truth, frame := now[guild], now[guild]
			if cached[guild] == 0 {
				frame = 0
			}
			mu.Unlock()
			b := botOf(l, name, guild, frame)
			running.Go(func() {
				last := truth
				for _, p := range parts {
					g, err := b.Guild(t.Context(), fmt.Sprint(guild), p)
					if err == nil {
						err = isWhole(g, p)
					}
					if err != nil || g.Version < last {
						t.Errorf("guild %d, %s: got %+v, %v after version %d", guild, p, g, err, last)
						return
					}
					last = g.Version
				}
			})
		}
		running.Wait()
		if len(l.guilds.calls) != 0 {
			t.Errorf("%d calls are under way at the end", len(l.guilds.calls))
		}
	})
}

// TestWhatIsNotInAGuild is told by a typed error.
func TestWhatIsNotInAGuild(t *testing.T) {
	h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
		if r.GetGuild() == 2 {
			return &wire.GuildResponse{Missing: &wire.GuildMissing{Reason: "outage", Message: "guild 2 is away"}}, nil
		}
		whole := kelpAt(1, 5)
		whole.Channels = []byte(`[{"id":"30","type":0},{"id":"31","type":0,"name":"___hidden___","flags":131072}]`)
		return partly(whole, r), nil
	}}
	b := botOf(lineTo(t, h), "E", 1, 5)
	for what, test := range map[string]struct {
		read func() error
		want any // an error of this kind
		text string
	}{
		"no role":            {func() error { _, err := b.Role(t.Context(), "1", "21"); return err }, new(*NotFoundError), "guild 1 has no role 21: it was deleted, or is another guild's"},
		"no channel":         {func() error { _, err := b.Channel(t.Context(), "1", "39"); return err }, new(*NotFoundError), "guild 1 has no channel 39 that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's"},
		"a hidden channel":   {func() error { _, err := b.Channel(t.Context(), "1", "31"); return err }, new(*NotFoundError), "guild 1 has no channel 31 that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's"},
		"a role's guild":     {func() error { _, err := b.Role(t.Context(), "2", "20"); return err }, new(*GuildError), "guild 2 is away"},
		"a channel's guild":  {func() error { _, err := b.Channel(t.Context(), "2", "30"); return err }, new(*GuildError), "guild 2 is away"},
		"permissions' guild": {func() error { _, err := b.Permissions(t.Context(), "2", "7", "30"); return err }, new(*GuildError), "guild 2 is away"},
		"no id of a role":    {func() error { _, err := b.Role(t.Context(), "1", "@everyone"); return err }, nil, `read role: "@everyone" is no id of Discord's: use digits`},
		"no id of a channel": {func() error { _, err := b.Channel(t.Context(), "1", ""); return err }, nil, `read channel: "" is no id of Discord's: use digits`},
		"no id of a guild":   {func() error { _, err := b.Channel(t.Context(), "x", "30"); return err }, nil, `read guild: "x" is no id of Discord's: use digits`},
		"no id of a user":    {func() error { _, err := b.Permissions(t.Context(), "1", "0", ""); return err }, nil, `compute permissions: "0" is no id of Discord's: use digits`},
		"no id of a place":   {func() error { _, err := b.Permissions(t.Context(), "1", "7", "#"); return err }, nil, `compute permissions: "#" is no id of Discord's: use digits`},
	} {
		err := test.read()
		if err == nil || err.Error() != test.text || test.want != nil && !errors.As(err, test.want) {
			t.Errorf("%s: got %#v", what, err)
		}
	}
	if role, err := b.Role(t.Context(), "1", "1"); err != nil || role.Permissions != "3072" {
		t.Errorf("@everyone: %+v, %v", role, err)
	}
}
