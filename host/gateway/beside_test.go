package gateway

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestSetsBesideIdentifyAsOne: they share the queue, or, when Discord has changed the
// number of keys, the new one's rests first.
func TestSetsBesideIdentifyAsOne(t *testing.T) {
	config := Config{Token: "t", URL: "ws://localhost", Shards: []int{0, 1, 2}, Count: 3, MaxConcurrency: 2, Events: make(chan Event)}
	first, err := NewSet(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Beside = first
	if second, err := NewSet(config); err != nil || second.queue != first.queue {
		t.Errorf("another queue, error %v", err)
	}
	config.MaxConcurrency = 3
	third, err := NewSet(config)
	if err != nil || third.queue == first.queue {
		t.Fatalf("the same queue with other keys, error %v", err)
	}
	for n, key := range third.queue.keys {
		if rest := time.Until(key.free); rest <= 0 || rest > DefaultIdentifyInterval {
			t.Errorf("key %d rests for %s", n, rest)
		}
	}
}

// TestEndEndsTheSessions: after End nobody can resume them; without it they are kept.
func TestEndEndsTheSessions(t *testing.T) {
	for _, end := range []bool{false, true} {
		discord, err := simulator.Start(simulator.Config{Shards: 2, MaxConcurrency: 2})
		if err != nil {
			t.Fatal(err)
		}
		events := make(chan Event, 1024)
		set, err := NewSet(Config{
			Token: discord.Token(), URL: discord.GatewayURL(), Shards: []int{0, 1}, Count: 2, MaxConcurrency: 2, Intents: 1, Events: events, Number: 7,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- set.Run(ctx) }()
		for ready := 0; ready < 2; {
			e := <-events
			if e.Set != 7 {
				t.Errorf("%s of set %d", e.Name, e.Set)
			}
			if e.Name == nameReady {
				ready++
			}
		}
		if end {
			set.End()
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		var left int
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if left = len(discord.Sessions()); (left == 0) == end || time.Now().After(deadline) {
				break
			}
		}
		if (left == 0) != end {
			t.Errorf("end %v: %d sessions are left", end, left)
		}
		if err := discord.Close(); err != nil {
			t.Error(err)
		}
	}
}
