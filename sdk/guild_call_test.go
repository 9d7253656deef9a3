package sdk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// reading is a read on a goroutine of its own.
type reading struct {
	guild *Guild
	err   error
	done  chan struct{}
}

func startReading(ctx context.Context, b *Bot, id string) *reading {
	r := &reading{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.guild, r.err = b.Guild(ctx, id)
	}()
	return r
}

// TestReadsShareOneCall begins 100 reads in one handler, and ends one of them
// early.
func TestReadsShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &guildHost{guild: func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
			time.Sleep(time.Second)
			return guildAt(1, 5), nil
		}}
		l := lineTo(t, h)
		b := botOf(l, "E", 1, 0)
		impatient, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("enough"))
		defer cancel()
		first := startReading(impatient, b, "1") // it began the call
		synctest.Wait()
		var all []*reading
		for range 99 {
			all = append(all, startReading(t.Context(), b, "1"))
		}
		other := startReading(t.Context(), botOf(l, "OTHER", 1, 0), "1")
		for _, r := range append(all, other) {
			<-r.done
			if r.err != nil || r.guild != all[0].guild {
				t.Fatalf("got %v, %v", r.guild, r.err)
			}
		}
		<-first.done
		if first.err == nil || first.err.Error() != "read guild 1: enough" {
			t.Errorf("the impatient one got %v", first.err)
		}
		if calls := h.calls(); calls != "1 v0 E, 1 v0 OTHER" {
			t.Errorf("asked %q", calls)
		}
	})
}

// TestCallEndsWithItsLastReader holds that nobody joins a call that was given up.
func TestCallEndsWithItsLastReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int32
		h := &guildHost{guild: func(ctx context.Context, _ *wire.GuildRequest) (*wire.GuildResponse, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // the news travels
			ended.Add(1)
			return nil, status.FromContextError(ctx.Err()).Err()
		}}
		l := lineTo(t, h)
		b := botOf(l, "E", 1, 0)
		ctx, cancel := context.WithCancel(t.Context())
		one, two := startReading(ctx, b, "1"), startReading(t.Context(), b, "1")
		synctest.Wait()
		cancel()
		<-one.done
		synctest.Wait()
		if ended.Load() != 0 || h.calls() != "1 v0 E" {
			t.Fatal("the call ended, though one still waits")
		}
		l.events.revoke(b.ticket)
		stopping := make(chan struct{})
		ctx, cancel = context.WithCancel(t.Context())
		late := startReading(ctx, botOf(l, "E", 1, 0), "1") // joins
		synctest.Wait()
		cancel()
		<-late.done
		if _, err := b.Guild(t.Context(), "1"); err == nil || !strings.Contains(err.Error(), "is over: use bot.Detach()") {
			t.Errorf("after its handler: %v", err)
		}
		go func() { l.close(); close(stopping) }()
		synctest.Wait()
		select {
		case <-stopping:
			t.Error("closed before the call had ended")
		default:
		}
		l.guilds.mu.Lock()
		for _, c := range l.guilds.calls {
			c.cancel() // as the connection's end does
		}
		l.guilds.mu.Unlock()
		<-stopping
		<-two.done
		if two.err == nil || ended.Load() != 1 {
			t.Errorf("%v after %d calls", two.err, ended.Load())
		}
		if _, err := l.detachedBot(nil).Guild(t.Context(), "1"); err == nil || err.Error() != "read guild 1: the plugin stops" {
			t.Errorf("after the end: %v", err)
		}
		if !errors.Is(one.err, context.Canceled) || !errors.Is(late.err, context.Canceled) {
			t.Errorf("%v, %v", one.err, late.err)
		}
	})
}

// TestNewReaderAfterAnAbandonedCall begins a call of its own.
func TestNewReaderAfterAnAbandonedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		h := &guildHost{guild: func(ctx context.Context, _ *wire.GuildRequest) (*wire.GuildResponse, error) {
			if !first {
				return guildAt(1, 5), nil
			}
			first = false
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil, status.FromContextError(ctx.Err()).Err()
		}}
		b := botOf(lineTo(t, h), "E", 1, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Guild(ctx, "1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		began := time.Now()
		if g, err := b.Guild(t.Context(), "1"); err != nil || g.Version != 5 || time.Since(began) != 0 {
			t.Errorf("got %v, %v after %s", g, err, time.Since(began))
		}
		time.Sleep(time.Second)
	})
}

