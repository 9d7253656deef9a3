package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

// seen is what the bot gets of an interaction.
type seen struct {
	ID, Token string
	Type      int
	Guild     string `json:"guild_id"`
	Data      struct {
		ID       json.RawMessage // a snowflake of a command, a number of a component
		Name     string
		CustomID string `json:"custom_id"`
		Target   string `json:"target_id"`
		Values   []string
		Options  []json.RawMessage
	}
	Message json.RawMessage
}

func (c *client) interaction() seen {
	c.t.Helper()
	var i seen
	if err := json.Unmarshal(c.until("INTERACTION_CREATE").D, &i); err != nil {
		c.t.Fatal(err)
	}
	return i
}

func callback(i seen) string { return "/interactions/" + i.ID + "/" + i.Token + "/callback" }

func webhook(s *Server, i seen) string { return fmt.Sprintf("/webhooks/%d/%s", s.Bot(), i.Token) }

// noAuth is how interactions are answered: the token in the path is enough.
var noAuth = []string{"Authorization", ""}

func TestSlash(t *testing.T) {
	s := start(t, oneGuild())
	g := s.Guilds()[0]
	call(t, s, "PUT", commandsPath(s), `[{"name":"ping","description":"d"}]`).want(200)
	c := connect(t, s, intentMessages)
	i := s.Slash(g.ID, g.Channels[0], g.Members[0], "ping", Option{Name: "n", Value: 3})
	got := c.interaction()
	if got.ID != fmt.Sprint(i.ID) || got.Type != 2 || got.Guild != fmt.Sprint(g.ID) || got.Data.Name != "ping" ||
		string(got.Data.ID) != fmt.Sprintf("%q", fmt.Sprint(s.Commands(0)[0].ID)) || string(got.Data.Options[0]) != `{"name":"n","type":4,"value":3}` {
		t.Errorf("interaction %+v", got)
	}
	call(t, s, "POST", callback(got), `{"type":4,"data":{"content":"pong"}}`, noAuth...).want(204)
	a, err := i.Wait(t.Context())
	if err != nil || a.Content != "pong" || a.Type != 4 || a.Action != "callback" || a.Took > answerWithin {
		t.Errorf("answer %+v %v", a, err)
	}
	p := c.until("MESSAGE_CREATE")
	var m struct {
		ID       string
		Type     int
		Content  string
		Metadata struct{ ID string } `json:"interaction_metadata"`
	}
	if err := json.Unmarshal(p.D, &m); err != nil || m.ID != fmt.Sprint(a.Message) || m.Type != 20 || m.Content != "pong" || m.Metadata.ID != got.ID {
		t.Errorf("message %s: %v", p.D, err)
	}
	if o := get(t, s, webhook(s, got)+"/messages/@original").want(200).object(); o["content"] != "pong" {
		t.Errorf("@original %v", o)
	}
	call(t, s, "PATCH", webhook(s, got)+"/messages/@original", `{"content":"edited"}`, noAuth...).want(200)
	c.until("MESSAGE_UPDATE")
	f := call(t, s, "POST", webhook(s, got), `{"content":"more","flags":64}`, noAuth...).want(200).object()
	call(t, s, "PATCH", webhook(s, got)+"/messages/"+f["id"].(string), `{"content":"still more"}`).want(200)
	call(t, s, "DELETE", webhook(s, got)+"/messages/@original", "").want(204)
	c.until("MESSAGE_DELETE")
	get(t, s, webhook(s, got)+"/messages/@original").want(404)
	actions := ""
	for _, a := range i.Answers() {
		actions += a.Action + " "
	}
	if actions != "callback edit followup edit delete " {
		t.Errorf("answers %s", actions)
	}
	wantBreaches(t, s, nil)
	if n := s.Counts(); n.Interactions != 1 || n.Unanswered != 0 {
		t.Errorf("interactions %d, unanswered %d", n.Interactions, n.Unanswered)
	}
}

