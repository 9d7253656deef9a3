package gateway

import (
	"fmt"
	"testing"
	"time"
)

// TestReadyAfterTheSwitch: a session that begins anew after it has taken over
// introduces its guilds, also one that the old set introduced shortly before.
func TestReadyAfterTheSwitch(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	event := func(after time.Duration, name, data string) *Event {
		e := &Event{Name: name, Received: at.Add(after), Data: []byte(data)}
		if name == nameGuildCreate {
			e.Guild, e.ID = 7, 7
		}
		return e
	}
	const ready, create = `{"guilds":[{"id":"7","unavailable":true}]}`, `{"id":"7"}`
	h := NewHandover(1, 0, 10*time.Second)
	took := func(deliver bool, err error) string { return fmt.Sprint(deliver, err) }
	_, _ = h.New(event(0, nameReady, ready))
	if !h.Expects(7) || h.Expects(8) {
		t.Error("READY named guild 7 and no other")
	}
	_, _ = h.New(event(time.Second, nameGuildCreate, create))
	if h.Expects(7) {
		t.Error("guild 7 was introduced")
	}
	_, _ = h.Old(event(9*time.Second, nameReady, ready))
	if got := took(h.Old(event(9*time.Second, nameGuildCreate, create))); got != "true <nil>" {
		t.Errorf("the old set's GUILD_CREATE: %s", got)
	}
	h.Switch(func(string) bool { return true })
	again := event(13*time.Second, nameReady, ready)
	again.Took = time.Second
	if got := took(h.New(again)); got != "true <nil>" {
		t.Errorf("READY: %s", got)
	}
	if got := took(h.New(event(14*time.Second, nameGuildCreate, create))); got != "true <nil>" {
		t.Errorf("GUILD_CREATE after that READY: %s", got)
	}
}
