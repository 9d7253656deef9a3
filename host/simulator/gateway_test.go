package simulator

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestStartToMessage(t *testing.T) {
	for _, compress := range []string{"", "zlib-stream", "zstd-stream"} {
		t.Run("compress="+compress, func(t *testing.T) {
			s := start(t, Config{Seed: 1, World: World{Guilds: 3, GuildBytes: func(i int) int { return []int{4000, 60_000, 2_000_000}[i] }}})
			c := dial(t, s.GatewayURL(), compress)
			ready := c.identify(s, 0, 1, allIntents&^intentPresences)
			var d struct {
				V      int
				Guilds []struct {
					ID          string
					Unavailable bool
				}
				Shard       []int
				Application struct{ ID string }
			}
			if err := json.Unmarshal(ready.D, &d); err != nil {
				t.Fatal(err)
			}
			if d.V != 10 || len(d.Guilds) != 3 || !d.Guilds[0].Unavailable || fmt.Sprint(d.Shard) != "[0 1]" || d.Application.ID != fmt.Sprint(s.Bot()) {
				t.Fatalf("READY: %+v", d)
			}
			for i, want := range []int{4000, 60_000, 2_000_000} {
				p := c.until("GUILD_CREATE")
				if n := len(p.D); n < want*9/10 || n > want*11/10 {
					t.Errorf("guild %d has %d bytes, want about %d", i, n, want)
				}
			}
			g := s.Guilds()[1]
			for i := range 100 {
				text := fmt.Sprintf("message %d with \"quotes\", ünïcode and \x01 control", i)
				s.Say(g.ID, g.Channels[0], g.Members[0], text)
				if p := c.until("MESSAGE_CREATE"); contentOf(p) != text {
					t.Fatalf("content %q, want %q", contentOf(p), text)
				}
			}
			wantBreaches(t, s, nil)
		})
	}
}