func TestDeferred(t *testing.T) {
	s := start(t, oneGuild())
	g := s.Guilds()[0]
	c := connect(t, s, 0)
	for _, way := range []string{"PATCH", "POST"} {
		i := s.Slash(g.ID, g.Channels[0], g.Members[0], "slow")
		got := c.interaction()
		o := call(t, s, "POST", callback(got)+"?with_response=true", `{"type":5,"data":{"flags":64}}`).want(200).object()
		if r := o["interaction"].(map[string]any); r["response_message_loading"] != true || r["response_message_ephemeral"] != true || r["id"] != got.ID {
			t.Errorf("with_response %v", o)
		}
		path := webhook(s, got)
		if way == "PATCH" {
			path += "/messages/@original"
		}
		call(t, s, way, path, `{"content":"done"}`, noAuth...).want(200)
		a, err := i.WaitMessage(t.Context())
		if err != nil || a.Content != "done" || !a.Ephemeral {
			t.Errorf("%s: %+v %v", way, a, err)
		}
		if first := i.Answers()[0]; a.Message != first.Message || first.Type != 5 {
			t.Errorf("%s: the answer is message %d, the deferral %d", way, a.Message, first.Message)
		}
	}
	wantBreaches(t, s, nil)
}

func TestComponentsAndModals(t *testing.T) {
	s := start(t, oneGuild())
	g := s.Guilds()[0]
	c := connect(t, s, intentMessages)
	m := call(t, s, "POST", fmt.Sprintf("/channels/%d/messages", g.Channels[0]),
		`{"content":"vote","components":[{"type":1,"components":[{"type":2,"style":1,"label":"A","custom_id":"vote:a"}]}]}`).want(200).object()
	id, _ := parseID(m["id"].(string))
	row := m["components"].([]any)[0].(map[string]any)
	if row["id"] != 1.0 || row["components"].([]any)[0].(map[string]any)["id"] != 2.0 {
		t.Errorf("components %v", row)
	}
	click := s.Click(g.ID, g.Channels[0], g.Members[0], id, "vote:a")
	got := c.interaction()
	if got.Type != 3 || got.Data.CustomID != "vote:a" || len(got.Message) == 0 {
		t.Errorf("click %+v", got)
	}
	call(t, s, "POST", callback(got), `{"type":7,"data":{"content":"voted"}}`).want(204)
	if a, err := click.Wait(t.Context()); err != nil || a.Message != id {
		t.Errorf("update %+v %v", a, err)
	}
	if p := c.until("MESSAGE_UPDATE"); !json.Valid(p.D) || contentOf(p) != "" && contentOf(p) != "voted" {
		t.Errorf("update %s", p.D)
	}
	s.Click(g.ID, g.Channels[0], g.Members[0], id, "vote:b", "x", "y")
	got = c.interaction()
	if fmt.Sprint(got.Data.Values) != "[x y]" {
		t.Errorf("values %v", got.Data.Values)
	}
	call(t, s, "POST", callback(got), `{"type":9,"data":{"custom_id":"form:1","title":"Form","components":[{"type":18,"label":"L","component":{"type":4,"custom_id":"t"}}]}}`).want(204)
	submit := s.Submit(g.ID, g.Channels[0], g.Members[0], "form:1", map[string]string{"t": "text"})
	got = c.interaction()
	if got.Type != 5 || got.Data.CustomID != "form:1" {
		t.Errorf("submit %+v", got)
	}
	call(t, s, "POST", callback(got), `{"type":4,"data":{"content":"thanks"}}`).want(204)
	if a, err := submit.WaitMessage(t.Context()); err != nil || a.Content != "thanks" {
		t.Errorf("answer %+v %v", a, err)
	}
	complete := s.Autocomplete(g.ID, g.Channels[0], g.Members[0], "find", Option{Name: "q", Value: "a", Focused: true})
	got = c.interaction()
	if got.Type != 4 || string(got.Data.Options[0]) != `{"name":"q","type":3,"value":"a","focused":true}` {
		t.Errorf("autocomplete %+v", got)
	}
	call(t, s, "POST", callback(got), `{"type":8,"data":{"choices":[{"name":"A","value":"a"}]}}`).want(204)
	if a, err := complete.Wait(t.Context()); err != nil || a.Type != 8 {
		t.Errorf("choices %+v %v", a, err)
	}
	s.Menu(g.ID, g.Channels[0], g.Members[0], "Look", 2, g.Members[1])
	if got = c.interaction(); got.Data.Target != fmt.Sprint(g.Members[1]) {
		t.Errorf("menu %+v", got)
	}
	s.Slash(g.ID, g.Channels[0], g.Members[0], "config set", Option{Name: "k", Value: true})
	if got = c.interaction(); got.Data.Name != "config" || string(got.Data.Options[0]) != `{"name":"set","type":1,"options":[{"name":"k","type":5,"value":true}]}` {
		t.Errorf("subcommand %+v %s", got, got.Data.Options)
	}
	wantBreaches(t, s, nil)
}

