package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestAnswersMatchDiscordsSchema makes a request on every route that the simulator has and holds the answers against
// Discord's own description of them, those that go well and refusals.
func TestAnswersMatchDiscordsSchema(t *testing.T) {
	a, err := theSchema()
	if err != nil {
		t.Fatal(err)
	}
	if a == nil {
		t.Skip("no schema: run task openapi, or set " + schemaVariable)
	}
	s := start(t, Config{Seed: 3, RateLimits: RateLimits{Off: true}})
	v := &visitor{t: t, s: s, g: s.Guilds()[0], fine: make(map[string]int)}
	v.prepare()
	v.general()
	v.guild()
	v.channels()
	v.messages()
	v.commands()
	v.interactions()
	v.refusals()
	v.last()
	for _, rt := range allRoutes() {
		if v.fine[rt.name] == 0 {
			t.Errorf("no request on %s went well", rt.name)
		}
	}
	t.Logf("%d routes, %d answers: %v", len(allRoutes()), v.answers, slices.Sorted(maps.Values(v.fine)))
}

// visitor makes requests and has each answer checked.
type visitor struct {
	t       *testing.T
	s       *Server
	g       Guild
	fine    map[string]int // answers of success, by route
	answers int

	guildPath, roomPath string
}

// want makes a request and checks its answer; body "" is none.
func (v *visitor) want(status int, method, path, body string) reply {
	v.t.Helper()
	r := call(v.t, v.s, method, path, body)
	v.answers++
	if r.status != status {
		v.t.Errorf("%s %s: %d, want %d: %.300s", method, path, r.status, status, r.body)
	}
	if r.status < http.StatusMultipleChoices {
		all := v.s.Requests()
		v.fine[all[len(all)-1].Route]++
	}
	return r
}

func (v *visitor) id(r reply) string {
	v.t.Helper()
	id, _ := r.object()["id"].(string)
	return id
}

func (v *visitor) prepare() {
	g := v.g
	v.guildPath, v.roomPath = fmt.Sprintf("/guilds/%d", g.ID), fmt.Sprintf("/channels/%d", g.Channels[0])
	v.s.Ban(g.ID, g.Members[9])
	v.s.ChangeMember(g.ID, g.Members[0], "nick", g.Roles[:2])
}

func (v *visitor) general() {
	v.want(200, "GET", "/gateway", "")
	v.want(200, "GET", "/gateway/bot", "")
	v.want(200, "GET", "/users/@me", "")
	v.want(200, "PATCH", "/users/@me", `{"username":"holdfast"}`)
	v.want(200, "GET", "/users/@me/guilds?with_counts=true", "")
	v.want(200, "GET", fmt.Sprintf("/users/%d", v.g.Members[0]), "")
	v.want(200, "GET", "/applications/@me", "")
	v.want(200, "GET", "/oauth2/applications/@me", "")
}

func (v *visitor) guild() {
	g, base := v.g, v.guildPath
	v.want(200, "GET", base, "")
	v.want(200, "GET", base+"?with_counts=true", "")
	v.want(200, "PATCH", base, `{"name":"kelp","description":"holds"}`)
	v.want(200, "GET", base+"/channels", "")
	v.want(200, "GET", base+"/roles", "")
	v.want(200, "GET", base+"/emojis", "")
	role := v.id(v.want(200, "POST", base+"/roles", `{"name":"new","permissions":"8","color":255,"hoist":true}`))
	v.want(200, "GET", base+"/roles/"+role, "")
	v.want(200, "PATCH", base+"/roles/"+role, `{"name":"newer"}`)
	v.want(200, "GET", base+"/members?limit=100", "")
	v.want(200, "GET", base+"/members/search?limit=10&query=a", "")
	member := fmt.Sprintf("%s/members/%d", base, g.Members[0])
	v.want(200, "GET", member, "")
	v.want(200, "PATCH", member, `{"nick":"kelp","communication_disabled_until":"2099-01-01T00:00:00Z"}`)
	v.want(200, "PATCH", base+"/members/@me", `{"nick":"bot"}`)
	v.want(204, "PUT", member+"/roles/"+role, "")
	v.want(204, "DELETE", member+"/roles/"+role, "")
	v.want(204, "DELETE", base+"/roles/"+role, "")
	v.want(204, "DELETE", fmt.Sprintf("%s/members/%d", base, g.Members[1]), "")
	v.want(200, "GET", base+"/bans", "")
	v.want(200, "GET", fmt.Sprintf("%s/bans/%d", base, g.Members[9]), "")
	v.want(204, "PUT", fmt.Sprintf("%s/bans/%d", base, g.Members[2]), `{"delete_message_seconds":60}`)
	v.want(204, "DELETE", fmt.Sprintf("%s/bans/%d", base, g.Members[9]), "")
}

