package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

func message(guild, n int) string {
	return fmt.Sprintf(`{"id":"%d","channel_id":"7","guild_id":"%d","content":"%d"}`, n+1, guild, n)
}

// TestOrderWithinAGuild sends a seeded mixture of guilds and holds that each
// guild's events are handled one at a time and in order, while guilds overlap.
func TestOrderWithinAGuild(t *testing.T) {
	const guilds, events = 20, 4000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var inGuild, next [guilds]atomic.Int32
	var together, most atomic.Int32
	p := sdk.New("order")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(_ context.Context, bot *sdk.Bot, data json.RawMessage) error {
		var m struct {
			Content int `json:"content,string"`
		}
		if err := json.Unmarshal(data, &m); err != nil {
			return err
		}
		guild, err := strconv.Atoi(bot.GuildID())
		if err != nil {
			return err
		}
		guild--
		if inGuild[guild].Add(1) != 1 {
			t.Errorf("two events of guild %d at a time", guild)
		}
		most.Store(max(most.Load(), together.Add(1)))
		if want := next[guild].Add(1) - 1; int(want) != m.Content {
			t.Errorf("guild %d: event %d came when %d was due", guild, m.Content, want)
		}
		runtime.Gosched()
		together.Add(-1)
		inGuild[guild].Add(-1)
		return nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	var sent [guilds]int
	var all []*sdktest.Delivery
	for range events {
		guild := r.IntN(guilds)
		all = append(all, h.Deliver("MESSAGE_CREATE", message(guild+1, sent[guild])))
		sent[guild]++
	}
	for _, d := range all {
		if err := d.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if most.Load() < 2 {
		t.Error("guilds never ran in parallel")
	}
}

// TestSlowGuildHoldsUpNobody blocks one guild and holds that others, direct
// messages and interactions go on.
func TestSlowGuildHoldsUpNobody(t *testing.T) {
	release := make(chan struct{})
	p := sdk.New("slow")
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, m *disgo.MessageCreate) error {
		if m.Content == "0" {
			<-release
		}
		return nil
	})
	p.Command(json.RawMessage(`{"name":"ping","description":"p"}`), func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
		return sdk.Text("pong"), nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	blocked := h.Deliver("MESSAGE_CREATE", message(1, 0))
	behind := h.Deliver("MESSAGE_CREATE", message(1, 1))
	if err := h.Send("MESSAGE_CREATE", message(2, 1)); err != nil {
		t.Error(err)
	}
	if err := h.Send("MESSAGE_CREATE", `{"id":"1","channel_id":"9","content":"dm"}`); err != nil {
		t.Error(err)
	}
	if answer := h.Slash("ping", sdktest.In("1")); answer.Content != "pong" {
		t.Errorf("answered %+v", answer)
	}
	close(release)
	for _, d := range []*sdktest.Delivery{blocked, behind} {
		if err := d.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestHandlersOfOneEvent(t *testing.T) {
	var calls []string
	var first *disgo.MessageCreate
	p := sdk.New("several")
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, m *disgo.MessageCreate) error {
		calls, first = append(calls, "typed"), m
		return errors.New("broken on purpose")
	})
	sdk.OnRaw(p, "MESSAGE_CREATE", func(_ context.Context, bot *sdk.Bot, data json.RawMessage) error {
		calls = append(calls, "raw "+string(data))
		if &data[0] != &bot.Raw[0] {
			t.Error("Raw is another copy")
		}
		return nil
	})
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, m *disgo.MessageCreate) error {
		calls = append(calls, "typed again")
		if m != first {
			t.Error("the event was decoded twice")
		}
		panic("on purpose, too")
	})
	sdk.OnAs(p, "MESSAGE_CREATE", func(_ context.Context, _ *sdk.Bot, m *struct{ Content string }) error {
		calls = append(calls, "own type "+m.Content)
		return nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	data := `{"id":"1", "guild_id":"2","content":"x"}`
	err := h.Send("MESSAGE_CREATE", data)
	want := "typed|raw " + data + "|typed again|own type x"
	if got := strings.Join(calls, "|"); got != want {
		t.Errorf("called %s, want %s", got, want)
	}
	var failure *sdktest.HandlerError
	if !errors.As(err, &failure) || failure.Reason != wire.Failure_ERROR || failure.Message != "broken on purpose" {
		t.Errorf("told %v", err)
	}
}

func TestFactsOfAnEvent(t *testing.T) {
	var got sdk.Facts
	var guild string
	p := sdk.New("facts")
	sdk.OnRaw(p, "GUILD_UPDATE", func(_ context.Context, bot *sdk.Bot, _ json.RawMessage) error {
		got, guild = bot.Facts, bot.GuildID()
		if bot.UserID() != sdktest.BotUserID || bot.ApplicationID() != sdktest.ApplicationID {
			t.Errorf("user %s, application %s", bot.UserID(), bot.ApplicationID())
		}
		return nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	if err := h.Send("GUILD_UPDATE", `{"id":"42"}`, sdktest.Redelivered(), sdktest.Shard(3)); err != nil {
		t.Fatal(err)
	}
	if got.Event != "GUILD_UPDATE" || guild != "42" || got.Shard != 3 || got.Seq == 0 || !got.Redelivered || time.Since(got.Received) > time.Hour {
		t.Errorf("got %+v, guild %s", got, guild)
	}
}

func TestUnreadableEvent(t *testing.T) {
	raw := 0
	p := sdk.New("unreadable")
	sdk.On(p, func(context.Context, *sdk.Bot, *disgo.MessageCreate) error {
		t.Error("the handler was called")
		return nil
	})
	sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error {
		raw++
		return nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	err := h.Send("MESSAGE_CREATE", `{"id":{},"guild_id":"1"}`)
	var failure *sdktest.HandlerError
	if !errors.As(err, &failure) || failure.Reason != wire.Failure_UNREADABLE {
		t.Errorf("told %v", err)
	}
	if raw != 1 {
		t.Errorf("the raw handler ran %d times", raw)
	}
}

// TestDeadline lets one handler obey its context and another ignore it.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		release := make(chan struct{})
		late := make(chan struct{})
		p := sdk.New("deadline")
		sdk.On(p, func(ctx context.Context, _ *sdk.Bot, m *disgo.MessageCreate) error {
			switch m.Content {
			case "0": // obeys
				<-ctx.Done()
				cause = context.Cause(ctx)
				return ctx.Err()
			case "1": // hangs
				<-release
				close(late)
			}
			return nil
		})
		ran := 0
		sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error {
			ran++
			return nil
		})
		h := sdktest.Start(t, p, sdktest.Options{HandlerTimeout: 10 * time.Second})
		start := time.Now()
		var failure *sdktest.HandlerError
		err := h.Send("MESSAGE_CREATE", message(1, 0))
		if !errors.As(err, &failure) || failure.Reason != wire.Failure_ERROR || time.Since(start) != 10*time.Second {
			t.Errorf("obedient handler: told %v after %s", err, time.Since(start))
		}
		if cause == nil || cause.Error() != "the handler's deadline of 10s has passed" {
			t.Errorf("cause: %v", cause)
		}

		start = time.Now()
		hung := h.Deliver("MESSAGE_CREATE", message(1, 1))
		behind := h.Deliver("MESSAGE_CREATE", message(1, 2))
		if err := behind.Wait(); err != nil {
			t.Errorf("the lane did not go on: %v", err)
		}
		// The watch looks once a second.
		if took := time.Since(start); took < 15*time.Second || took > 17*time.Second {
			t.Errorf("given up after %s, want deadline and grace, 15 s", took)
		}
		if err := hung.Wait(); !errors.As(err, &failure) || failure.Reason != wire.Failure_DEADLINE {
			t.Errorf("hung handler: told %v", err)
		}
		before := ran
		close(release)
		<-late
		synctest.Wait()
		if ran != before {
			t.Error("handlers of an abandoned event went on")
		}
		if err := h.Send("MESSAGE_CREATE", message(1, 3)); err != nil {
			t.Errorf("after the late end: %v", err)
		}
	})
}

