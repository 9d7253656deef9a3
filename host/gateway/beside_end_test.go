package gateway

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestEndUnderLoad: the sessions are ended also when Discord has more to say than
// was read.
func TestEndUnderLoad(t *testing.T) {
	const rounds, shards = 20, 4
	for range rounds {
		discord, err := simulator.Start(simulator.Config{Shards: shards, MaxConcurrency: shards, World: simulator.World{Guilds: 20}})
		if err != nil {
			t.Fatal(err)
		}
		events := make(chan Event) // nobody reads but the first
		set, err := NewSet(Config{
			Token: discord.Token(), URL: discord.GatewayURL(), Shards: []int{0, 1, 2, 3}, Count: shards, MaxConcurrency: shards,
			Intents: 1<<9 | 1<<15, Events: events,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- set.Run(ctx) }()
		for range shards { // READY
			<-events
		}
		var sending sync.WaitGroup
		sending.Go(func() {
			guilds := discord.Guilds()
			_ = discord.Run(ctx, simulator.Rate{}, func(n int) bool { // until the set ends
				g := guilds[n%len(guilds)]
				discord.Say(g.ID, g.Channels[0], g.Members[0], "a message that nobody will read, with some length to it")
				return n < 20_000
			})
		})
		for !unread(discord, 200) {
			time.Sleep(time.Millisecond)
		}
		set.End()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		sending.Wait()
		for deadline := time.Now().Add(5 * time.Second); len(discord.Sessions()) > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("sessions left: %+v", discord.Sessions())
			}
		}
		if err := discord.Close(); err != nil {
			t.Error(err)
		}
	}
}

// unread says whether so many events were written to each session.
func unread(discord *simulator.Server, events uint64) bool {
	for _, s := range discord.Sessions() {
		if s.Written < events {
			return false
		}
	}
	return true
}
