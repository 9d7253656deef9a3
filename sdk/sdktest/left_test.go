package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// TestEventsLeaveNoGoroutines: a plugin that has handled many events of many
// guilds, and read these guilds, some of them in vain, runs what it ran before.
func TestEventsLeaveNoGoroutines(t *testing.T) {
	p := sdk.New("reader")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error {
		_, err := bot.Guild(ctx, bot.GuildID())
		return err
	})
	sdk.OnRaw(p, "GUILD_MEMBER_REMOVE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error {
		_, err := bot.Guild(ctx, bot.GuildID())
		if missing, ok := errors.AsType[*sdk.GuildError](err); ok && missing.Reason == sdk.GuildRefused {
			return nil
		}
		return err
	}, sdk.WithGuild())
	h := sdktest.Start(t, p, sdktest.Options{Log: hclog.NewNullLogger()})
	const guilds = 50
	for n := range guilds {
		if n%5 == 0 {
			h.MissGuild(fmt.Sprint(100+n), sdk.GuildRefused)
		}
	}
	deliver := func(events int) (missing int) {
		deliveries := make([]*sdktest.Delivery, events)
		for n := range deliveries {
			name := []string{"MESSAGE_CREATE", "GUILD_MEMBER_REMOVE"}[n/guilds%2]
			deliveries[n] = h.Deliver(name, fmt.Sprintf(`{"id":"%d","channel_id":"2","guild_id":"%d"}`, n+1, 100+n%guilds))
		}
		for _, d := range deliveries {
			if err := d.Wait(); err != nil {
				if !strings.Contains(err.Error(), "is not in the cache") {
					t.Error(err)
				}
				missing++
			}
		}
		return missing
	}
	if missing := deliver(4 * guilds); missing != 2*guilds/5 {
		t.Errorf("%d messages without their guild", missing)
	}
	before := runtime.NumGoroutine()
	deliver(40 * guilds)
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d now:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
