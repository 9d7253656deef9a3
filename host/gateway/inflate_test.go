package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

var errNoMore = errors.New("no more messages")

// deflater compresses as Discord does: one context, flushed at the end of each payload.
type deflater interface {
	Write(p []byte) (int, error)
	Flush() error
}

// newDeflater returns a compressor that writes to out.
func newDeflater(t testing.TB, compress string, out *bytes.Buffer) deflater {
	t.Helper()
	var d deflater
	var err error
	switch compress {
	case CompressZstd:
		d, err = zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	case CompressZlib:
		d, err = zlib.NewWriterLevel(out, flate.BestSpeed)
	default:
		d = plainDeflater{out}
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type plainDeflater struct{ *bytes.Buffer }

func (plainDeflater) Flush() error { return nil }

// messagesOf turns payloads into websocket messages.
func messagesOf(t testing.TB, compress string, payloads [][]byte) [][]byte {
	t.Helper()
	var out bytes.Buffer
	d := newDeflater(t, compress, &out)
	var messages [][]byte
	for _, p := range payloads {
		if _, err := d.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := d.Flush(); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, bytes.Clone(out.Bytes()))
		out.Reset()
	}
	return messages
}

// collect inflates messages and checks that each payload was given away before the message
// behind it was asked for.
func collect(compress string, messages [][]byte, early func(asked, got int)) ([][]byte, error) {
	var got [][]byte
	asked := 0
	err := inflate(compress, func() ([]byte, error) {
		early(asked, len(got))
		if asked == len(messages) {
			return nil, errNoMore
		}
		asked++
		return bytes.Clone(messages[asked-1]), nil
	}, func(p []byte, own bool) error {
		if !own {
			p = bytes.Clone(p)
		}
		got = append(got, p)
		return nil
	})
	return got, err
}

// samples are payloads of very different sizes, compressible and not.
func samples(seed uint64, n int) [][]byte {
	r := rand.New(rand.NewPCG(seed, 0))
	sizes := []int{1, 7, 200, 1200, 5000, 70_000, 300_000, 3_300_000}
	all := make([][]byte, n)
	for i := range all {
		size := sizes[r.IntN(min(len(sizes), 3+i))]
		b := make([]byte, 0, size)
		for len(b) < size {
			switch r.IntN(3) {
			case 0:
				b = append(b, fmt.Sprintf(`{"id":"%d","content":"`, r.Uint64())...)
			case 1:
				b = append(b, strings.Repeat("holdfast ", r.IntN(20))...)
			default:
				b = append(b, byte(r.Uint32()), byte(r.Uint32()))
			}
		}
		all[i] = b[:size]
	}
	return all
}

func TestInflateCutsPayloads(t *testing.T) {
	for _, compress := range []string{CompressZstd, CompressZlib, CompressNone} {
		t.Run(compress, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			want := samples(seed, 40)
			got, err := collect(compress, messagesOf(t, compress, want), func(asked, got int) {
				if asked != got {
					t.Fatalf("asked for message %d with %d payloads given away", asked, got)
				}
			})
			if !errors.Is(err, errNoMore) {
				t.Fatalf("ended with %v", err)
			}
			compare(t, got, want)
		})
	}
}

// TestInflateGivesBuffersAway: what was inflated is the receiver's: the next payload is not written over it,
// and it keeps little more memory than it has bytes, none if it was written at once.
func TestInflateGivesBuffersAway(t *testing.T) {
	for _, compress := range []string{CompressZstd, CompressZlib, CompressNone} {
		t.Run(compress, func(t *testing.T) {
			var want [][]byte
			for _, size := range []int{30, 1200, 25_000, 40, 25_000, 100_000, 900, 300_000, zlibChunk + 100, 800, 25_000} {
				want = append(want, bytes.Repeat([]byte{byte(len(want))}, size))
			}
			messages := messagesOf(t, compress, want)
			var got [][]byte
			err := inflate(compress, func() ([]byte, error) {
				if len(messages) == 0 {
					return nil, errNoMore
				}
				m := messages[0]
				messages = messages[1:]
				return m, nil
			}, func(p []byte, own bool) error {
				if own != (compress != CompressNone) {
					t.Errorf("%d bytes: own is %v", len(p), own)
				}
				if own && (cap(p) > len(p)/2*3 || len(p) <= zlibChunk && cap(p) != len(p)) {
					t.Errorf("%d bytes are given away in a buffer of %d", len(p), cap(p))
				}
				if !own {
					p = bytes.Clone(p)
				}
				got = append(got, p)
				return nil
			})
			if !errors.Is(err, errNoMore) {
				t.Fatalf("ended with %v", err)
			}
			compare(t, got, want)
		})
	}
}

// TestEventTakesBuffers: what is a link's to keep is not copied, and what is not is.
func TestEventTakesBuffers(t *testing.T) {
	l := &link{known: newNames()}
	for _, own := range []bool{true, false} {
		p := message(t)
		var e envelope
		if err := scan(p, &e); err != nil {
			t.Fatal(err)
		}
		want := string(e.data)
		ev, err := l.event(&e, own)
		if err != nil {
			t.Fatal(err)
		}
		if string(ev.Data) != want {
			t.Errorf("own %v: data is %q, want %q", own, ev.Data, want)
		}
		clear(p)
		if taken := string(ev.Data) != want; taken != own {
			t.Errorf("own %v: taken is %v", own, taken)
		}
	}
}

