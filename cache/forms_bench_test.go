package cache

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// form is a way to hold a part.
type form struct {
	name   string
	pack   func([]byte) []byte
	unpack func([]byte) []byte
}

func zstdForm(b *testing.B, name string, level zstd.EncoderLevel) form {
	b.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level),
		zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		b.Fatal(err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(dec.Close)
	buffer := make([]byte, 0, 4<<20)
	return form{
		name: name,
		pack: func(raw []byte) []byte { return append([]byte(nil), enc.EncodeAll(raw, buffer)...) },
		unpack: func(p []byte) []byte {
			raw, err := dec.DecodeAll(p, nil)
			if err != nil {
				b.Fatal(err)
			}
			return raw
		},
	}
}

func forms(b *testing.B) []form {
	b.Helper()
	unS2 := func(p []byte) []byte {
		raw, err := s2.Decode(nil, p)
		if err != nil {
			b.Fatal(err)
		}
		return raw
	}
	k := newTestPacking(b)
	return []form{
		{"raw", func(raw []byte) []byte { return append([]byte(nil), raw...) }, func(p []byte) []byte { return p }},
		{"s2", func(raw []byte) []byte { return append([]byte(nil), s2.Encode(nil, raw)...) }, unS2},
		{"s2-better", func(raw []byte) []byte { return append([]byte(nil), s2.EncodeBetter(nil, raw)...) }, unS2},
		zstdForm(b, "zstd", zstd.SpeedFastest),
		zstdForm(b, "zstd-default", zstd.SpeedDefault),
		{"as-held", func(raw []byte) []byte { return k.pack(raw) }, func(p []byte) []byte { return k.unpack(p) }},
	}
}

// BenchmarkForms shows side by side what a guild costs in bytes and what it takes
// to pack it whole, to read it whole, and to edit a channel of it, for each way
// to hold its parts, and beside them what structs cost. Each time is the least of
// all rounds: what else runs on the machine only adds.
func BenchmarkForms(b *testing.B) {
	_, captured := realGuild(b)
	m := newMaker(1)
	for _, g := range []struct {
		name string
		bodies
	}{
		{"real", captured},
		{"2KB", m.guild(7, 900, 2_000)},
		{"25KB", m.guild(7, 900, 25_000)},
		{"250KB", m.guild(7, 900, 250_000)},
		{"2MB", m.guild(7, 900, 2_000_000)},
	} {
		b.Run(fmt.Sprintf("%s/json", g.name), func(b *testing.B) {
			for b.Loop() {
				runtime.KeepAlive(json.Valid(g.Channels)) // what a look at it costs
			}
			b.ReportMetric(float64(g.total()), "B/guild")
		})
		for _, f := range forms(b) {
			b.Run(g.name+"/"+f.name, func(b *testing.B) { benchForm(b, f, &g.bodies) })
		}
		b.Run(g.name+"/structs", func(b *testing.B) {
			before := liveHeap()
			kept := parse(b, &g.bodies)
			after := liveHeap()
			runtime.KeepAlive(kept)
			for b.Loop() {
				parse(b, &g.bodies)
			}
			b.ReportMetric(after-before, "B/guild")
		})
	}
}

func benchForm(b *testing.B, f form, g *bodies) {
	b.Helper()
	var edit []byte
	elements(g.Channels, func(e []byte) bool {
		edit = with(e, "name", []byte(`"dragged"`))
		return true
	})
	var packed [parts][]byte
	best := map[string]float64{"pack-ns": math.MaxFloat64, "read-ns": math.MaxFloat64, "edit-ns": math.MaxFloat64}
	timed := func(what string, do func()) {
		began := time.Now()
		do()
		best[what] = min(best[what], float64(time.Since(began)))
	}
	for b.Loop() {
		timed("pack-ns", func() {
			for p := range parts {
				packed[p] = f.pack(*g.part(p))
			}
		})
		timed("read-ns", func() {
			for p := range parts {
				runtime.KeepAlive(f.unpack(packed[p]))
			}
		})
		timed("edit-ns", func() {
			w := world{bodies: bodies{Channels: f.unpack(packed[PartChannels])}}
			if !w.apply(event{"CHANNEL_UPDATE", edit}) {
				b.Fatal("nothing changed")
			}
			runtime.KeepAlive(f.pack(w.Channels))
		})
	}
	held := 0
	for _, p := range packed {
		held += cap(p)
	}
	b.ReportMetric(float64(held), "B/guild")
	for what, ns := range best {
		b.ReportMetric(ns, what)
	}
}
