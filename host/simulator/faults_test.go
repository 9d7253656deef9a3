package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zlib"
)

// Drop ends with FIN, Reset with RST, and neither with a close frame.
func TestDropAndReset(t *testing.T) {
	s := start(t, oneGuild())
	c := connect(t, s, 0)
	if n := s.Drop(0); n != 1 {
		t.Errorf("%d connections dropped, want 1", n)
	}
	if _, err := c.read(); !websocket.IsCloseError(err, websocket.CloseAbnormalClosure) {
		t.Errorf("drop is seen as %v, want an end without a close frame", err)
	}
	eventually(t, "the connection is gone", func() bool { return !s.Sessions()[0].Connected })
	if n := s.Drop(0); n != 0 {
		t.Errorf("%d connections dropped when there is none", n)
	}
	c = c.again(s, "")
	c.until("RESUMED")
	s.Reset(0)
	if _, err := c.read(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset is seen as %v, want a reset", err)
	}
	wantBreaches(t, s, nil)
}

// A client that stays after op 7 goes on getting events.
func TestReconnectIsPolite(t *testing.T) {
	s := start(t, oneGuild())
	c := connect(t, s, intentMessages|intentContent)
	s.Reconnect(0)
	c.until("op 7")
	say(s, 0, 5)
	c.hear(0, 5)
	wantBreaches(t, s, nil)
}

// The gateway's addresses as captures of Discord show them: with their query.
func TestQueryURLs(t *testing.T) {
	s := start(t, Config{QueryURLs: true, World: World{Guilds: 1}})
	c := connect(t, s, 0)
	if !strings.HasSuffix(c.resume, "?v=10&encoding=json") || !strings.HasSuffix(s.GatewayURL(), "?v=10&encoding=json") {
		t.Errorf("resume at %s, identify at %s", c.resume, s.GatewayURL())
	}
	s.Drop(0)
	c.again(s, "zstd-stream").until("RESUMED")
	wantBreaches(t, s, nil)
}

// "compress": true in IDENTIFY asks for payloads that are compressed one by one.
func TestPerPayloadCompression(t *testing.T) {
	s := start(t, oneGuild())
	c := dial(t, s.GatewayURL(), "")
	c.until("op 10")
	c.decode = func(m []byte) []byte {
		r, err := zlib.NewReader(bytes.NewReader(m))
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	c.send(fmt.Sprintf(`{"op":2,"d":{"token":%q,"intents":%d,"compress":true,%s}}`, s.Token(), intentMessages|intentContent, properties))
	c.until("READY")
	say(s, 0, 3)
	c.hear(0, 3)
	wantBreaches(t, s, nil)
}

// A guild with an outage comes when the outage ends, not before.
func TestOutageAtStart(t *testing.T) {
	s := start(t, oneGuild())
	g := s.Guilds()[0]
	s.Outage(g.ID)
	c := connect(t, s, intentGuilds)
	eventually(t, "the guild is passed over", func() bool { return s.Sessions()[0].Awaiting == 0 })
	s.Dispatch(0, "USER_UPDATE", json.RawMessage(`{"id":"1"}`))
	if p, err := c.read(); err != nil || p.name() != "USER_UPDATE" {
		t.Errorf("%s comes during the outage: %v", p.name(), err)
	}
	s.Restore(g.ID)
	if p, err := c.read(); err != nil || p.name() != "GUILD_CREATE" {
		t.Errorf("%s comes after the outage: %v", p.name(), err)
	}
	id := s.Invite()
	if p := c.until("GUILD_CREATE"); guildOf("GUILD_CREATE", p.D) != id || s.Counts().Events["GUILD_CREATE"] != 2 {
		t.Errorf("invited to %d, got %.60s", id, p.D)
	}
	wantBreaches(t, s, nil)
}

// Run keeps its rate, makes up for what is late and ends with its context.
func TestRun(t *testing.T) {
	s := start(t, Config{World: World{Guilds: -1}})
	if n := len(s.Guilds()); n != 0 {
		t.Errorf("%d guilds, want none", n)
	}
	calls := 0
	began := time.Now()
	if err := s.Run(t.Context(), Rate{PerSecond: 1000, Count: 50}, func(int) bool { calls++; return true }); err != nil || calls != 50 {
		t.Errorf("%d calls: %v", calls, err)
	}
	if took := time.Since(began); took < 49*time.Millisecond {
		t.Errorf("50 calls at 1000 a second took %v", took)
	}
	if err := s.Run(t.Context(), Rate{}, func(i int) bool { return i < 9 }); err != nil {
		t.Error(err)
	}
}
