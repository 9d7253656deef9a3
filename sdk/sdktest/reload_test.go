package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// tally counts messages in *n, which is its state.
func tally(n *int) *sdk.Plugin {
	p := sdk.New("tally")
	p.State(n)
	sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error {
		*n++
		_, err := bot.Guild(ctx, "3")
		return err
	})
	return p
}

func TestReload(t *testing.T) {
	var first, second int
	before := sdktest.Start(t, tally(&first), sdktest.Options{})
	before.Handle("GET", "/guilds/{id}", sdktest.JSON(200, map[string]any{"id": "3"}))
	for range 3 {
		if err := before.Send("MESSAGE_CREATE", hello); err != nil {
			t.Fatal(err)
		}
	}
	after := before.Reload(tally(&second))
	if second != 3 {
		t.Errorf("the new plugin begins with %d, want 3", second)
	}
	if err := after.Send("MESSAGE_CREATE", hello); err != nil || first != 3 || second != 4 {
		t.Errorf("the old one has %d, the new one %d: %v", first, second, err)
	}
	if n := len(after.Requests()); n != 1 {
		t.Errorf("%d requests of the new one, want 1", n)
	}
	if err := before.Send("MESSAGE_CREATE", hello); err == nil {
		t.Error("the old one still takes events")
	}
}

// TestReloadGoesInOrder: the old plugin is stopped before the new one starts,
// so that ports and files are free.
func TestReloadGoesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		var old *sdk.Bot
		made := func(name string) *sdk.Plugin {
			p := sdk.New("order")
			p.SaveRestore(1, func() ([]byte, error) { order = append(order, name+" saves"); return nil, nil },
				func(uint32, []byte) error { order = append(order, name+" restores"); return nil })
			p.OnStart(func(ctx context.Context, bot *sdk.Bot) error {
				order = append(order, name+" starts")
				if old != nil {
					_, err := old.Guild(ctx, "1")
					if _, answered := sdk.AsAPIError(err); answered || err == nil {
						t.Errorf("the old plugin still reaches its host: %v", err)
					}
				}
				old = bot
				return nil
			})
			sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, _ *sdk.Bot, _ json.RawMessage) error {
				time.Sleep(time.Second)
				order = append(order, name+" handles")
				return nil
			})
			return p
		}
		h := sdktest.Start(t, made("old"), sdktest.Options{})
		d := h.Deliver("MESSAGE_CREATE", hello)
		synctest.Wait()
		h = h.Reload(made("new"))
		if err := errors.Join(d.Wait(), h.Send("MESSAGE_CREATE", hello)); err != nil {
			t.Error(err)
		}
		want := []string{"old starts", "old handles", "old saves", "new restores", "new starts", "new handles"}
		for n := range max(len(want), len(order)) {
			if n >= len(order) || n >= len(want) || order[n] != want[n] {
				t.Fatalf("went %q, want %q", order, want)
			}
		}
	})
}

// TestReloadWithoutState restarts; so does one where only one side keeps it.
func TestReloadWithoutState(t *testing.T) {
	n := 0
	h := sdktest.Start(t, echo(), sdktest.Options{}).Reload(echo()).Reload(tally(&n)).Reload(echo())
	if err := h.Send("MESSAGE_CREATE", hello); err != nil || n != 0 {
		t.Errorf("%d: %v", n, err)
	}
}

func TestReloadsThatFail(t *testing.T) {
	unsaved := func() *sdk.Plugin {
		p := sdk.New("unsaved")
		p.SaveRestore(1, func() ([]byte, error) { return nil, errors.New("disk is full") }, func(uint32, []byte) error { return nil })
		return p
	}
	tests := []struct {
		name string
		body func(testing.TB)
		want string
	}{
		{"not saved", func(t testing.TB) {
			sdktest.Start(t, unsaved(), sdktest.Options{}).Reload(unsaved())
		}, "save the plugin's state: disk is full"},
		{"refused", func(t testing.TB) {
			p := sdk.New("other")
			p.State(new([]string))
			sdktest.Start(t, tally(new(int)), sdktest.Options{}).Reload(p)
		}, "the plugin refused the state: json: cannot unmarshal number into Go value of type []string: keep a type that reads what is saved, or read it with SaveRestore (State's schema is 1)"},
		{"no state to restore into", func(t testing.TB) {
			sdktest.Start(t, echo(), sdktest.Options{State: &sdktest.State{Schema: 1}})
		}, "the plugin refused the state: the plugin keeps no state: register it with State or SaveRestore"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := failing(t, test.body); got != test.want {
				t.Errorf("said %q, want %q", got, test.want)
			}
		})
	}
}
