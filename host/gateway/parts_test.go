package gateway

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestNewSetTellsEveryFault(t *testing.T) {
	_, err := NewSet(Config{Token: "Bot x", URL: "https://gateway.discord.gg", Shards: []int{1, 1, 7}, Count: 2, Compress: "gzip", MaxConcurrency: -1})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"without \"Bot \"", "wss://", "shard 1 is named twice", "shard 7", "zstd-stream", "max concurrency -1", "channel"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in:\n%v", part, err)
		}
	}
}

func TestDialURL(t *testing.T) {
	tests := []struct{ address, compress, want string }{
		{"wss://gateway.discord.gg", CompressZstd, "wss://gateway.discord.gg/?compress=zstd-stream&encoding=json&v=10"},
		{"wss://gateway.discord.gg/", CompressNone, "wss://gateway.discord.gg/?encoding=json&v=10"},
		{"ws://127.0.0.1:8080/gw?who=1&v=9", CompressZlib, "ws://127.0.0.1:8080/gw?compress=zlib-stream&encoding=json&v=10&who=1"},
		{"wss://h/?compress=zlib-stream", CompressNone, "wss://h/?encoding=json&v=10"},
	}
	for _, test := range tests {
		if got, err := dialURL(test.address, test.compress); err != nil || got != test.want {
			t.Errorf("%s: %s, %v, want %s", test.address, got, err, test.want)
		}
	}
	for _, bad := range []string{"", "gateway.discord.gg", "https://gateway.discord.gg", "wss://", "wss://a b/", "\x00"} {
		if got, err := dialURL(bad, CompressZstd); err == nil {
			t.Errorf("%q became %s", bad, got)
		}
	}
}

// TestResumeURL: an address that cannot be used, or would show the token, is not.
func TestResumeURL(t *testing.T) {
	for _, test := range []struct{ ready, first, want string }{
		{"wss://resume", "wss://first", "wss://resume"},
		{"ws://resume", "ws://first", "ws://resume"},
		{"wss://resume", "ws://first", "wss://resume"},
		{"ws://resume", "wss://first", "wss://first"},
		{"", "wss://first", "wss://first"},
		{"https://resume", "wss://first", "wss://first"},
	} {
		if got := resumeURL(test.ready, test.first); got != test.want {
			t.Errorf("%q after %q: %q, want %q", test.ready, test.first, got, test.want)
		}
	}
}

func TestProgress(t *testing.T) {
	tests := []struct {
		name string
		do   func(p *progress)
		want uint64
	}{
		{"nothing", func(*progress) {}, 0},
		{"grows", func(p *progress) { p.note(1); p.note(5); p.note(5) }, 5},
		{"first session", func(p *progress) { p.renew(0); p.note(2) }, 2},
		{"old one handled to its end", func(p *progress) { p.note(5); p.renew(5) }, 0},
		{"then the new one counts", func(p *progress) { p.note(5); p.renew(5); p.note(3) }, 3},
		{"old one still being handled", func(p *progress) { p.note(2); p.renew(5); p.note(3); p.note(4) }, 0},
		{"its end does not count either", func(p *progress) { p.note(2); p.renew(5); p.note(5) }, 0},
		{"the new one after its end", func(p *progress) { p.note(2); p.renew(5); p.note(5); p.note(7) }, 7},
		{"a smaller number is the new one's", func(p *progress) { p.note(4); p.renew(9); p.note(1) }, 1},
		{"a larger number is the new one's", func(p *progress) { p.note(4); p.renew(9); p.note(12) }, 12},
		{"two old ones", func(p *progress) {
			p.note(2)
			p.renew(9)
			p.renew(3)
			p.note(9)
			p.note(3)
			p.note(6)
		}, 6},
		{"two old ones, at the second", func(p *progress) { p.note(2); p.renew(9); p.renew(3); p.note(9); p.note(2) }, 0},
		{"never handled", func(p *progress) { p.renew(9); p.renew(0) }, 0},
	}
	for _, test := range tests {
		var p progress
		test.do(&p)
		if got := p.current(); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// TestProgressNeverTooMuch: whatever the batches of the router, what is reported of a session was handled.
func TestProgressNeverTooMuch(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		var p progress
		// Sessions of 1 to 8 events each; events arrive and are handled in order, in batches.
		var arrived []uint64 // numbers, flattened
		var of []int         // session of each
		handled, session, seq := 0, 0, uint64(0)
		p.renew(0)
		for range 40 {
			switch r.IntN(8) {
			case 0:
				if seq > 0 {
					p.renew(seq)
					session, seq = session+1, 0
				}
			case 1, 2, 3:
				if rest := len(arrived) - handled; rest > 0 {
					handled += 1 + r.IntN(rest)
					p.note(arrived[handled-1])
				}
			default:
				seq++
				arrived, of = append(arrived, seq), append(of, session)
			}
			true0 := uint64(0)
			for i := range handled {
				if of[i] == session {
					true0 = arrived[i]
				}
			}
			if got := p.current(); got > true0 {
				t.Fatalf("reports %d, handled is %d", got, true0)
			}
		}
	}
}

func TestSendTimes(t *testing.T) {
	var s sendTimes
	start := time.Unix(0, 0)
	const reserve = 5
	now := start
	for i := range 1000 {
		now = now.Add(s.wait(now, reserve))
		s.note(now)
		if i == sendLimit-reserve-1 && now != start {
			t.Fatal("waited although there was room")
		}
	}
	// 115 at once, then 115 in each 61 s.
	if want := start.Add(time.Duration((1000-1)/(sendLimit-reserve)) * (sendWindow + sendMargin)); now != want {
		t.Errorf("the last went at %s, want %s", now.Sub(start), want.Sub(start))
	}
	for _, test := range []struct {
		interval time.Duration
		want     int
	}{{41250 * time.Millisecond, 6}, {20 * time.Second, 8}, {time.Millisecond, sendLimit / 2}} {
		if got := reserved(test.interval); got != test.want {
			t.Errorf("%s: %d places for heartbeats, want %d", test.interval, got, test.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	for n, bound := range []time.Duration{0, 2, 4, 8, 16, 32, 60, 60, 60} {
		bound *= time.Second
		if got := backoff(n, 0); n > 0 && got != time.Second {
			t.Errorf("%d failures: at least %s, want 1s", n, got)
		}
		if got := backoff(n, 1); got != bound {
			t.Errorf("%d failures: at most %s, want %s", n, got, bound)
		}
	}
	if got := backoff(1000, 1); got != time.Minute {
		t.Errorf("1000 failures: %s", got)
	}
}

func TestNamesAreInterned(t *testing.T) {
	known := newNames()
	if len(known) != len(knownNames()) {
		t.Error("a name is listed twice")
	}
	if got := known.intern([]byte("NEWER_THAN_US")); got != "NEWER_THAN_US" {
		t.Errorf("a new name became %q", got)
	}
	for _, name := range knownNames() {
		b := []byte(name)
		if n := testing.AllocsPerRun(10, func() { _ = known.intern(b) }); n != 0 {
			t.Fatalf("%s: %v allocations", name, n)
		}
	}
}