func (v *visitor) channels() {
	overwrite := fmt.Sprintf(`"permission_overwrites":[{"id":"%d","type":0,"allow":"1024","deny":"2048"}]`, v.g.Roles[0])
	for kind, name := range map[int]string{kindText: "text", kindVoice: "voice", kindCategory: "category"} {
		path := "/channels/" + v.id(v.want(201, "POST", v.guildPath+"/channels", fmt.Sprintf(`{"name":%q,"type":%d,%s}`, name, kind, overwrite)))
		v.want(200, "GET", path, "")
		v.want(200, "PATCH", path, `{"name":"other"}`)
		v.want(200, "DELETE", path, "")
	}
	v.want(204, "POST", v.roomPath+"/typing", "")
	thread := "/channels/" + v.id(v.want(201, "POST", v.roomPath+"/threads", `{"name":"thread","type":11}`))
	v.want(200, "GET", thread, "")
	v.want(200, "GET", v.guildPath+"/threads/active", "")
	v.want(200, "PATCH", thread, `{"archived":true}`)
	said := v.s.Say(v.g.ID, v.g.Channels[0], v.g.Members[0], "a thread's beginning")
	v.want(201, "POST", fmt.Sprintf("%s/messages/%d/threads", v.roomPath, said), `{"name":"thread of a message"}`)
	direct := v.id(v.want(200, "POST", "/users/@me/channels", fmt.Sprintf(`{"recipient_id":"%d"}`, v.g.Members[0])))
	v.want(200, "GET", "/channels/"+direct, "")
	v.want(200, "POST", "/channels/"+direct+"/messages", `{"content":"directly"}`)
}

func (v *visitor) messages() {
	g, base := v.g, v.roomPath+"/messages"
	full := fmt.Sprintf(`{"content":"hello <@%d> <@&%d>","embeds":[{"title":"t","description":"d","color":5,"fields":[{"name":"n","value":"v","inline":true}],`+
		`"footer":{"text":"f"},"author":{"name":"a"},"timestamp":"2026-01-01T00:00:00Z"}],`+
		`"components":[{"type":1,"components":[{"type":2,"style":1,"label":"press","custom_id":"x"},{"type":2,"style":5,"label":"go","url":"https://example.com"}]},`+
		`{"type":1,"components":[{"type":3,"custom_id":"s","options":[{"label":"a","value":"1"}]}]}]}`, g.Members[0], g.Roles[0])
	first := v.id(v.want(200, "POST", base, full))
	v.want(200, "POST", base, fmt.Sprintf(`{"content":"a reply","message_reference":{"message_id":%q}}`, first))
	v.upload(base)
	v.want(200, "GET", base+"/"+first, "")
	v.want(200, "PATCH", base+"/"+first, `{"content":"edited"}`)
	reactions := base + "/" + first + "/reactions"
	v.want(204, "PUT", reactions+"/%F0%9F%91%8D/@me", "")
	n, _ := strconv.ParseUint(first, 10, 64)
	v.s.React(g.ID, g.Channels[0], n, g.Members[0], "👍")
	v.want(200, "GET", reactions+"/%F0%9F%91%8D", "")
	v.want(200, "GET", base+"/"+first, "")
	v.want(204, "DELETE", fmt.Sprintf("%s/%%F0%%9F%%91%%8D/%d", reactions, g.Members[0]), "")
	v.want(204, "DELETE", reactions+"/%F0%9F%91%8D/@me", "")
	v.want(204, "PUT", reactions+"/%F0%9F%91%8D/@me", "")
	v.want(204, "DELETE", reactions+"/%F0%9F%91%8D", "")
	v.want(204, "DELETE", reactions, "")
	v.want(200, "GET", base+"?limit=100", "")
	v.want(204, "DELETE", base+"/"+first, "")
	one, two := v.s.Say(g.ID, g.Channels[0], g.Members[0], "1"), v.s.Say(g.ID, g.Channels[0], g.Members[0], "2")
	v.want(204, "POST", base+"/bulk-delete", fmt.Sprintf(`{"messages":["%d","%d"]}`, one, two))
}

