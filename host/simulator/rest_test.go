package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRESTRefuses(t *testing.T) {
	long := strings.Repeat("x", 2001)
	tests := []struct {
		name, method, path, body string
		header                   []string
		status, code             int
		rule                     Rule
	}{
		{name: "no Authorization", method: "GET", path: "/users/@me", header: []string{"Authorization", ""}, status: 401, rule: RuleUnauthorized},
		{name: "wrong token", method: "GET", path: "/users/@me", header: []string{"Authorization", "Bot no"}, status: 401, rule: RuleUnauthorized},
		{name: "token without Bot", method: "GET", path: "/users/@me", header: []string{"Authorization", defaultToken}, status: 401, rule: RuleUnauthorized},
		{name: "no User-Agent", method: "GET", path: "/users/@me", header: []string{"User-Agent", ""}, status: 403, code: 40333, rule: RuleUserAgent},
		{name: "a browser's User-Agent", method: "GET", path: "/users/@me", header: []string{"User-Agent", "Mozilla/5.0"}, status: 403, code: 40333, rule: RuleUserAgent},
		{name: "body not JSON", method: "POST", path: "/channels/C/messages", body: `{"content":`, status: 400, code: 50109, rule: RuleBody},
		{name: "body is a list", method: "POST", path: "/channels/C/messages", body: `[]`, status: 400, code: 50035, rule: RuleForm},
		{name: "body of another type", method: "POST", path: "/channels/C/messages", body: `content=x`, header: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 400, code: 50035, rule: RuleForm},
		{name: "content too long", method: "POST", path: "/channels/C/messages", body: `{"content":"` + long + `"}`, status: 400, code: 50035, rule: RuleForm},
		{name: "content is an object", method: "POST", path: "/channels/C/messages", body: `{"content":{}}`, status: 400, code: 50035, rule: RuleForm},
		{name: "empty message", method: "POST", path: "/channels/C/messages", body: `{}`, status: 400, code: 50006, rule: RuleEmptyMessage},
		{name: "11 embeds", method: "POST", path: "/channels/C/messages", body: `{"embeds":[{},{},{},{},{},{},{},{},{},{},{}]}`, status: 400, code: 50035, rule: RuleForm},
		{name: "embed field without a value", method: "POST", path: "/channels/C/messages", body: `{"embeds":[{"fields":[{"name":"x"}]}]}`, status: 400, code: 50035, rule: RuleForm},
		{name: "edit of a user's message", method: "PATCH", path: "/channels/C/messages/M", body: `{"content":"x"}`, status: 403, code: 50005, rule: RuleForeignAuthor},
		{name: "unknown route", method: "GET", path: "/nothing", status: 404},
		{name: "unknown channel", method: "GET", path: "/channels/1", status: 404, code: 10003},
		{name: "unknown guild", method: "GET", path: "/guilds/1", status: 404, code: 10004},
		{name: "unknown message", method: "GET", path: "/channels/C/messages/1", status: 404, code: 10008},
		{name: "unknown member", method: "GET", path: "/guilds/G/members/1", status: 404, code: 10007},
		{name: "member @me", method: "GET", path: "/guilds/G/members/@me", status: 400, code: 50035, rule: RuleForm},
		{name: "unknown role", method: "DELETE", path: "/guilds/G/roles/1", status: 404, code: 10011},
		{name: "another application's commands", method: "GET", path: "/applications/1/commands", status: 403, code: 20012},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, oneGuild())
			g := s.Guilds()[0]
			m := s.Say(g.ID, g.Channels[0], g.Members[0], "hello")
			path := strings.NewReplacer("C", fmt.Sprint(g.Channels[0]), "G", fmt.Sprint(g.ID), "M", fmt.Sprint(m)).Replace(tt.path)
			r := call(t, s, tt.method, path, tt.body, tt.header...).want(tt.status)
			if r.code() != tt.code {
				t.Errorf("code %d, want %d: %s", r.code(), tt.code, r.body)
			}
			want := map[Rule]int{}
			if tt.rule != "" {
				want[tt.rule] = 1
			}
			wantBreaches(t, s, want)
		})
	}
}