// TestCallThatWasUnderWay has an event come while a call is under way, whose
// answer may be from before the event.
func TestCallThatWasUnderWay(t *testing.T) {
	old, missing := guildAt(1, 5), &wire.GuildResponse{Missing: &wire.GuildMissing{Reason: "removed", Message: "gone"}}
	tests := []struct {
		name    string
		version uint64 // of the event's frame
		first   *wire.GuildResponse
		want    string
		calls   string
	}{
		{"an unknown version is asked for again", 0, old, "v6", "1 v0 E, 1 v5 E"},
		{"an older one too", 6, old, "v6", "1 v0 E, 1 v5 E"},
		{"one that is as new serves", 5, old, "v5", "1 v0 E"},
		{"why there was none may be over", 6, missing, "v6", "1 v0 E, 1 v0 E"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				h := &guildHost{guild: func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
					time.Sleep(time.Second)
					if !first {
						return guildAt(1, 6), nil
					}
					first = false
					return test.first, nil
				}}
				l := lineTo(t, h)
				before := startReading(t.Context(), botOf(l, "E", 1, 0), "1")
				synctest.Wait()
				var readers []*reading
				for range 10 { // interactions
					readers = append(readers, startReading(t.Context(), botOf(l, "E", 1, test.version), "1"))
				}
				for _, r := range readers {
					if <-r.done; r.err != nil || r.guild.Name != test.want {
						t.Errorf("got %+v, %v, want %s", r.guild, r.err, test.want)
					}
				}
				<-before.done
				if calls := h.calls(); calls != test.calls {
					t.Errorf("asked %q, want %q", calls, test.calls)
				}
			})
		})
	}
}

// TestAnswersOutOfOrder lets the older answer come last.
func TestAnswersOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
			if r.GetEvent() == "SLOW" {
				time.Sleep(time.Second)
				return guildAt(1, 5), nil
			}
			return guildAt(1, 6), nil
		}}
		l := lineTo(t, h)
		slow := startReading(t.Context(), botOf(l, "SLOW", 1, 5), "1")
		synctest.Wait()
		if g, err := botOf(l, "QUICK", 1, 6).Guild(t.Context(), "1"); err != nil || g.Version != 6 {
			t.Fatalf("got %v, %v", g, err)
		}
		if <-slow.done; slow.err != nil || slow.guild.Version != 6 {
			t.Errorf("the slow one got %+v, %v, though version 6 was there", slow.guild, slow.err)
		}
		if have := l.guilds.copies.get(1); have.Version != 6 {
			t.Errorf("kept version %d", have.Version)
		}
	})
}

// TestGuildsAreNeverOlderThanEvents lets guilds change, leave the host's cache
// and come back while handlers read them, with answers that take their time.
func TestGuildsAreNeverOlderThanEvents(t *testing.T) {
	const guilds, handlers = 3, 3000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		var mu sync.Mutex // guards random, too
		var counter uint64
		now := make(map[uint64]uint64)    // versions of the truth
		cached := make(map[uint64]uint64) // what the host has of it; 0: nothing
		pause := func(limit int) {
			mu.Lock()
			d := time.Duration(random.IntN(limit)) * time.Microsecond
			mu.Unlock()
			time.Sleep(d)
		}
		h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
			pause(500)
			mu.Lock()
			if cached[r.GetGuild()] == 0 {
				counter++
				now[r.GetGuild()], cached[r.GetGuild()] = counter, counter
			}
			version := cached[r.GetGuild()]
			mu.Unlock()
			pause(2000)
			if version == r.GetVersion() {
				return &wire.GuildResponse{Version: version}, nil
			}
			return guildAt(r.GetGuild(), version), nil
		}}
		l := lineTo(t, h)
		var running sync.WaitGroup
		for range handlers {
			pause(100)
			mu.Lock()
			guild := 1 + random.Uint64N(guilds)
			switch random.IntN(4) {
			case 0, 1: // an event that changes the guild
				counter++
				now[guild] = counter
				if cached[guild] != 0 {
					cached[guild] = counter
				}
			case 2:
				cached[guild] = 0
			}
			truth, frame := now[guild], cached[guild]
			name := []string{"A", "B"}[random.IntN(2)]
			mu.Unlock()
			b := botOf(l, name, guild, frame)
			running.Go(func() {
				g, err := b.Guild(t.Context(), fmt.Sprint(guild))
				if err != nil || g.Version < truth || g.Name != fmt.Sprintf("v%d", g.Version) {
					t.Errorf("guild %d: got %+v, %v at version %d", guild, g, err, truth)
				}
			})
		}
		running.Wait()
		calls := strings.Count(h.calls(), ",") + 1
		if len(l.guilds.calls) != 0 || calls >= handlers {
			t.Errorf("%d calls under way at the end, %d made for %d handlers", len(l.guilds.calls), calls, handlers)
		}
		t.Logf("%d calls for %d handlers", calls, handlers)
	})
}
