package gateway

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// FuzzScan holds the scanner against encoding/json and gjson: what is valid
// JSON is read as they read it or refused where a session must; what is not may be refused.
func FuzzScan(f *testing.F) {
	files, _ := filepath.Glob("testdata/captured/*.json")
	for _, file := range files {
		for _, p := range captured(f, filepath.Base(file)) {
			if len(p) < 4<<10 {
				f.Add([]byte(p))
			}
		}
	}
	for _, s := range []string{
		`{"op":0,"d":{"message_reference":{"guild_id":"1"},"guild_id":"9"}}`,
		`{"d":{"\u0069d":"7","content":"\"}{\\"},"t":"\u0052EADY","s":null,"op":0}`,
		`{"op":9,"d":false}`, `{"op":10,"d":{"heartbeat_interval":41250}}`,
		`{"op":0,"s":1,"d":[[[[{}]]]],"x":-1.5e-7}`, ` { "op" : 11 , "d" : null } `,
		`{"op":0,"d":{"id":"18446744073709551616"}}`, `{"op":1,"op":0,"d":1,"d":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		given := bytes.Clone(p)
		var e envelope
		err := scan(p, &e)
		if !bytes.Equal(given, p) {
			t.Fatal("the scanner changed its input")
		}
		if !json.Valid(p) {
			return
		}
		want := oracle(t, p)
		if want == nil {
			if err == nil {
				t.Fatalf("accepted %q as %s", p, show(&e))
			}
			return
		}
		if err != nil {
			t.Fatalf("refused %q", p)
		}
		if !utf8.Valid(e.name) {
			want.name = e.name // encoding/json repairs it, the scanner leaves it as it is
		}
		if !same(&e, want) {
			t.Fatalf("%q\ngot  %s\nwant %s", p, show(&e), show(want))
		}
		compareGjson(t, p, &e)
	})
}

// compareGjson leaves out what gjson reads otherwise: repeated keys (it takes the first) and
// escapes it does not decode alike.
func compareGjson(t *testing.T, p []byte, e *envelope) {
	t.Helper()
	seen := map[string]bool{}
	gjson.ParseBytes(p).ForEach(func(k, v gjson.Result) bool {
		if seen[k.Str] || strings.Contains(k.Raw, `\`) {
			return true
		}
		seen[k.Str] = true
		if k.Str == "d" && bytes.Count(p, []byte(`"d"`)) == 1 && !bytes.Contains(p, []byte(`\u`)) && v.Raw != string(e.data) {
			t.Fatalf("%q: d is %q, gjson says %q", p, e.data, v.Raw)
		}
		return true
	})
}

func BenchmarkScan(b *testing.B) {
	p, known := message(b), newNames()
	b.Run("hand", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			var e envelope
			if scan(p, &e) != nil || known.intern(e.name) == "" {
				b.Fatal("not scanned")
			}
		}
	})
	b.Run("gjson", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			if e := scanGjson(p); e.seq == 0 {
				b.Fatal("not scanned")
			}
		}
	})
}

// scanGjson is the same work done with gjson.ForEach.
func scanGjson(p []byte) (e envelope) {
	gjson.ParseBytes(p).ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "op":
			e.op = int(v.Uint())
		case "s":
			e.seq = v.Uint()
		case "t":
			e.name = []byte(v.Str)
		case "d":
			e.data = []byte(v.Raw)
			v.ForEach(func(k, v gjson.Result) bool {
				switch k.Str {
				case "guild_id":
					e.guild = v.Uint()
				case "channel_id":
					e.channel = v.Uint()
				case "id":
					e.id = v.Uint()
				}
				return true
			})
		}
		return true
	})
	return e
}