func TestFormErrors(t *testing.T) {
	s := start(t, oneGuild())
	g := s.Guilds()[0]
	r := call(t, s, "POST", fmt.Sprintf("/channels/%d/messages", g.Channels[0]), `{"tts":3,"embeds":[{},{"fields":[{"name":"n"}]}]}`).want(400)
	var e struct {
		Errors struct {
			TTS struct {
				Errors []struct{ Code string } `json:"_errors"`
			}
			Embeds map[string]struct {
				Fields map[string]struct {
					Value struct {
						Errors []struct{ Code string } `json:"_errors"`
					}
				}
			}
		}
	}
	if err := json.Unmarshal(r.body, &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Errors.TTS.Errors) != 1 || e.Errors.TTS.Errors[0].Code != "BASE_TYPE_BAD_TYPE" ||
		len(e.Errors.Embeds["1"].Fields["0"].Value.Errors) != 1 || len(e.Errors.Embeds) != 1 {
		t.Errorf("errors %s", r.body)
	}
}

func TestMessagesByREST(t *testing.T) {
	s := start(t, oneGuild())
	g := s.Guilds()[0]
	ch := fmt.Sprintf("/channels/%d", g.Channels[0])
	c := connect(t, s, intentMessages|intentReactions|intentTyping)
	m := call(t, s, "POST", ch+"/messages", `{"content":"one <@5>","embeds":[{"title":"t"}],"nonce":"7"}`).want(200).object()
	if m["content"] != "one <@5>" || m["nonce"] != "7" || m["author"].(map[string]any)["bot"] != true {
		t.Errorf("message %v", m)
	}
	p := c.until("MESSAGE_CREATE")
	var ev map[string]any
	if err := json.Unmarshal(p.D, &ev); err != nil || ev["id"] != m["id"] || ev["guild_id"] != fmt.Sprint(g.ID) || ev["content"] != "one <@5>" {
		t.Errorf("event %s: %v", p.D, err)
	}
	one := ch + "/messages/" + m["id"].(string)
	if e := call(t, s, "PATCH", one, `{"content":"two"}`).want(200).object(); e["content"] != "two" || e["edited_timestamp"] == nil || len(e["embeds"].([]any)) != 1 {
		t.Errorf("edited %v", e)
	}
	c.until("MESSAGE_UPDATE")
	call(t, s, "PUT", one+"/reactions/%F0%9F%91%8D/@me", "").want(204)
	if p := c.until("MESSAGE_REACTION_ADD"); !strings.Contains(string(p.D), `"name":"👍"`) {
		t.Errorf("reaction %s", p.D)
	}
	if l := get(t, s, one+"/reactions/%F0%9F%91%8D").want(200).list(); len(l) != 1 {
		t.Errorf("reactions %v", l)
	}
	time.Sleep(reactLimit().Per)
	call(t, s, "DELETE", one+"/reactions/%F0%9F%91%8D/@me", "").want(204)
	c.until("MESSAGE_REACTION_REMOVE")
	call(t, s, "POST", ch+"/typing", "").want(204)
	c.until("TYPING_START")
	if l := get(t, s, ch+"/messages?limit=5").want(200).list(); len(l) != 1 {
		t.Errorf("messages %v", l)
	}
	call(t, s, "DELETE", one, "").want(204)
	c.until("MESSAGE_DELETE")
	get(t, s, one).want(404)
	wantBreaches(t, s, nil)
}

func TestUpload(t *testing.T) {
	s := start(t, oneGuild())
	ch := fmt.Sprintf("/channels/%d/messages", s.Guilds()[0].Channels[0])
	upload := func(size int) reply {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		_ = w.WriteField("payload_json", `{"content":"see"}`)
		f, err := w.CreateFormFile("files[0]", "a.txt")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(make([]byte, size))
		_ = w.Close()
		return call(t, s, "POST", ch, body.String(), "Content-Type", w.FormDataContentType())
	}
	m := upload(1000).want(200).object()
	if a := m["attachments"].([]any); len(a) != 1 || a[0].(map[string]any)["filename"] != "a.txt" || a[0].(map[string]any)["size"] != 1000.0 {
		t.Errorf("attachments %v", m["attachments"])
	}
	wantBreaches(t, s, nil)
	if r := upload(10<<20 + 1).want(413); r.code() != 40005 {
		t.Errorf("code %d", r.code())
	}
	wantBreaches(t, s, map[Rule]int{RuleTooLarge: 1})
}