// upload has a file of each kind that clients show in another way.
func (v *visitor) upload(path string) {
	v.t.Helper()
	body := "--b\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: application/json\r\n\r\n{\"content\":\"files\"}\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nkelp\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"files[1]\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\npng\r\n--b--\r\n"
	if r := call(v.t, v.s, "POST", path, body, "Content-Type", "multipart/form-data; boundary=b"); r.status != http.StatusOK {
		v.t.Errorf("upload: %d %s", r.status, r.body)
	}
	v.answers++
}

func (v *visitor) commands() {
	const chat = `{"name":"kelp","description":"holds","name_localizations":{"de":"tang"},"default_member_permissions":"8","options":[` +
		`{"type":1,"name":"sub","description":"d","options":[{"type":3,"name":"text","description":"d","required":true,"choices":[{"name":"a","value":"1"}]},` +
		`{"type":4,"name":"number","description":"d","min_value":1,"max_value":9},{"type":7,"name":"room","description":"d","channel_types":[0]}]}]}`
	app := fmt.Sprintf("/applications/%d", v.s.Bot())
	for _, base := range []string{app + "/commands", app + v.guildPath + "/commands"} {
		id := v.id(v.want(201, "POST", base, chat))
		v.want(201, "POST", base, `{"name":"Look","type":2}`)
		v.want(200, "POST", base, chat)
		v.want(200, "GET", base+"?with_localizations=true", "")
		v.want(200, "GET", base+"/"+id, "")
		v.want(200, "PATCH", base+"/"+id, `{"description":"holds on"}`)
		v.want(204, "DELETE", base+"/"+id, "")
		v.want(200, "PUT", base, `[{"name":"one","description":"d"},{"name":"Two","type":3}]`)
	}
	v.want(200, "GET", app+v.guildPath+"/commands/permissions", "")
}

func (v *visitor) interactions() {
	g := v.g
	answer := func(body string) (callback, hook string) {
		i := v.s.Slash(g.ID, g.Channels[0], g.Members[0], "one")
		callback, hook = fmt.Sprintf("/interactions/%d/%s/callback", i.ID, i.Token), fmt.Sprintf("/webhooks/%d/%s", v.s.Bot(), i.Token)
		v.want(204, "POST", callback, body)
		return callback, hook
	}
	callback, hook := answer(`{"type":4,"data":{"content":"hello","flags":64}}`)
	v.want(400, "POST", callback, `{"type":4,"data":{"content":"again"}}`)
	v.want(200, "GET", hook+"/messages/@original", "")
	v.want(200, "PATCH", hook+"/messages/@original", `{"content":"edited"}`)
	more := v.id(v.want(200, "POST", hook, `{"content":"more"}`))
	v.want(200, "GET", hook+"/messages/"+more, "")
	v.want(200, "PATCH", hook+"/messages/"+more, `{"content":"edited"}`)
	v.want(204, "DELETE", hook+"/messages/"+more, "")
	v.want(204, "DELETE", hook+"/messages/@original", "")
	_, hook = answer(`{"type":5}`)
	v.want(200, "GET", hook+"/messages/@original", "")
	v.want(200, "PATCH", hook+"/messages/@original", `{"content":"late"}`)
	answer(`{"type":9,"data":{"custom_id":"m","title":"t","components":[{"type":1,"components":[{"type":4,"custom_id":"i","style":1,"label":"l"}]}]}}`)
	for _, body := range []string{`{"type":4,"data":{"content":"hello"}}`, `{"type":5}`} {
		i := v.s.Slash(g.ID, g.Channels[0], g.Members[0], "one")
		v.want(200, "POST", fmt.Sprintf("/interactions/%d/%s/callback?with_response=true", i.ID, i.Token), body)
	}
}

