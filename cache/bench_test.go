package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

// benchCache has one guild, 7, of about so many bytes.
func benchCache(b *testing.B, size int) *Cache {
	b.Helper()
	whole := newMaker(1).guild(7, 900, size)
	c := newTestCache(b, Options{Self: 900, Load: func(_ context.Context, _ uint64, p Part) (json.RawMessage, error) {
		return *whole.part(p), nil
	}})
	b.Cleanup(c.Close)
	mustLoad(b, c, 7)
	b.ReportAllocs()
	return c
}

func BenchmarkTouch(b *testing.B) {
	c := benchCache(b, 25_000)
	data := []byte(`{"content":"hello"}`)
	for b.Loop() {
		c.Apply("MESSAGE_CREATE", 7, data)
	}
}

func BenchmarkTouchCold(b *testing.B) {
	c := benchCache(b, 25_000)
	data := []byte(`{"content":"hello"}`)
	for b.Loop() {
		c.Apply("MESSAGE_CREATE", 8, data)
	}
}

func BenchmarkTouchOtherMember(b *testing.B) {
	c := benchCache(b, 25_000)
	data := []byte(`{"guild_id":"7","user":{"id":"77"},"pad":"` + strings.Repeat("x", 900) + `"}`)
	for b.Loop() {
		c.Apply("GUILD_MEMBER_REMOVE", 7, data)
	}
}

func BenchmarkTouchParallel(b *testing.B) {
	c := benchCache(b, 25_000)
	data := []byte(`{"content":"hello"}`)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Apply("MESSAGE_CREATE", 7, data)
		}
	})
}

func BenchmarkHit(b *testing.B) {
	c := benchCache(b, 25_000)
	for b.Loop() {
		if _, err := c.Guild(b.Context(), 7, AllParts, Read); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApplyChannelUpdate edits channels one after the other, as somebody does who
// drags them: of a usual guild, and of one of the largest. It tells what an event costs
// who applies it; what is done behind it is not waited for.
func BenchmarkApplyChannelUpdate(b *testing.B) {
	for _, size := range []int{25_000, 640_000} {
		b.Run(fmt.Sprintf("%dKB", size/1000), func(b *testing.B) {
			c := benchCache(b, size)
			s := mustLoad(b, c, 7)
			var data [][]byte
			elements(s.Part(PartChannels), func(e []byte) bool {
				data = append(data, with(e, "position", []byte("100")), with(e, "position", []byte("101")))
				return true
			})
			b.Logf("%d channels in %d KB", len(data)/2, len(s.Part(PartChannels))/1000)
			for i := 0; b.Loop(); i++ {
				if c.Apply("CHANNEL_UPDATE", 7, data[i%len(data)]) == 0 {
					b.Fatal("not applied")
				}
			}
		})
	}
}

// BenchmarkPart reads a guild of 25 KB whole.
func BenchmarkPart(b *testing.B) {
	c := benchCache(b, 25_000)
	s := mustLoad(b, c, 7)
	for b.Loop() {
		for p := range parts {
			if s.Part(p) == nil {
				b.Fatal("not there")
			}
		}
	}
}

// BenchmarkStartBurst is GUILD_CREATE of guilds that READY has listed and that are
// not kept: it must cost next to nothing, however large they are.
func BenchmarkStartBurst(b *testing.B) {
	for _, size := range []int{2_500, 25_000, 250_000} {
		b.Run(fmt.Sprintf("%dKB", size/1000), func(b *testing.B) {
			c := benchCache(b, 25_000)
			whole := newMaker(1).guild(1000, 900, size)
			data := whole.created()
			b.SetBytes(int64(len(data)))
			for n, guild := 0, uint64(1000); b.Loop(); n++ {
				if n%10_000 == 0 {
					b.StopTimer()
					c.Apply("READY", 0, readyOf(guild+1, 10_000))
					b.StartTimer()
				}
				guild++
				c.Apply("GUILD_CREATE", guild, data)
			}
		})
	}
}

// created is the guild as GUILD_CREATE tells it.
func (b *bodies) created() []byte {
	data := bytes.Clone(b.Guild[:len(b.Guild)-1])
	data = fmt.Appendf(data, `,"joined_at":"2024-02-08T20:17:21.018000+00:00","large":false,"unavailable":false,"member_count":1234,`+
		`"channels":%s,"threads":%s,"members":[%s],"presences":[],"voice_states":[],"stage_instances":[],"guild_scheduled_events":[],`+
		`"soundboard_sounds":[]}`, b.Channels, b.Threads, b.Member)
	return data
}

// readyOf lists so many guilds from this one on.
func readyOf(guild uint64, n int) []byte {
	data := []byte(`{"user":{"id":"900"},"guilds":[`)
	for i := range n {
		if i > 0 {
			data = append(data, ',')
		}
		data = fmt.Appendf(data, `{"id":"%d","unavailable":true}`, guild+uint64(i))
	}
	return append(data, `]}`...)
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

// BenchmarkMemory builds 15,000 active guilds of about 25 KB among 100,000 known
// ones, and tells what a guild costs packed, raw and in structs, all overhead
// included, and what all of it together costs.
func BenchmarkMemory(b *testing.B) {
	const active, known = 15_000, 100_000
	for b.Loop() {
		parsed := perParsed(b, 1000)
		before := liveHeap()
		c := filled(b, active, known)
		held := liveHeap() - before
		m := newMaker(3)
		raw := 0
		for range 1000 {
			g := m.guild(1, 900, 25_000)
			for p := range parts {
				raw += cap(bytes.Clone(*g.part(p)))
			}
		}
		b.ReportMetric(held/active, "packedB/guild")
		b.ReportMetric(float64(c.Status().Bytes)/active, "chargedB/guild")
		b.ReportMetric(float64(raw)/1000+overhead, "rawB/guild")
		b.ReportMetric(parsed, "structsB/guild")
		b.ReportMetric(held/1e6, "MB")
		b.ReportMetric(parsed*known/held, "allStructs/held")
		c.Close()
	}
}
