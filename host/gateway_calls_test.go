package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// sentPayload is what a session was given to send.
type sentPayload struct {
	shard, op int
	d         map[string]any
	at        time.Time
}

// fakeSessions take payloads as a test wants. What send returns is the answer;
// nil takes all.
type fakeSessions struct {
	mu   sync.Mutex
	all  []sentPayload
	send func(ctx context.Context, p sentPayload) error
}

func (f *fakeSessions) Send(ctx context.Context, shard, op int, d json.RawMessage) error {
	p := sentPayload{shard: shard, op: op, at: time.Now()}
	if err := json.Unmarshal(d, &p.d); err != nil {
		return err
	}
	f.mu.Lock()
	send := f.send
	f.mu.Unlock()
	if send != nil {
		if err := send(ctx, p); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, p)
	return nil
}

func (f *fakeSessions) answer(send func(ctx context.Context, p sentPayload) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.send = send
}

func (f *fakeSessions) sent() []sentPayload {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]sentPayload(nil), f.all...)
}

// bubbleCalls are calls over fake sessions of 4 shards with all intents.
func bubbleCalls(t *testing.T) (*gatewayCalls, *fakeSessions) {
	t.Helper()
	f := new(fakeSessions)
	c := newGatewayCalls(hclog.NewNullLogger())
	c.begin(f, 4, 1<<26-1)
	t.Cleanup(func() {
		c.Close()
		if bytes, gathers, _ := held(c); bytes != 0 || gathers != 0 {
			t.Errorf("%d bytes and %d gathers are left", bytes, gathers)
		}
	})
	return c, f
}

// eventf gives calls an event of a shard, received now.
func eventf(c *gatewayCalls, shard int, name string, guild uint64, format string, args ...any) {
	c.see(&gateway.Event{Shard: shard, Name: name, Guild: guild, Received: time.Now(), Data: fmt.Appendf(nil, format, args...)})
}

func TestVoiceStateGoesToTheGuildsShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		guild := uint64(7<<22 | 5)
		for _, r := range []*wire.VoiceStateRequest{{Guild: guild, Channel: 9, Mute: true}, {Guild: guild}} {
			if err := c.VoiceState(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		all := f.sent()
		if len(all) != 2 || all[0].shard != 3 || all[0].op != 4 {
			t.Fatalf("sent %+v", all)
		}
		if got := fmt.Sprint(all[0].d); got != "map[channel_id:9 guild_id:29360133 self_deaf:false self_mute:true]" {
			t.Errorf("joined with %s", got)
		}
		if channel, there := all[1].d["channel_id"]; channel != nil || !there {
			t.Errorf("left with %v", all[1].d)
		}
		if err := c.VoiceState(t.Context(), &wire.VoiceStateRequest{}); err == nil {
			t.Error("guild 0 was taken")
		}
		for fault, want := range map[error]string{
			gateway.ErrStopped:        "the gateway has stopped",
			errors.New("broken pipe"): "broken pipe: Discord may have taken it or not: send it again",
		} {
			f.answer(func(context.Context, sentPayload) error { return fault })
			if err := c.VoiceState(t.Context(), &wire.VoiceStateRequest{Guild: guild}); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		f.answer(func(ctx context.Context, _ sentPayload) error {
			<-ctx.Done()
			return ctx.Err()
		})
		began := time.Now()
		if err := c.VoiceState(t.Context(), &wire.VoiceStateRequest{Guild: guild}); err == nil || !strings.Contains(err.Error(), "not ready within 30s") {
			t.Errorf("a session that is never ready: %v", err)
		}
		if took := time.Since(began); took != voiceWait {
			t.Errorf("waited %v", took)
		}
	})
}

func TestPresenceIsKeptForSessionsThatIdentify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		if c.presences.identify(2) != nil {
			t.Error("a presence that nobody has set")
		}
		set := func(status string, shards ...uint32) {
			t.Helper()
			if err := c.Presence(&wire.PresenceRequest{Status: status, Shards: shards}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		set("idle")
		if all := f.sent(); len(all) != 4 || all[0].op != 3 || all[0].d["status"] != "idle" || all[0].d["since"] != nil || fmt.Sprint(all[0].d["activities"]) != "[]" {
			t.Fatalf("sent %+v", all)
		}
		set("dnd", 1)
		if all := f.sent(); len(all) != 5 || all[4].shard != 1 || all[4].d["status"] != "dnd" {
			t.Fatalf("sent %+v", all)
		}
		if one, other := string(c.presences.identify(1)), string(c.presences.identify(3)); !strings.Contains(one, "dnd") || !strings.Contains(other, "idle") {
			t.Errorf("identify with %s and %s", one, other)
		}
		eventf(c, 1, "RESUMED", 0, "{}")
		synctest.Wait()
		if all := f.sent(); len(all) != 6 || all[5].shard != 1 || all[5].d["status"] != "dnd" {
			t.Errorf("after RESUMED: %+v", all)
		}
		if err := c.Presence(&wire.PresenceRequest{Status: "idle", Shards: []uint32{4}}); err == nil {
			t.Error("a shard that there is not was taken")
		}
	})
}

