package host

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// TestCallsFollowTheSessions: what was on its way when other sessions took over goes
// to them, and they get the presence that was set while they came up.
func TestCallsFollowTheSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, old := bubbleCalls(t)
		// The new sessions identify with what is set until then, and then it changes.
		if err := c.Presence(&wire.PresenceRequest{Status: "idle"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for shard := range 2 {
			c.presences.identify(shard)
		}
		if err := c.Presence(&wire.PresenceRequest{Status: "dnd"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		closed := make(chan struct{})
		old.answer(func(context.Context, sentPayload) error {
			<-closed
			return fmt.Errorf("shard 1: %w", gateway.ErrStopped)
		})
		voice, members := make(chan error, 1), make(chan error, 1)
		go func() {
			voice <- c.VoiceState(t.Context(), &wire.VoiceStateRequest{Guild: 1<<22 | 1, Channel: 9})
		}()
		go func() {
			_, err := c.Members(t.Context(), &wire.MembersRequest{Guild: 1<<22 | 1, Users: []uint64{5}})
			members <- err
		}()
		if err := c.Presence(&wire.PresenceRequest{Status: "online", Shards: []uint32{0}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		next := new(fakeSessions)
		c.begin(next, 2, 1<<26-1)
		close(closed)
		synctest.Wait()
		if err := <-voice; err != nil {
			t.Error(err)
		}
		status := map[int]any{}
		nonce := ""
		for _, p := range next.sent() {
			switch p.op {
			case opPresence:
				status[p.shard] = p.d["status"]
			case opRequestMembers:
				nonce = fmt.Sprint(p.d["nonce"])
			}
		}
		if got := fmt.Sprint(status); got != "map[0:online 1:dnd]" {
			t.Errorf("presences of the new sessions: %s", got)
		}
		eventf(c, 1, "GUILD_MEMBERS_CHUNK", 1<<22|1, `{"nonce":%q,"chunk_index":0,"chunk_count":1}`, nonce)
		if err := <-members; err != nil {
			t.Error(err)
		}
	})
}
