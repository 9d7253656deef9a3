package router_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// TestInteractionsOfUnknownForm: fields of other types than Discord's documentation
// has, none, or more than it knows. What has an id and a token is answered in time,
// whatever else it is; what has not goes to whoever asked for interactions and harms
// nobody.
func TestInteractionsOfUnknownForm(t *testing.T) {
	const id = "1456074443980800001" // in the bubble's time
	for name, test := range map[string]struct {
		data string
		want []string
	}{
		"unknown type":      {`{"id":"` + id + `","token":"tok/en","type":9,"data":{}}`, []string{deferred}},
		"no type":           {`{"id":"` + id + `","token":"tok/en"}`, []string{deferred}},
		"data null":         {`{"id":"` + id + `","token":"tok/en","type":2,"data":null}`, []string{deferred}},
		"data a list":       {`{"id":"` + id + `","token":"tok/en","type":2,"data":[1]}`, []string{deferred}},
		"name a number":     {`{"type":2,"data":{"name":7,"options":{}},"id":"` + id + `","token":"tok/en"}`, []string{deferred}},
		"type a string":     {`{"type":"2","data":{"name":"plain"},"id":"` + id + `","token":"tok/en"}`, []string{deferred}},
		"command of type 9": {`{"type":2,"data":{"name":"plain","type":9},"id":"` + id + `","token":"tok/en"}`, []string{deferred}},
		"message a string":  {`{"type":3,"data":{"custom_id":"x"},"message":"?","id":"` + id + `","token":"tok/en"}`, []string{updating}},
		"custom id a list":  {`{"type":3,"data":{"custom_id":[]},"id":"` + id + `","token":"tok/en"}`, []string{updating}},
		"user installed":    {`{"type":2,"context":2,"authorizing_integration_owners":{"1":"5"},"data":{"name":"else"},"id":"` + id + `","token":"tok/en"}`, []string{deferred}},
		"no token":          {`{"id":"` + id + `","type":2,"data":{"name":"else"}}`, nil},
		"token a number":    {`{"id":"` + id + `","token":5,"type":2}`, nil},
		"no id":             {`{"token":"tok/en","type":2,"data":{"name":"else"}}`, nil},
		"id a number":       {`{"id":` + id + `,"token":"tok/en","type":2}`, nil},
		"id no number":      {`{"id":"../x","token":"tok/en","type":2}`, nil},
		"id negative":       {`{"id":"-1","token":"tok/en","type":2}`, nil},
		"id too large":      {`{"id":"99999999999999999999","token":"tok/en","type":2}`, nil},
		"no object":         {`[]`, nil},
		"no JSON":           {`{"id":`, nil},
		"nothing":           {``, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // it waited in the journal
				w := newWorld(t)
				w.discord.exists(id, time.Now())
				w.interactions = router.NewInteractions(w.InteractionsConfig)
				r := router.New(router.Config{
					Plugins: []router.Plugin{&target{name: "raw", events: []string{"INTERACTION_CREATE"}}}, Interactions: w.interactions,
				})
				e := &wire.Event{Name: "INTERACTION_CREATE", Received: time.Now().UnixNano(), Data: []byte(test.data)}
				if !r.Owns("raw", e) || !w.interactions.Hand(e) {
					t.Error("it is not handed to its plugin")
				}
				time.Sleep(2500 * time.Millisecond)
				if len(w.discord.came()) != len(test.want) {
					t.Errorf("came to Discord %v", w.discord.came())
				}
			})
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.discord.exists(id, time.Now())
				w.interactions = router.NewInteractions(w.InteractionsConfig)
				owners, err := router.MergeOwners([]*wire.Manifest{w.manifest})
				if err != nil {
					t.Fatal(err)
				}
				all := &target{name: "raw", events: []string{"INTERACTION_CREATE"}}
				r := route(t, router.Config{Plugins: []router.Plugin{all}, Owners: owners, Interactions: w.interactions},
					gateway.Event{Name: "INTERACTION_CREATE", Received: time.Now(), Data: []byte(test.data)})
				if len(all.got) != 1 {
					t.Fatalf("delivered %d times", len(all.got))
				}
				e := all.got[0]
				if !w.interactions.Hand(e) || !r.Owns("raw", e) {
					t.Error("it is not handed to its plugin")
				}
				time.Sleep(2500 * time.Millisecond)
				w.wantSeen(&wire.Event{Data: fmt.Appendf(nil, `{"id":%q}`, id)}, test.want...)
				w.interactions.Done(e, false)
				w.interactions.Lost(e)
			})
		})
	}
}

// TestFollowUpBeforeTheAnswer: Discord knows no webhook then, and the author is told
// what to do; afterwards all is as ever.
func TestFollowUpBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.come(2, "plain", 0, nil)
		w.interactions.Hand(e)
		for _, r := range [][2]string{{"POST", "/webhooks/99/tok%2Fen"}, {"PATCH", "/webhooks/99/tok%2Fen/messages/@original"}} {
			if status, code, message := w.request(r[0], r[1], `{"content":"a"}`); status != 404 || code != 10015 || !strings.Contains(message, "CreateInteractionResponse first") {
				t.Errorf("%v: %d %d %s", r, status, code, message)
			}
		}
		w.discord.breach = nil // meant
		w.answer(e, `{"type":4,"data":{"content":"a"}}`)
		if status, _, _ := w.request("POST", "/webhooks/99/tok%2Fen", `{"content":"b"}`); status != 200 {
			t.Errorf("after the answer: %d", status)
		}
		if s := w.interactions.Status(); s != (router.InteractionStatus{}) {
			t.Errorf("status %+v", s)
		}
	})
}