func TestInteractionBreaches(t *testing.T) {
	tests := []struct {
		name   string
		kind   int // 0: a slash command
		age    time.Duration
		first  string // an answer before
		path   func(s *Server, i seen) string
		body   string
		status int
		code   int
		rule   Rule
	}{
		{name: "twice", first: `{"type":5}`, body: `{"type":4,"data":{"content":"x"}}`, status: 400, code: 40060, rule: RuleAnsweredTwice},
		{name: "after 3 s", age: 3100 * time.Millisecond, body: `{"type":5}`, status: 404, code: 10062, rule: RuleAnsweredLate},
		{name: "unknown", path: func(_ *Server, i seen) string { return "/interactions/" + i.ID + "/no/callback" }, body: `{"type":5}`, status: 404, code: 10062, rule: RuleInteraction},
		{name: "update of a command", body: `{"type":7,"data":{"content":"x"}}`, status: 400, code: 50035, rule: RuleWrongAnswer},
		{name: "choices for a command", body: `{"type":8,"data":{"choices":[]}}`, status: 400, code: 50035, rule: RuleWrongAnswer},
		{name: "autocomplete deferred", kind: KindAutocomplete, body: `{"type":5}`, status: 400, code: 50035, rule: RuleWrongAnswer},
		{name: "no type", body: `{}`, status: 400, code: 50035, rule: RuleForm},
		{name: "empty message", body: `{"type":4,"data":{}}`, status: 400, code: 50006, rule: RuleEmptyMessage},
		{name: "modal without components", body: `{"type":9,"data":{"custom_id":"x","title":"t"}}`, status: 400, code: 50035, rule: RuleForm},
		{name: "follow-up before the answer", path: webhook, body: `{"content":"x"}`, status: 404, code: 10015, rule: RuleUnacknowledged},
		{name: "follow-up after 15 min", first: `{"type":5}`, age: 16 * time.Minute, path: webhook, body: `{"content":"x"}`, status: 401, code: 50027, rule: RuleFollowUp},
		{name: "follow-up of nothing", path: func(s *Server, _ seen) string { return fmt.Sprintf("/webhooks/%d/no", s.Bot()) }, body: `{"content":"x"}`, status: 404, code: 10015, rule: RuleInteraction},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, oneGuild())
			g := s.Guilds()[0]
			c := connect(t, s, 0)
			var i *Interaction
			if tt.kind == KindAutocomplete {
				i = s.Autocomplete(g.ID, g.Channels[0], g.Members[0], "x")
			} else {
				i = s.Slash(g.ID, g.Channels[0], g.Members[0], "x")
			}
			got := c.interaction()
			if tt.first != "" {
				call(t, s, "POST", callback(got), tt.first).want(204)
			}
			i.mu.Lock()
			i.Created = i.Created.Add(-tt.age) // as if so much time had passed
			i.mu.Unlock()
			path := callback(got)
			if tt.path != nil {
				path = tt.path(s, got)
			}
			if r := call(t, s, "POST", path, tt.body).want(tt.status); r.code() != tt.code {
				t.Errorf("code %d, want %d: %s", r.code(), tt.code, r.body)
			}
			wantBreaches(t, s, map[Rule]int{tt.rule: 1})
		})
	}
}

func TestUnanswered(t *testing.T) {
	s := start(t, oneGuild())
	g := s.Guilds()[0]
	i := s.Slash(g.ID, g.Channels[0], g.Members[0], "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := i.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	i.mu.Lock()
	i.Created = i.Created.Add(-answerWithin)
	i.mu.Unlock()
	if _, err := i.Wait(t.Context()); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("after 3 s: %v", err)
	}
	eventually(t, "it counts as unanswered", func() bool { return s.Counts().Unanswered == 1 })
	wantBreaches(t, s, nil)
}
