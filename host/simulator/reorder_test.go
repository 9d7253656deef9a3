package simulator

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestReorder(t *testing.T) {
	texts := []string{`{}`, `[]`, ` 1 `, `"a\"}"`, `{"a":1,"b":{"c":[1,{"d":null,"e":"}\\\""}],"f":true},"g":-1.5e3}`, `[{"a":[],"b":{}},{"x":"y"}]`, ` { "a" : [ 1 , 2 ] , "b" : { } } `}
	changed := false
	for _, text := range texts {
		for seed := range uint64(20) {
			out := reorder([]byte(text), seed)
			var a, b any
			if json.Unmarshal([]byte(text), &a) != nil || json.Unmarshal(out, &b) != nil || !reflect.DeepEqual(a, b) {
				t.Errorf("%s became %s", text, out)
			}
			changed = changed || len(out) == len(text) && string(out) != text
		}
	}
	if !changed {
		t.Error("nothing was reordered")
	}
	if got := reorder([]byte(`{"a"`), 1); string(got) != `{"a"` {
		t.Errorf("%s", got)
	}
}

func FuzzReorder(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":[1,{"d":null}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out := reorder(data, rand.Uint64())
		if a, b := sortedBytes(data), sortedBytes(out); json.Valid(data) != json.Valid(out) || len(b) > len(a) {
			t.Errorf("%q became %q", data, out)
		}
	})
}