// TestHungInteraction is given up, too, though it is in no guild's lane.
func TestHungInteraction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := sdk.New("hung")
		p.Command(json.RawMessage(`{"name":"hang","description":"h"}`), func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
			<-release
			return sdk.Text("late"), nil
		})
		h := sdktest.Start(t, p, sdktest.Options{})
		answer := h.Slash("hang")
		var failure *sdktest.HandlerError
		if !errors.As(answer.Err, &failure) || failure.Reason != wire.Failure_DEADLINE || answer.Type != 0 {
			t.Errorf("got %+v", answer)
		}
		close(release)
		synctest.Wait()
		if n := len(h.Requests()); n != 0 {
			t.Errorf("%d requests: a late answer was sent", n)
		}
	})
}

// TestGoexit holds that a handler which ends its goroutine, as FailNow of
// package testing does, costs its event and not its guild.
func TestGoexit(t *testing.T) {
	p := sdk.New("goexit")
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, m *disgo.MessageCreate) error {
		if m.Content == "0" {
			runtime.Goexit()
		}
		return nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	first, second := h.Deliver("MESSAGE_CREATE", message(1, 0)), h.Deliver("MESSAGE_CREATE", message(1, 1))
	if err := first.Wait(); err == nil {
		t.Error("no failure was told")
	}
	if err := second.Wait(); err != nil {
		t.Error(err)
	}
}

// TestManyGoroutinesAtOnce sends from many goroutines, for the race detector.
func TestManyGoroutinesAtOnce(t *testing.T) {
	var handled atomic.Int32
	p := sdk.New("many")
	sdk.On(p, func(_ context.Context, bot *sdk.Bot, m *disgo.MessageCreate) error {
		handled.Add(1)
		_, err := (&disgo.CreateMessage{ChannelID: m.ChannelID, Content: &m.Content}).Send(bot.Client)
		return err
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	var all sync.WaitGroup
	for guild := range 8 {
		all.Go(func() {
			for n := range 50 {
				if err := h.Send("MESSAGE_CREATE", message(guild+1, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if handled.Load() != 400 || len(h.Requests()) != 400 {
		t.Errorf("%d handled, %d requests, want 400", handled.Load(), len(h.Requests()))
	}
}
