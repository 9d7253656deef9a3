package gateway

import (
	"math/rand/v2"
	"os"
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