// A session identified with the newest presence while an older one waited for it
// to be ready: the newest is sent after it.
func TestAnOldPresenceDoesNotStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		ready := make(chan struct{})
		f.answer(func(ctx context.Context, _ sentPayload) error {
			select {
			case <-ready:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		for _, status := range []string{"idle", "dnd"} {
			if err := c.Presence(&wire.PresenceRequest{Status: status, Shards: []uint32{0}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if got := string(c.presences.identify(0)); !strings.Contains(got, "dnd") {
			t.Errorf("identify with %s", got)
		}
		close(ready)
		synctest.Wait()
		if all := f.sent(); len(all) != 2 || all[1].d["status"] != "dnd" {
			t.Errorf("sent %+v", all)
		}
	})
}

func TestPresencesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		began := time.Now()
		for n := range 100 {
			if err := c.Presence(&wire.PresenceRequest{Status: "online", Shards: []uint32{0}, Activities: []*wire.Activity{{Name: fmt.Sprint(n)}}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if n := len(f.sent()); n != presenceLimit {
			t.Errorf("%d presences at once", n)
		}
		time.Sleep(2 * presenceWindow)
		all := f.sent()
		if len(all) != presenceLimit+1 || !strings.Contains(fmt.Sprint(all[presenceLimit].d), "name:99") || all[presenceLimit].at.Sub(began) != presenceWindow {
			t.Errorf("sent %+v", all)
		}
	})
}

// A connection that breaks takes the presence along: it is sent again. Sessions
// that have ended get none.
func TestPresencesAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		faults := []error{errors.New("write payload: broken pipe"), nil}
		f.answer(func(context.Context, sentPayload) error {
			if len(faults) == 0 {
				return gateway.ErrStopped
			}
			fault := faults[0]
			faults = faults[1:]
			return fault
		})
		for range 2 {
			if err := c.Presence(&wire.PresenceRequest{Status: "online", Shards: []uint32{0}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if n := len(f.sent()); n != 1 || len(faults) != 0 {
			t.Errorf("%d presences sent, %d faults left", n, len(faults))
		}
	})
}

func TestPresencesThatDiscordWouldCloseFor(t *testing.T) {
	many := make([]*wire.Activity, 20)
	for n := range many {
		many[n] = &wire.Activity{Name: strings.Repeat("x", maxActivityText)}
	}
	for want, r := range map[string]*wire.PresenceRequest{
		`presence status "": take online, dnd, idle, invisible or offline`: {},
		"presence: an activity has no name: give it one":                   {Status: "online", Activities: []*wire.Activity{{}}},
		"presence: activity type 6: take one of 0 to 5":                    {Status: "online", Activities: []*wire.Activity{{Name: "x", Type: 6}}},
		"presence: a custom status has no text: set its state":             {Status: "online", Activities: []*wire.Activity{{Name: "x", Type: 4}}},
		"has more than 128 characters":                                     {Status: "online", Activities: []*wire.Activity{{Name: strings.Repeat("ä", 129)}}},
		"the host takes at most 2048":                                      {Status: "online", Activities: many},
	} {
		if _, err := encodePresence(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	since := time.UnixMilli(1_700_000_000_000)
	raw, err := encodePresence(&wire.PresenceRequest{Status: "idle", Afk: true, IdleSinceMs: since.UnixMilli(), Activities: []*wire.Activity{
		{Name: strings.Repeat("ä", 128), Type: 1, Url: "https://twitch.tv/x"}, {Name: "Custom", Type: 4, State: "here"},
	}})
	want := `{"since":1700000000000,"activities":[{"name":"` + strings.Repeat("ä", 128) + `","type":1,"url":"https://twitch.tv/x"},{"name":"Custom","type":4,"state":"here"}],"status":"idle","afk":true}`
	if err != nil || string(raw) != want {
		t.Errorf("got %s, %v", raw, err)
	}
}
