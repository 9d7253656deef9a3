package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// run starts a set on a fake gateway; the returned function stops it and gives what Run said.
func run(t *testing.T, f *fake, cfg Config) (*Set, func() error) {
	t.Helper()
	cfg.Token, cfg.URL, cfg.Compress, cfg.dial = "token", "ws://gateway.test", f.compress, f.dial
	if cfg.random == nil {
		cfg.random = func() float64 { return 0.5 }
	}
	set, err := NewSet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	return set, func() error {
		cancel()
		return <-ended
	}
}

// must sends a payload of the fake's vocabulary.
func (c *fakeConn) must(t *testing.T, f *fake, word, arg string) {
	t.Helper()
	if err := c.write(t, f.compress, payload(word, arg)); err != nil {
		t.Fatalf("send %s: %v", word, err)
	}
}

func (c *fakeConn) expect(t *testing.T, want string) {
	t.Helper()
	if got := <-c.got; got != want {
		t.Fatalf("the client sent %q, want %q", got, want)
	}
}

// TestStopAnywhere ends the set at every point of a session's life: Run returns nil, and the
// bubble finds whatever goroutine or timer is left.
func TestStopAnywhere(t *testing.T) {
	steps := []func(t *testing.T, f *fake, c *fakeConn){
		func(t *testing.T, f *fake, c *fakeConn) { c.must(t, f, "HELLO", "40000") },
		func(t *testing.T, _ *fake, c *fakeConn) { c.expect(t, "IDENTIFY token, shard 0 of 1, intents 0") },
		func(t *testing.T, f *fake, c *fakeConn) { c.must(t, f, "READY", "session-1") },
		func(t *testing.T, f *fake, c *fakeConn) { c.must(t, f, "EVENT", "2") }, // finds no room
		func(t *testing.T, f *fake, c *fakeConn) { c.must(t, f, "EVENT", "3") }, // is not read
		func(_ *testing.T, _ *fake, c *fakeConn) { c.abort() },
		func(*testing.T, *fake, *fakeConn) { time.Sleep(30 * time.Second) }, // noticed, resuming
	}
	for n := range len(steps) + 1 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, CompressZstd)
				_, stop := run(t, f, Config{Events: make(chan Event, 1)})
				c := <-f.conns
				for _, step := range steps[:n] {
					step(t, f, c)
					synctest.Wait()
				}
				if err := stop(); err != nil {
					t.Errorf("run ended with %v", err)
				}
			})
		})
	}
}

// TestStopWhileDialing: a dial that never ends, and a handshake that is never answered.
func TestStopWhileDialing(t *testing.T) {
	dials := map[string]func(ctx context.Context, network, addr string) (net.Conn, error){
		"dial": func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"handshake": func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }() // ends with ours
			return ours, nil
		},
	}
	for name, dial := range dials {
		for _, patience := range []time.Duration{time.Second, 10 * time.Minute} {
			t.Run(fmt.Sprint(name, patience), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					set, err := NewSet(Config{Token: "token", URL: "ws://gateway.test", Events: make(chan Event, 1), dial: dial})
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					if err := set.Run(ctx); err != nil {
						t.Errorf("run ended with %v", err)
					}
				})
			})
		}
	}
}

// TestBurst: more events at once than lie between link and session, to a queue with room and to
// one without: all arrive, in order.
func TestBurst(t *testing.T) {
	for _, room := range []int{1, 10, 10_000} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 20 * frameQueue
				f := newFake(t, CompressZstd)
				events := make(chan Event, room)
				for range room {
					events <- Event{} // so that frames pile up before the session
				}
				_, stop := run(t, f, Config{Events: events})
				c := <-f.conns
				c.must(t, f, "HELLO", "40000")
				c.must(t, f, "READY", "session-1")
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for seq := 2; seq <= n; seq++ {
						c.must(t, f, "EVENT", fmt.Sprint(seq))
					}
				}()
				synctest.Wait() // as much has come as goes in
				for range room {
					<-events
				}
				for seq := uint64(1); seq <= n; seq++ {
					if e := <-events; e.Seq != seq {
						t.Fatalf("%s has number %d, want %d", e.Name, e.Seq, seq)
					}
				}
				<-sent
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestOneRefusalEndsAll: a fatal close code of one shard closes the others so that they can be resumed.
func TestOneRefusalEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, CompressZlib)
		set, stop := run(t, f, Config{Shards: []int{0, 1}, Count: 2, MaxConcurrency: 2, Events: make(chan Event, 9)})
		a, b := <-f.conns, <-f.conns
		a.must(t, f, "HELLO", "40000")
		b.must(t, f, "HELLO", "40000")
		<-a.got
		<-b.got
		a.must(t, f, "READY", "session-a")
		b.close(4011)
		a.expect(t, "CLOSE 4000")
		err := stop()
		var refusal *CloseError
		if !errors.As(err, &refusal) || refusal.Code != 4011 || !strings.Contains(err.Error(), "--shards") {
			t.Errorf("run ended with %v", err)
		}
		for _, s := range set.Status() {
			if s.State != StateStopped {
				t.Errorf("shard %d is %s", s.Shard, s.State)
			}
		}
	})
}

