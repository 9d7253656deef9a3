package simulator

import "testing"

// TestUnknownOriginal: an edit of @original needs one. Modals and choices have
// none, a deleted one is gone, and before the answer there is no webhook.
func TestUnknownOriginal(t *testing.T) {
	for name, test := range map[string]struct {
		kind   int
		answer string
		remove bool
		code   int
		rules  map[Rule]int
	}{
		"modal":             {KindCommand, `{"type":9,"data":{"custom_id":"x","title":"t","components":[{"type":18,"label":"L","component":{"type":4,"custom_id":"t"}}]}}`, false, 10008, nil},
		"choices":           {KindAutocomplete, `{"type":8,"data":{"choices":[]}}`, false, 10008, nil},
		"deleted":           {KindCommand, `{"type":5}`, true, 10008, nil},
		"before the answer": {KindCommand, "", false, 10015, map[Rule]int{RuleUnacknowledged: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, oneGuild())
			g := s.Guilds()[0]
			c := connect(t, s, 0)
			if test.kind == KindAutocomplete {
				s.Autocomplete(g.ID, g.Channels[0], g.Members[0], "x")
			} else {
				s.Slash(g.ID, g.Channels[0], g.Members[0], "x")
			}
			got := c.interaction()
			if test.answer != "" {
				call(t, s, "POST", callback(got), test.answer).want(204)
			}
			original := webhook(s, got) + "/messages/@original"
			if test.remove {
				call(t, s, "DELETE", original, "").want(204)
			}
			if r := call(t, s, "PATCH", original, `{"content":"x"}`).want(404); r.code() != test.code {
				t.Errorf("code %d, want %d", r.code(), test.code)
			}
			wantBreaches(t, s, test.rules)
		})
	}
}