// TestInflateZlibInPieces: a zlib payload may come in several messages, of which the last ends
// with the suffix.
func TestInflateZlibInPieces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	want := samples(seed, 12)
	var pieces [][]byte
	for _, m := range messagesOf(t, CompressZlib, want) {
		for len(m) > 4 && r.IntN(2) == 0 {
			n := 1 + r.IntN(len(m)-4)
			if endsBlock(m[:n]) {
				continue
			}
			pieces, m = append(pieces, m[:n]), m[n:]
		}
		pieces = append(pieces, m)
	}
	got, err := collect(CompressZlib, pieces, func(int, int) {})
	if !errors.Is(err, errNoMore) {
		t.Fatalf("ended with %v", err)
	}
	compare(t, got, want)
}

// TestInflateBomb: a small message that inflates without end is refused at the bound, and the
// payloads before it were given away.
func TestInflateBomb(t *testing.T) {
	bomb := make([]byte, maxPayload+1)
	for _, compress := range []string{CompressZstd, CompressZlib, CompressNone} {
		t.Run(compress, func(t *testing.T) {
			got, err := collect(compress, messagesOf(t, compress, [][]byte{[]byte("before"), bomb}), func(int, int) {})
			if !errors.Is(err, errTooLarge) {
				t.Errorf("ended with %v", err)
			}
			if len(got) != 1 {
				t.Errorf("%d payloads, want the one before the bomb", len(got))
			}
		})
	}
}

func TestInflateLargest(t *testing.T) {
	largest := bytes.Repeat([]byte("0123456789abcdef"), maxPayload/16)
	for _, compress := range []string{CompressZstd, CompressZlib, CompressNone} {
		t.Run(compress, func(t *testing.T) {
			want := [][]byte{largest, []byte("after")}
			got, err := collect(compress, messagesOf(t, compress, want), func(int, int) {})
			if !errors.Is(err, errNoMore) {
				t.Fatalf("ended with %v", err)
			}
			compare(t, got, want)
		})
	}
}

func TestInflateWindowTooLarge(t *testing.T) {
	var out bytes.Buffer
	d, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(2*maxPayload))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(bytes.Repeat([]byte("x"), 100)); err != nil {
		t.Fatal(err)
	}
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := collect(CompressZstd, [][]byte{out.Bytes()}, func(int, int) {}); err == nil || errors.Is(err, errNoMore) {
		t.Errorf("ended with %v, want the window refused", err)
	}
}

func TestInflateGarbage(t *testing.T) {
	for _, compress := range []string{CompressZstd, CompressZlib} {
		messages := messagesOf(t, compress, [][]byte{[]byte("before"), []byte("damaged"), []byte("after")})
		messages[1] = []byte("this is no stream at all\x00\x00\xff\xff")
		got, err := collect(compress, messages, func(int, int) {})
		if err == nil || errors.Is(err, errNoMore) {
			t.Errorf("%s: ended with %v, want an error of the decoder", compress, err)
		}
		if len(got) != 1 {
			t.Errorf("%s: %d payloads, want 1", compress, len(got))
		}
	}
}

// TestInflatePassesErrorsOn: what the receiver of payloads says ends it, unchanged by the decoder.
func TestInflatePassesErrorsOn(t *testing.T) {
	for _, compress := range []string{CompressZstd, CompressZlib, CompressNone} {
		messages := messagesOf(t, compress, [][]byte{[]byte("one"), []byte("two")})
		enough := errors.New("enough")
		i := 0
		err := inflate(compress, func() ([]byte, error) {
			if i == len(messages) {
				return nil, errNoMore
			}
			i++
			return messages[i-1], nil
		}, func([]byte, bool) error { return enough })
		if !errors.Is(err, enough) || i != 1 {
			t.Errorf("%s: ended with %v after %d messages", compress, err, i)
		}
	}
}

func compare(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d payloads, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("payload %d: %d bytes, want %d, or others", i, len(got[i]), len(want[i]))
		}
	}
}

// FuzzInflate cuts payloads out of a text, compresses them, and damages the stream at one place:
// undamaged every payload comes back; damaged nothing panics, hangs or passes the bound.
func FuzzInflate(f *testing.F) {
	f.Add(uint8(0), []byte("hello\nworld"), uint16(0), byte(0))
	f.Add(uint8(1), []byte("hello\nworld\n\nagain"), uint16(9), byte(0x40))
	f.Add(uint8(2), []byte(strings.Repeat("payload\n", 50)), uint16(3), byte(1))
	f.Fuzz(func(t *testing.T, mode uint8, text []byte, at uint16, flip byte) {
		compress := []string{CompressZstd, CompressZlib, CompressNone}[mode%3]
		var want [][]byte
		for part := range bytes.SplitSeq(text, []byte("\n")) {
			if len(part) > 0 && len(want) < 64 {
				want = append(want, part)
			}
		}
		messages := messagesOf(t, compress, want)
		if flip != 0 && len(messages) > 0 {
			m := messages[int(at)%len(messages)]
			m[int(at>>8)%len(m)] ^= flip
		}
		got, err := collect(compress, messages, func(int, int) {})
		if err == nil {
			t.Fatal("ended without saying why")
		}
		if flip != 0 {
			return
		}
		if !errors.Is(err, errNoMore) && len(want) > 0 {
			t.Fatalf("ended with %v", err)
		}
		compare(t, got, want)
	})
}

func BenchmarkInflate(b *testing.B) {
	p := message(b)
	for _, compress := range []string{CompressZstd, CompressZlib, CompressNone} {
		b.Run(compress, func(b *testing.B) {
			payloads := make([][]byte, 512)
			for i := range payloads {
				payloads[i] = p
			}
			messages := messagesOf(b, compress, payloads)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				i := 0
				err := inflate(compress, func() ([]byte, error) {
					if i == len(messages) || n == b.N {
						return nil, errNoMore
					}
					i++
					n++
					return messages[i-1], nil
				}, func([]byte, bool) error { return nil })
				if !errors.Is(err, errNoMore) {
					b.Fatal(err)
				}
			}
		})
	}
}