// TestSend: requests wait for READY, are refused when too large or not theirs to send, and are
// held back at Discord's limit while heartbeats go on.
func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, CompressNone)
		set, stop := run(t, f, Config{Events: make(chan Event, 9)})
		ctx := t.Context()
		if err := set.Send(ctx, 0, opIdentify, nil); err == nil {
			t.Error("IDENTIFY was accepted")
		}
		if err := set.Send(ctx, 0, 3, json.RawMessage(`"`+strings.Repeat("x", maxSend)+`"`)); err == nil || !strings.Contains(err.Error(), "4096") {
			t.Errorf("a payload too large: %v", err)
		}
		if err := set.Send(ctx, 5, 3, nil); !errors.Is(err, ErrStopped) {
			t.Errorf("another's shard: %v", err)
		}
		c := <-f.conns
		c.must(t, f, "HELLO", "20000")
		c.expect(t, "IDENTIFY token, shard 0 of 1, intents 0")
		early, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := set.Send(early, 0, 3, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before READY: %v", err)
		}
		c.must(t, f, "READY", "session-1")

		const n = 300
		sent := make(chan error, 1)
		go func() {
			for range n {
				if err := set.Send(ctx, 0, 3, json.RawMessage(`{"x":1}`)); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		times := []time.Time{time.Now().Add(-time.Second)} // IDENTIFY
		beats := 0
		for len(times) < n+1+beats {
			switch got := <-c.got; {
			case got == `OP 3 {"x":1}`:
			case strings.HasPrefix(got, "HEARTBEAT"):
				beats++
				c.must(t, f, "ACK", "")
			default:
				t.Fatalf("the client sent %q", got)
			}
			times = append(times, time.Now())
		}
		for i := sendLimit; i < len(times); i++ {
			if gap := times[i].Sub(times[i-sendLimit]); gap < sendWindow {
				t.Fatalf("payloads %d and %d lie %s apart", i-sendLimit, i, gap)
			}
		}
		if err := <-sent; err != nil || beats < 6 {
			t.Errorf("sent with %v, %d heartbeats", err, beats)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if err := set.Send(ctx, 0, 3, nil); !errors.Is(err, ErrStopped) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestCloseCodes is Discord's table, row by row.
func TestCloseCodes(t *testing.T) {
	want := map[int]consequence{
		1000: resume, 1001: resume, 1006: resume, 4000: resume, 4001: resume, 4002: resume, 4003: renew, 4004: fatal, 4005: resume,
		4007: renew, 4008: resume, 4009: renew, 4010: fatal, 4011: fatal, 4012: fatal, 4013: fatal, 4014: fatal, 4999: resume,
	}
	for code, then := range want {
		got, refusal := judge(3, 1<<1|1<<8, &websocket.CloseError{Code: code})
		if got != then {
			t.Errorf("%d: consequence %d, want %d", code, got, then)
		}
		if (refusal != nil) != (then == fatal) {
			t.Errorf("%d: refusal %v", code, refusal)
		}
		if refusal != nil && (refusal.Reason == "" || refusal.Remedy == "" || refusal.Shard != 3 || refusal.Code != code) {
			t.Errorf("%d: says %+v", code, refusal)
		}
	}
	if _, refusal := judge(0, 1<<1|1<<8, &websocket.CloseError{Code: 4014}); !strings.Contains(refusal.Error(), "Server Members Intent and Presence Intent") {
		t.Errorf("4014 says %s", refusal)
	}
}

// TestPresenceGoesWithIdentify: Discord forgets it with the session.
func TestPresenceGoesWithIdentify(t *testing.T) {
	for want, presence := range map[string]json.RawMessage{
		"presence null": nil, `presence {"status":"idle"}`: json.RawMessage(`{"status":"idle"}`),
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, CompressZstd)
			f.raw = true
			_, stop := run(t, f, Config{Shards: []int{1}, Count: 2, Events: make(chan Event, 1), Presence: func(shard int) json.RawMessage {
				if shard != 1 {
					t.Errorf("asked for shard %d", shard)
				}
				return presence
			}})
			c := <-f.conns
			c.must(t, f, "HELLO", "40000")
			var p struct {
				D map[string]json.RawMessage
			}
			if err := json.Unmarshal([]byte(<-c.got), &p); err != nil {
				t.Fatal(err)
			}
			got, there := p.D["presence"]
			if there != (presence != nil) || there && "presence "+string(got) != want {
				t.Errorf("identified with %s, want %s", got, want)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
