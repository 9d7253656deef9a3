package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"unicode/utf8"
)

// What clients send is foreign: nothing of it may bring the simulator down, and what is accepted is sound.
func FuzzClientPayload(f *testing.F) {
	for _, seed := range []string{
		`{"op":1,"d":null}`, `{"op":2,"d":{"token":"x","intents":513,"shard":[0,1],"properties":{"os":"l","browser":"b","device":"d"}}}`,
		`{"op":6,"d":{"token":"x","session_id":"y","seq":3}}`, `{"op":8,"d":{"guild_id":"1","query":"","limit":0,"user_ids":["1",2]}}`,
		`{"op":3,"d":{"since":1,"activities":[{}],"status":"dnd","afk":true}}`, `{"op":1e3}`, `{"op":null}`, `[]`, `{`, "\xff", `{"op":2,"d":[[[[]]]]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, d, ok := parse(data)
		if !ok {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted: %q", data)
		}
		if id, code, _, _ := parseIdentify(d); code == 0 {
			if id.shard < 0 || id.shard >= id.shards || id.shards > maxShards || id.intents&^knownIntents != 0 || id.large < 50 || id.large > 250 {
				t.Errorf("identify %+v from %q", id, d)
			}
		}
		if req, ok := parseMemberRequest(d); ok && (req.guild == 0 || req.limit < 0) {
			t.Errorf("member request %+v from %q", req, d)
		}
		if token, id, _, ok := parseResume(d); ok && !utf8.ValidString(token+id) {
			t.Errorf("resume from %q", d)
		}
		validPresence(d)
	})
}

func FuzzCommandForm(f *testing.F) {
	f.Add([]byte(`[{"name":"a","description":"d","options":[{"type":1,"name":"s","description":"d","options":[{"type":3,"name":"o","description":"d"}]}]}]`))
	f.Add([]byte(`[{"name":"A","type":2}]`))
	f.Add([]byte(`[{"name":"a","description":"d","options":[{"choices":[{"name":1}]}],"default_member_permissions":"8"}]`))
	f.Add([]byte(`[{"name":"Launch","type":4,"handler":2,"contexts":[2,0],"description_localizations":{"de":"x"}}]`))
	f.Add([]byte(`[{"name":"a","description":"d","dm_permission":false,"options":[{"type":10,"name":"o","description":"d","min_value":1e2,"choices":[{"name":"x","value":5.0}]}]}]`))
	s := newServer(Config{}.filled())
	request := httptest.NewRequestWithContext(f.Context(), http.MethodPut, "/", http.NoBody)
	f.Fuzz(func(t *testing.T, data []byte) {
		q := &query{s: s, r: request, rt: &route{}, body: data}
		forms, bad := q.commandForms()
		if forms == nil {
			if !json.Valid(bad.body) || bad.status != 400 {
				t.Errorf("refused with %d %q", bad.status, bad.body)
			}
			return
		}
		for _, m := range forms {
			var o jsonOut
			o.command(s, q.newCommand(0, m), true)
			if !json.Valid(o.b) {
				t.Errorf("%q becomes %q", data, o.b)
			}
		}
	})
}

func FuzzMessageForm(f *testing.F) {
	f.Add([]byte(`{"content":"x <@5> <@&6> @everyone","embeds":[{"fields":[{"name":"a","value":"b"}]}],"components":[{"type":1,"components":[{"type":2}]}]}`))
	f.Add([]byte(`{"embeds":null,"message_reference":{"message_id":"1"},"nonce":17,"flags":64}`))
	f.Add([]byte(`{"content":"<@<@!1>"}`))
	s := newServer(Config{}.filled())
	g := s.world.all()[0]
	f.Fuzz(func(t *testing.T, data []byte) {
		q := &query{s: s, rt: &route{}, body: data}
		form, bad := q.form(messageShape())
		if form == nil {
			if !json.Valid(bad.body) {
				t.Errorf("refused with %q", bad.body)
			}
			return
		}
		m, bad := q.build(form, g.id+channelBase+1)
		if m == nil {
			if !json.Valid(bad.body) {
				t.Errorf("refused with %q", bad.body)
			}
			return
		}
		var o jsonOut
		o.messageEvent(s, g, m, false)
		if !json.Valid(o.b) {
			t.Errorf("%q becomes %q", data, o.b)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\n\r\t\x00\x1f\x7f ü \xff\xfe   😀")
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q becomes %q: %v", s, b, err)
		}
		if want := string(bytes.ToValidUTF8([]byte(s), []byte("�"))); utf8.ValidString(s) && back != want {
			t.Errorf("%q becomes %q", s, back)
		}
	})
}

func FuzzPathMatches(f *testing.F) {
	f.Add("/guilds/{g}/**", "/guilds/1/channels")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if pattern == path && !pathMatches(pattern, path) {
			t.Errorf("%q does not match itself", path)
		}
		pathMatches(pattern, path)
	})
}