// refusals are errors of each form that Discord has.
func (v *visitor) refusals() {
	v.want(404, "GET", "/guilds/1", "")
	v.want(404, "GET", "/channels/1", "")
	v.want(404, "GET", v.roomPath+"/messages/1", "")
	v.want(404, "GET", v.guildPath+"/members/1", "")
	v.want(400, "POST", v.roomPath+"/messages", `{"content":7,"embeds":[{"title":5}]}`)
	v.want(400, "POST", v.roomPath+"/messages", `{`)
	v.want(400, "POST", v.roomPath+"/messages", `{}`)
	said := v.s.Say(v.g.ID, v.g.Channels[0], v.g.Members[0], "not yours")
	v.want(403, "PATCH", fmt.Sprintf("%s/messages/%d", v.roomPath, said), `{"content":"mine"}`)
	r := call(v.t, v.s, "GET", "/users/@me", "", "Authorization", "Bot wrong")
	if r.status != http.StatusUnauthorized {
		v.t.Errorf("a wrong token: %d", r.status)
	}
	v.s.FailREST("GET /users/@me", Failure{Status: 429}, 1)
	v.want(429, "GET", "/users/@me", "")
	v.s.FailREST("GET /gateway/bot", Failure{Status: 429, Global: true}, 1)
	v.want(429, "GET", "/gateway/bot", "")
	v.answers++
}

func (v *visitor) last() {
	v.want(204, "DELETE", "/users/@me"+v.guildPath, "")
}

// TestTheSchemaIsStrict shows that the check finds what is wrong.
func TestTheSchemaIsStrict(t *testing.T) {
	a, err := theSchema()
	if err != nil {
		t.Fatal(err)
	}
	if a == nil {
		t.Skip("no schema: run task openapi, or set " + schemaVariable)
	}
	s := start(t, Config{})
	path := fmt.Sprintf("/guilds/%d", s.Guilds()[0].ID)
	good := get(t, s, path).want(200)
	spoil := func(change func(m map[string]any)) []byte {
		m := good.object()
		change(m)
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	tests := map[string]struct {
		method, path string
		status       int
		kind         string
		body         []byte
	}{
		"a member is missing": {"GET", path, 200, "application/json", spoil(func(m map[string]any) { delete(m, "owner_id") })},
		"an id is a number":   {"GET", path, 200, "application/json", spoil(func(m map[string]any) { m["id"] = 5 })},
		"deep inside":         {"GET", path, 200, "application/json", spoil(func(m map[string]any) { m["roles"].([]any)[0].(map[string]any)["position"] = "1" })},
		"another status":      {"GET", path, 201, "application/json", good.body},
		"another method":      {"PUT", path, 200, "application/json", good.body},
		"another path":        {"GET", path + "/kelp", 200, "application/json", good.body},
		"another type":        {"GET", path, 200, "text/plain", good.body},
		"no JSON":             {"GET", path, 200, "application/json", []byte("{")},
		"an error without":    {"GET", path, 404, "application/json", []byte(`{"code":5}`)},
		"a body with 204":     {"DELETE", path + "/roles/1", 204, "application/json", []byte(`{}`)},
	}
	if err := a.check("GET", path, 200, "application/json", good.body); err != nil {
		t.Errorf("the good one: %v", err)
	}
	for name, test := range tests {
		if err := a.check(test.method, test.path, test.status, test.kind, test.body); err == nil {
			t.Errorf("%s: found nothing", name)
		} else if strings.Contains(err.Error(), "compile") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
