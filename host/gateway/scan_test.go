package gateway

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, 100) + strings.Repeat(`]}`, 100)
	tests := []struct {
		name, in string
		want     envelope
		bad      bool
	}{
		{name: "dispatch", in: `{"t":"MESSAGE_CREATE","s":5,"op":0,"d":{"id":"7","channel_id":"8","guild_id":"9"}}`,
			want: envelope{seq: 5, name: []byte("MESSAGE_CREATE"), data: []byte(`{"id":"7","channel_id":"8","guild_id":"9"}`), id: 7, channel: 8, guild: 9}},
		{name: "d first", in: `{"d":{"guild_id":"9"},"op":0,"t":"X","s":1}`,
			want: envelope{seq: 1, name: []byte("X"), data: []byte(`{"guild_id":"9"}`), guild: 9}},
		{name: "nested ids come first", in: `{"op":0,"d":{"message_reference":{"guild_id":"1","id":"2"},"mentions":[{"id":"3"}],"guild_id":"9","id":"4"}}`,
			want: envelope{data: []byte(`{"message_reference":{"guild_id":"1","id":"2"},"mentions":[{"id":"3"}],"guild_id":"9","id":"4"}`), guild: 9, id: 4}},
		{name: "only nested ids", in: `{"op":0,"d":{"guild":{"id":"1","guild_id":"2"}}}`, want: envelope{data: []byte(`{"guild":{"id":"1","guild_id":"2"}}`)}},
		{name: "null s, t and d", in: `{"t":null,"s":null,"op":11,"d":null}`, want: envelope{op: 11, data: []byte("null")}},
		{name: "no d", in: `{"op":11}`, want: envelope{op: 11}},
		{name: "d is a word", in: `{"op":9,"d":false}`, want: envelope{op: 9, data: []byte("false")}},
		{name: "d is a list", in: `{"op":0,"d":[{"id":"1"}]}`, want: envelope{data: []byte(`[{"id":"1"}]`)}},
		{name: "space everywhere", in: " {\r\n\t\"op\" : 0 , \"d\" : { \"id\" : \"7\" } } \n", want: envelope{data: []byte(`{ "id" : "7" }`), id: 7}},
		{name: "quotes and braces in strings", in: `{"op":0,"d":{"content":"\"}{][\\","id":"7"}}`, want: envelope{data: []byte(`{"content":"\"}{][\\","id":"7"}`), id: 7}},
		{name: "escaped keys", in: `{"o\u0070":0,"d":{"\u0069d":"7","gu\u0069ld_id":"8"}}`, want: envelope{data: []byte(`{"\u0069d":"7","gu\u0069ld_id":"8"}`), id: 7, guild: 8}},
		{name: "escaped name", in: `{"op":0,"t":"\u0052EADY"}`, want: envelope{name: []byte("READY")}},
		{name: "repeated keys", in: `{"op":1,"op":0,"d":{"id":"1"},"d":{"id":"2","id":"3"}}`, want: envelope{data: []byte(`{"id":"2","id":"3"}`), id: 3}},
		{name: "repeated d forgets the first one's ids", in: `{"op":0,"d":{"id":"1","guild_id":"2"},"d":7}`, want: envelope{data: []byte("7")}},
		{name: "ids that are none", in: `{"op":0,"d":{"id":null,"guild_id":"x","channel_id":{"id":"1"}}}`, want: envelope{data: []byte(`{"id":null,"guild_id":"x","channel_id":{"id":"1"}}`)}},
		{name: "ids at the limit", in: `{"op":0,"d":{"id":"18446744073709551615","guild_id":"18446744073709551616","channel_id":5}}`,
			want: envelope{data: []byte(`{"id":"18446744073709551615","guild_id":"18446744073709551616","channel_id":5}`), id: 1<<64 - 1, channel: 5}},
		{name: "unknown members", in: `{"op":0,"x":[1,-2.5e+3,true],"y":-0.1,"z":"s"}`, want: envelope{}},
		{name: "deep", in: `{"op":0,"d":` + deep + `}`, want: envelope{data: []byte(deep)}},

		{name: "empty", in: ``, bad: true},
		{name: "no op", in: `{"d":{}}`, bad: true},
		{name: "not an object", in: `[0]`, bad: true},
		{name: "op is a string", in: `{"op":"0"}`, bad: true},
		{name: "op is negative", in: `{"op":-1}`, bad: true},
		{name: "op has a leading zero", in: `{"op":00}`, bad: true},
		{name: "s is a fraction", in: `{"op":0,"s":1.5}`, bad: true},
		{name: "s overflows", in: `{"op":0,"s":18446744073709551616}`, bad: true},
		{name: "t is a number", in: `{"op":0,"t":1}`, bad: true},
		{name: "two payloads", in: `{"op":0}{"op":0}`, bad: true},
		{name: "cut in a string", in: `{"op":0,"d":{"content":"abc`, bad: true},
		{name: "cut behind a backslash", in: `{"op":0,"d":{"content":"abc\`, bad: true},
		{name: "cut in d", in: `{"op":0,"d":{"a":[1,2`, bad: true},
		{name: "wrong bracket", in: `{"op":0,"d":{"a":[1,2}]}`, bad: true},
		{name: "missing comma", in: `{"op":0 "s":1}`, bad: true},
		{name: "leading comma", in: `{,"op":0}`, bad: true},
		{name: "trailing comma", in: `{"op":0,}`, bad: true},
		{name: "missing colon", in: `{"op" 0}`, bad: true},
		{name: "half a word", in: `{"op":0,"d":tru}`, bad: true},
		{name: "bad number in d", in: `{"op":0,"d":{"a":1.}}`, bad: true},
		{name: "bad escape in a name", in: `{"op":0,"t":"\x"}`, bad: true},
		{name: "too deep", in: `{"op":0,"d":` + strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1) + `}`, bad: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var e envelope
			err := scan([]byte(test.in), &e)
			if test.bad {
				if err == nil {
					t.Fatalf("accepted as %+v", e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !same(&e, &test.want) {
				t.Errorf("got  %s\nwant %s", show(&e), show(&test.want))
			}
		})
	}
}

// TestScanCut cuts a payload everywhere: no prefix of it is one.
func TestScanCut(t *testing.T) {
	for _, p := range captured(t, "gateway_message_create.json") {
		for n := range p {
			var e envelope
			if err := scan(p[:n], &e); err == nil {
				t.Fatalf("the first %d of %d bytes were accepted", n, len(p))
			}
		}
	}
}

// TestScanCaptured compares with encoding/json what real frames say.
func TestScanCaptured(t *testing.T) {
	files, err := filepath.Glob("testdata/captured/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captured frames: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			for _, p := range captured(t, filepath.Base(file)) {
				var e envelope
				if err := scan(p, &e); err != nil {
					t.Fatal(err)
				}
				if want := oracle(t, p); !same(&e, want) {
					t.Errorf("got  %s\nwant %s", show(&e), show(want))
				}
			}
		})
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	p, known := message(t), newNames()
	if n := testing.AllocsPerRun(100, func() {
		var e envelope
		if scan(p, &e) != nil || known.intern(e.name) != "MESSAGE_CREATE" {
			t.Fatal("not scanned")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// oracle reads valid JSON with encoding/json. nil means: scan must refuse it.
func oracle(t testing.TB, p []byte) *envelope {
	t.Helper()
	var top map[string]json.RawMessage
	if json.Unmarshal(p, &top) != nil || top == nil {
		return nil
	}
	var e envelope
	var op *uint64
	if json.Unmarshal(top["op"], &op) != nil || op == nil || *op > 1<<16 {
		return nil
	}
	e.op = int(*op)
	var name *string
	if raw, ok := top["s"]; ok && json.Unmarshal(raw, &e.seq) != nil {
		return nil
	}
	if raw, ok := top["t"]; ok && json.Unmarshal(raw, &name) != nil {
		return nil
	}
	if name != nil {
		e.name = []byte(*name)
	}
	e.data = top["d"]
	var d map[string]json.RawMessage
	if json.Unmarshal(e.data, &d) == nil {
		e.guild, e.channel, e.id = snowflake(d["guild_id"]), snowflake(d["channel_id"]), snowflake(d["id"])
	}
	return &e
}

func same(a, b *envelope) bool {
	return a.op == b.op && a.seq == b.seq && bytes.Equal(a.name, b.name) && bytes.Equal(a.data, b.data) &&
		a.guild == b.guild && a.channel == b.channel && a.id == b.id
}

func show(e *envelope) string {
	d := e.data
	if len(d) > 200 {
		d = d[:200]
	}
	s, _ := json.Marshal(map[string]any{
		"op": e.op, "s": e.seq, "t": string(e.name), "d": string(d), "guild": e.guild, "channel": e.channel, "id": e.id,
	})
	return string(s)
}

// captured reads the payloads of a captured file.
func captured(t testing.TB, file string) []json.RawMessage {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "captured", file))
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// message is a captured MESSAGE_CREATE as Discord sends it, without spaces.
func message(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, captured(t, "gateway_message_create.json")[0]); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
