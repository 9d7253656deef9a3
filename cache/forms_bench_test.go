package cache

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// form is a way to hold a part.
type form struct {
	name   string
	pack   func([]byte) []byte
	unpack func([]byte) []byte
}

func zstdForm(b testing.TB, name string, level zstd.EncoderLevel, dict []byte) form {
	e := []zstd.EOption{zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true)}
	d := []zstd.DOption{zstd.WithDecoderConcurrency(1)}
	if dict != nil {
		e, d = append(e, zstd.WithEncoderDictRaw(1, dict)), append(d, zstd.WithDecoderDictRaw(1, dict))
	}
	enc, err := zstd.NewWriter(nil, e...)
	if err != nil {
		b.Fatal(err)
	}
	dec, err := zstd.NewReader(nil, d...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(dec.Close)
	buf := make([]byte, 0, 4<<20)
	return form{
		name,
		func(raw []byte) []byte { return append([]byte(nil), enc.EncodeAll(raw, buf)...) },
		func(p []byte) []byte {
			raw, err := dec.DecodeAll(p, nil)
			if err != nil {
				b.Fatal(err)
			}
			return raw
		},
	}
}

func forms(b testing.TB) []form {
	unS2 := func(p []byte) []byte {
		raw, err := s2.Decode(nil, p)
		if err != nil {
			b.Fatal(err)
		}
		return raw
	}
	k, _ := newPacking()
	return []form{
		{"raw", func(raw []byte) []byte { return append([]byte(nil), raw...) }, func(p []byte) []byte { return p }},
		{"s2", func(raw []byte) []byte { return append([]byte(nil), s2.Encode(nil, raw)...) }, unS2},
		{"s2-better", func(raw []byte) []byte { return append([]byte(nil), s2.EncodeBetter(nil, raw)...) }, unS2},
		zstdForm(b, "zstd", zstd.SpeedFastest, nil),
		zstdForm(b, "zstd-default", zstd.SpeedDefault, nil),
		zstdForm(b, "zstd+dict", zstd.SpeedFastest, []byte(dictionary)),
		{"held", func(raw []byte) []byte { return k.pack(raw) }, func(p []byte) []byte { return k.unpack(p) }},
	}
}

func BenchmarkForms(b *testing.B) {
	all := forms(b)
	realID, real := realGuild(b)
	m := newMaker(1)
	for _, g := range []struct {
		name  string
		guild uint64
		bodies
	}{{"real", realID, real}, {"2KB", 7, m.guild(7, 900, 2_000)}, {"25KB", 7, m.guild(7, 900, 25_000)}, {"250KB", 7, m.guild(7, 900, 250_000)}, {"2MB", 7, m.guild(7, 900, 2_000_000)}} {
		var edit []byte
		elements(g.Channels, func(e []byte) bool { edit = with(e, "name", []byte(`"dragged"`)); return true })
		b.Run(fmt.Sprintf("%s/%dB", g.name, g.total()), func(b *testing.B) {
			for _, f := range all {
				var packed [parts][]byte
				n, parts4 := 0, [4]int{}
				for p := range parts {
					packed[p] = f.pack(*g.part(p))
					n += cap(packed[p])
					parts4[p] = len(packed[p])
				}
				b.Run(f.name+"/pack", func(b *testing.B) {
					for b.Loop() {
						for p := range parts {
							f.pack(*g.part(p))
						}
					}
					b.ReportMetric(float64(n), "heldB")
					for p := range parts {
						b.ReportMetric(float64(parts4[p]), p.String())
					}
				})
				b.Run(f.name+"/read", func(b *testing.B) {
					for b.Loop() {
						for p := range parts {
							f.unpack(packed[p])
						}
					}
				})
				b.Run(f.name+"/edit", func(b *testing.B) {
					for b.Loop() {
						w := world{guild: g.guild}
						w.Channels = f.unpack(packed[PartChannels])
						if !w.apply(event{"CHANNEL_UPDATE", edit}) {
							b.Fatal("nothing changed")
						}
						f.pack(w.Channels)
					}
				})
				_ = parts4
			}
			b.Run("map", func(b *testing.B) {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				var v [parts]any
				for p := range parts {
					json.Unmarshal(*g.part(p), &v[p])
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc), "heldB")
				runtime.KeepAlive(v)
			})
		})
	}
}
