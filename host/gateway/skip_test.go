package gateway

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// skipPlainly is skipNested, a byte at a time.
func skipPlainly(b []byte, i int) (int, bool) {
	var open []byte
	deep := false // so that kinds are not remembered any more
	for text := false; i < len(b); i++ {
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			open = append(open, c+2) // what closes it
			deep = deep || len(open) > 64
		case c == '}' || c == ']':
			if len(open) == 0 || !deep && open[len(open)-1] != c {
				return 0, false
			}
			if open = open[:len(open)-1]; len(open) == 0 {
				return i + 1, true
			}
		}
	}
	return 0, false
}

// TestBlock: every byte at every place, and many of them together, are found by both
// ways of looking at a block as one looks at them by hand.
func TestBlock(t *testing.T) {
	check := func(b *[blockSize]byte) {
		t.Helper()
		var quote, bracket uint64
		plain := true
		for n, c := range b {
			switch c {
			case '"':
				quote |= 1 << n
			case '{', '}', '[', ']', 'Y', 'y', '_', 0x7f:
				bracket |= 1 << n
			case '\\':
				plain = false
			}
		}
		for name, look := range map[string]func(*[blockSize]byte) (uint64, uint64, bool){"block": block, "blockByWords": blockByWords} {
			if q, k, p := look(b); q != quote || k != bracket || p != plain {
				t.Fatalf("%q: %s found %x, %x, %v, want %x, %x, %v", b[:], name, q, k, p, quote, bracket, plain)
			}
		}
	}
	for at := range blockSize {
		for c := range 256 {
			b := [blockSize]byte([]byte(strings.Repeat(" ", blockSize)))
			b[at] = byte(c)
			check(&b)
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 2))
	for range 50_000 {
		few := `""{}[],:#!^Z\`
		few = few[:len(few)-dice.IntN(2)] // half of them without a backslash
		var b [blockSize]byte
		for n := range b {
			if b[n] = few[dice.IntN(len(few))]; dice.IntN(3) == 0 {
				b[n] = byte(dice.Uint32())
			}
		}
		check(&b)
	}
}

// TestSkipByBlocks: values of all shapes, whole, broken and cut off, are skipped as
// a reader that looks at each byte does.
func TestSkipByBlocks(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	pieces := []string{
		`{`, `}`, `[`, `]`, `"`, `\`, `\"`, `\\`, `,`, `:`, `null`, `-1.5e3`, `"id":"81384788765712384",`, `"a long string without anything in it, and some more of it"`,
		`y_Y`, "\x7f", "é", ` `, `"{[\"]}"`, `[[[[[[[[[[[[[[[[`, `]]]]]]]]]]]]]]]]`, `{"a":{"b":[]}}`, `"` + "\x00" + `"`,
	}
	skipped := 0
	for range 50_000 {
		b := []byte(`{`)
		for range dice.IntN(30) {
			b = append(b, pieces[dice.IntN(len(pieces))]...)
		}
		for n := dice.IntN(8); n > 0; n-- {
			b = append(b, `]}`[dice.IntN(2)])
		}
		end, ok := skipNested(b, 0)
		want, wanted := skipPlainly(b, 0)
		if ok != wanted || ok && end != want {
			t.Fatalf("%q: skipped to %d, %v, want %d, %v", b, end, ok, want, wanted)
		}
		if ok && end > blockSize {
			skipped++
		}
	}
	if skipped < 300 {
		t.Errorf("only %d values were longer than a block", skipped)
	}
	raw, err := os.ReadFile("testdata/captured/gateway_guild_create.json")
	if err != nil {
		t.Fatal(err)
	}
	for n := range raw {
		if raw[n] != '{' && raw[n] != '[' {
			continue
		}
		end, ok := skipNested(raw, n)
		if want, wanted := skipPlainly(raw, n); ok != wanted || end != want {
			t.Errorf("from %d: skipped to %d, %v, want %d, %v", n, end, ok, want, wanted)
		}
	}
}