// What REST changes, REST shows and the gateway tells.
func TestGuildByREST(t *testing.T) {
	s := start(t, oneGuild())
	g := s.Guilds()[0]
	base := fmt.Sprintf("/guilds/%d", g.ID)
	c := connect(t, s, intentGuilds|intentMembers|intentModeration)
	if o := get(t, s, base+"?with_counts=true").want(200).object(); o["approximate_member_count"] != 11.0 || len(o["roles"].([]any)) != 5 {
		t.Errorf("guild %v", o)
	}
	call(t, s, "PATCH", base, `{"name":"other"}`).want(200)
	c.until("GUILD_UPDATE")
	if o := get(t, s, base).want(200).object(); o["name"] != "other" {
		t.Errorf("name %v", o["name"])
	}
	ch := call(t, s, "POST", base+"/channels", `{"name":"new","topic":"t"}`).want(201).object()
	c.until("CHANNEL_CREATE")
	if l := get(t, s, base+"/channels").want(200).list(); len(l) != 8 {
		t.Errorf("%d channels, want 8", len(l))
	}
	one := "/channels/" + ch["id"].(string)
	if o := call(t, s, "PATCH", one, `{"name":"newer"}`).want(200).object(); o["name"] != "newer" || o["topic"] != "t" {
		t.Errorf("channel %v", o)
	}
	c.until("CHANNEL_UPDATE")
	call(t, s, "POST", one+"/threads", `{"name":"thread","type":11}`).want(201)
	c.until("THREAD_CREATE")
	if o := get(t, s, base+"/threads/active").want(200).object(); len(o["threads"].([]any)) != 2 {
		t.Errorf("threads %v", o)
	}
	call(t, s, "DELETE", one, "").want(200)
	c.until("CHANNEL_DELETE")
	role := call(t, s, "POST", base+"/roles", `{"name":"r","permissions":"8"}`).want(200).object()
	c.until("GUILD_ROLE_CREATE")
	member := fmt.Sprintf("%s/members/%d", base, g.Members[0])
	call(t, s, "PUT", member+"/roles/"+role["id"].(string), "").want(204)
	c.until("GUILD_MEMBER_UPDATE")
	if o := get(t, s, member).want(200).object(); len(o["roles"].([]any)) != 2 {
		t.Errorf("member %v", o)
	}
	call(t, s, "DELETE", base+"/roles/"+role["id"].(string), "").want(204)
	c.until("GUILD_ROLE_DELETE")
	call(t, s, "PUT", base+"/bans/"+fmt.Sprint(g.Members[1]), `{}`, "X-Audit-Log-Reason", "spam").want(204)
	c.until("GUILD_BAN_ADD")
	c.until("GUILD_MEMBER_REMOVE")
	if l := get(t, s, base+"/bans").want(200).list(); l[0].(map[string]any)["reason"] != "spam" {
		t.Errorf("bans %v", l)
	}
	get(t, s, fmt.Sprintf("%s/members/%d", base, g.Members[1])).want(404)
	if l := get(t, s, base+"/members?limit=1000").want(200).list(); len(l) != 10 {
		t.Errorf("%d members, want 10", len(l))
	}
	if o := get(t, s, fmt.Sprintf("%s/members/%d", base, s.Bot())).want(200).object(); len(o["roles"].([]any)) != 1 {
		t.Errorf("own member %v", o)
	}
	call(t, s, "DELETE", "/users/@me"+base, "").want(204)
	if p := c.until("GUILD_DELETE"); strings.Contains(string(p.D), "unavailable") {
		t.Errorf("removal %s", p.D)
	}
	get(t, s, base).want(404)
	wantBreaches(t, s, nil)
}

func TestApplicationAndGateway(t *testing.T) {
	s := start(t, Config{Shards: 3, MaxConcurrency: 2, SessionStarts: 7})
	o := get(t, s, "/gateway/bot").want(200).object()
	limit := o["session_start_limit"].(map[string]any)
	if o["shards"] != 3.0 || limit["max_concurrency"] != 2.0 || limit["remaining"] != 7.0 || limit["total"] != 7.0 || o["url"] != s.GatewayURL() {
		t.Errorf("gateway/bot %v", o)
	}
	for _, path := range []string{"/users/@me", "/applications/@me", "/oauth2/applications/@me"} {
		if o := get(t, s, path).want(200).object(); o["id"] != fmt.Sprint(s.Bot()) {
			t.Errorf("%s: %v", path, o)
		}
	}
	if l := get(t, s, "/users/@me/guilds").want(200).list(); len(l) != 2 {
		t.Errorf("guilds %v", l)
	}
	if o := call(t, s, "POST", "/users/@me/channels", `{"recipient_id":"5"}`).want(200).object(); o["type"] != 1.0 {
		t.Errorf("direct channel %v", o)
	}
	var reqs int
	for _, r := range s.Requests() {
		if r.Method == http.MethodPost && r.Route == "POST /users/@me/channels" && r.Status == 200 && string(r.Body) == `{"recipient_id":"5"}` {
			reqs++
		}
	}
	if reqs != 1 {
		t.Errorf("request log %+v", s.Requests())
	}
	wantBreaches(t, s, nil)
}
