package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// ofSize is a guild of about this many bytes of channels, in its four parts.
func ofSize(guild uint64, bytes int) func(context.Context, uint64, Part) (json.RawMessage, error) {
	var channels []object
	for i := range bytes / 500 {
		channels = append(channels, object{"id": fmt.Sprint(i + 1), "guild_id": fmt.Sprint(guild), "topic": noise(440 + i)[i:]})
	}
	list := toJSON(channels)
	a := &answers{}
	return func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
		if p == PartChannels {
			return list, nil
		}
		return a.load(ctx, guild, p)
	}
}

func benchCache(b *testing.B) *Cache {
	b.Helper()
	c := newTestCache(b, Options{Load: ofSize(7, 25_000), Self: 900})
	b.Cleanup(c.Close)
	mustLoad(b, c, 7)
	b.ReportAllocs()
	return c
}

func BenchmarkTouch(b *testing.B) {
	c := benchCache(b)
	data := []byte(`{"content":"hello"}`)
	for b.Loop() {
		c.Apply("MESSAGE_CREATE", 7, data)
	}
}

func BenchmarkTouchCold(b *testing.B) {
	c := benchCache(b)
	data := []byte(`{"content":"hello"}`)
	for b.Loop() {
		c.Apply("MESSAGE_CREATE", 8, data)
	}
}

func BenchmarkTouchOtherMember(b *testing.B) {
	c := benchCache(b)
	data := []byte(`{"guild_id":"7","user":{"id":"77"},"pad":"` + strings.Repeat("x", 900) + `"}`)
	for b.Loop() {
		c.Apply("GUILD_MEMBER_REMOVE", 7, data)
	}
}

func BenchmarkTouchParallel(b *testing.B) {
	c := benchCache(b)
	data := []byte(`{"content":"hello"}`)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Apply("MESSAGE_CREATE", 7, data)
		}
	})
}

func BenchmarkHit(b *testing.B) {
	c := benchCache(b)
	for b.Loop() {
		if _, err := c.Guild(b.Context(), 7, AllParts, Read); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplyChannelUpdate(b *testing.B) {
	c := benchCache(b)
	var data [2][]byte
	for i := range data {
		data[i] = toJSON(object{"id": "25", "guild_id": "7", "topic": fmt.Sprint(i, noise(440))})
	}
	i := 0
	for b.Loop() {
		c.Apply("CHANNEL_UPDATE", 7, data[i&1])
		i++
	}
}

// BenchmarkStartBurst is GUILD_CREATE of guilds that are not kept.
func BenchmarkStartBurst(b *testing.B) {
	c := benchCache(b)
	data := toJSON(newFake(1, 7).guilds[7].create())
	data = append(data[:len(data)-1], (`,"pad":"` + strings.Repeat("x", 25_000-len(data)) + `"}`)...)
	b.SetBytes(int64(len(data)))
	guild := uint64(1000)
	for b.Loop() {
		guild++
		c.Apply("GUILD_CREATE", guild, data)
	}
}

func BenchmarkRefused(b *testing.B) {
	c := newTestCache(b, Options{Load: ofSize(7, 1000), Guard: GuardOptions{Allowed: func() bool { return false }}})
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Guild(b.Context(), 7, AllParts, Mass); err == nil {
			b.Fatal("loaded")
		}
	}
}

// BenchmarkBytesPerGuild tells what a guild of 25 KB costs in memory and in the
// books.
func BenchmarkBytesPerGuild(b *testing.B) {
	const guilds = 2000
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		c := newTestCache(b, Options{Load: newFake(1).load})
		content := string(toJSON(object{"pad": strings.Repeat("x", 25_000)}))
		before := heap()
		for g := range uint64(guilds) {
			keepNow(b, c, g+1, content)
		}
		if err := c.keeper.flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric((heap()-before)/guilds, "heapB/guild")
		b.ReportMetric(float64(c.books.bytes.Load())/guilds, "chargedB/guild")
		c.Close()
	}
}
