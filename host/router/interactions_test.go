package router_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"mime/multipart"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	deferred  = `host POST /interactions/{id}/TOKEN/callback {"type":5}`
	ephemeral = `host POST /interactions/{id}/TOKEN/callback {"data":{"flags":64},"type":5}`
	updating  = `host POST /interactions/{id}/TOKEN/callback {"type":6}`
	busy      = `host POST /interactions/{id}/TOKEN/callback {"data":{"content":"This is temporarily unavailable. Please try again in a moment.","flags":64},"type":4}`
)

// TestAnswerInTimePassesAsItIs: and nothing else is sent, then or later.
func TestAnswerInTimePassesAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.come(2, "plain", 0, nil)
		time.Sleep(1900 * time.Millisecond)
		if status, _, _ := w.answer(e, `{"type":4,"data":{"content":"a"}}`); status != 204 {
			t.Errorf("answered %d", status)
		}
		time.Sleep(time.Hour)
		w.wantSeen(e, `p POST /interactions/{id}/TOKEN/callback {"type":4,"data":{"content":"a"}}`)
		if s := w.interactions.Status(); s != (router.InteractionStatus{}) {
			t.Errorf("status %+v", s)
		}
	})
}

// TestTheHostDefers: at 2 s from the interaction's creation, by kind and setting.
func TestTheHostDefers(t *testing.T) {
	fromMessage := func(_ *gateway.Event, f map[string]any) { f["message"] = map[string]any{"id": "1"} }
	for name, test := range map[string]struct {
		kind   int
		name   string
		change func(*gateway.Event, map[string]any)
		want   []string
	}{
		"command":              {2, "plain", nil, []string{deferred}},
		"ephemeral command":    {2, "secret", nil, []string{ephemeral}},
		"component":            {3, "vote:a", nil, []string{updating}},
		"component by message": {3, "vote:public:a", nil, []string{deferred}},
		"modal":                {5, "form:a", nil, []string{deferred}},
		"modal of a message":   {5, "form:a", fromMessage, []string{updating}},
		"autocomplete":         {4, "plain", nil, []string{`host POST /interactions/{id}/TOKEN/callback {"data":{"choices":[]},"type":8}`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				e := w.come(test.kind, test.name, 300*time.Millisecond, test.change)
				w.interactions.Hand(e)
				time.Sleep(1699 * time.Millisecond)
				synctest.Wait()
				w.wantSeen(e)
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				w.wantSeen(e, test.want...)
				time.Sleep(time.Minute)
				w.wantSeen(e, test.want...)
			})
		})
	}
}

// TestNeverDeferred: the plugin has all the time that there is; if it does not use
// it its user is told at the last moment.
func TestNeverDeferred(t *testing.T) {
	const modal = `{"type":9,"data":{"custom_id":"form:a","title":"t","components":[]}}`
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.come(2, "never", 0, nil)
		w.interactions.Hand(e)
		time.Sleep(2600 * time.Millisecond)
		if status, _, _ := w.answer(e, modal); status != 204 {
			t.Errorf("answered %d", status)
		}
		time.Sleep(time.Minute)
		w.wantSeen(e, `p POST /interactions/{id}/TOKEN/callback `+modal)
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.come(2, "never", 0, nil)
		w.interactions.Hand(e)
		time.Sleep(time.Minute)
		w.wantSeen(e, `host POST /interactions/{id}/TOKEN/callback {"data":{"content":"This took too long. Please try again.","flags":64},"type":4}`)
		if _, code, _ := w.answer(e, modal); code != 40060 {
			t.Errorf("the modal then: %d", code)
		}
	})
}

// TestThePluginsOwnDeferral is the default of what says nothing by itself.
func TestThePluginsOwnDeferral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manifest.Deferral = wire.Deferral_DEFERRAL_EPHEMERAL
		e := w.come(2, "plain", 0, nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.wantSeen(e, ephemeral)
	})
}

// TestLateAnswers: what comes after the host's deferral, by kind.
func TestLateAnswers(t *testing.T) {
	const (
		edit     = `p PATCH /webhooks/99/TOKEN/messages/@original `
		followUp = `p POST /webhooks/99/TOKEN `
		remove   = `p DELETE /webhooks/99/TOKEN/messages/@original `
	)
	for name, test := range map[string]struct {
		kind    int
		name    string
		first   string // what the host did
		body    string
		want    []string
		code    int
		message string // part of the refusal
	}{
		"message after a message":  {2, "plain", deferred, `{"type":4,"data":{"content":"a","tts":true,"flags":4100}}`, []string{edit + `{"content":"a","flags":4}`}, 0, ""},
		"message, ephemeral":       {2, "secret", ephemeral, `{"type":4,"data":{"content":"a","flags":64}}`, []string{edit + `{"content":"a"}`}, 0, ""},
		"secret after public":      {2, "plain", deferred, `{"type":4,"data":{"content":"a","flags":64}}`, []string{remove, followUp + `{"content":"a","flags":64}`}, 0, ""},
		"public after ephemeral":   {2, "secret", ephemeral, `{"type":4,"data":{"content":"a"}}`, []string{edit + `{"content":"a"}`}, 0, ""},
		"message after an update":  {3, "vote:a", updating, `{"type":4,"data":{"content":"a","flags":64}}`, []string{followUp + `{"content":"a","flags":64}`}, 0, ""},
		"update after an update":   {3, "vote:a", updating, `{"type":7,"data":{"content":"a"}}`, []string{edit + `{"content":"a"}`}, 0, ""},
		"update after a message":   {3, "vote:public:a", deferred, `{"type":7,"data":{"content":"a"}}`, nil, 50035, "deferred this as a message"},
		"modal after a message":    {2, "plain", deferred, `{"type":9,"data":{"custom_id":"form:a","title":"t","components":[]}}`, nil, 50035, "open a modal within 2 s"},
		"modal after an update":    {3, "vote:a", updating, `{"type":9,"data":{"custom_id":"form:a","title":"t","components":[]}}`, nil, 50035, "open a modal within 2 s"},
		"own deferral":             {2, "plain", deferred, `{"type":5,"data":{"flags":64}}`, nil, 0, ""},
		"own update":               {3, "vote:a", updating, `{"type":6}`, nil, 0, ""},
		"choices after the host's": {4, "plain", `host POST /interactions/{id}/TOKEN/callback {"data":{"choices":[]},"type":8}`, `{"type":8,"data":{"choices":[]}}`, nil, 10062, "autocomplete cannot be deferred"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				e := w.come(test.kind, test.name, 0, nil)
				time.Sleep(5 * time.Second)
				status, code, message := w.answer(e, test.body)
				if code != test.code || !strings.Contains(message, test.message) || test.code == 0 && status != 204 {
					t.Errorf("answered %d %d %q", status, code, message)
				}
				w.wantSeen(e, append([]string{test.first}, test.want...)...)
				if test.code == 0 {
					if _, code, _ := w.answer(e, `{"type":4,"data":{"content":"b"}}`); code != 40060 {
						t.Errorf("a second answer got %d", code)
					}
				}
			})
		})
	}
}

// TestApologyAfterALateModal: a refused answer leaves the deferral, so that the
// user can still be told something.
func TestApologyAfterALateModal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.come(2, "secret", 0, nil)
		time.Sleep(5 * time.Second)
		w.answer(e, `{"type":9,"data":{}}`)
		if status, _, _ := w.answer(e, `{"type":4,"data":{"content":"sorry","flags":64}}`); status != 204 {
			t.Errorf("answered %d", status)
		}
		w.wantSeen(e, ephemeral, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"sorry"}`)
	})
}

// TestLateFiles: they travel along, and Discord is told what with_response asks for.
func TestLateFiles(t *testing.T) {
	for _, header := range []string{"Content-Type", "content-type"} { // as the plugin's language writes it
		lateFiles(t, header)
	}
}

func lateFiles(t *testing.T, header string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.come(2, "plain", 0, nil)
		time.Sleep(3 * time.Second)
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		_ = form.WriteField("payload_json", `{"type":4,"data":{"content":"a","attachments":[{"id":0}]}}`)
		file, _ := form.CreateFormFile("files[0]", "kelp.txt")
		fmt.Fprint(file, "green")
		_ = form.Close()
		r, err := w.interactions.Carry(t.Context(), "p", &wire.RestRequest{
			Method: "POST", Path: "/interactions/" + interactionOf(e) + "/tok%2Fen/callback?with_response=true",
			Header: map[string]string{header: form.FormDataContentType()}, Body: body.Bytes(),
		})
		if err != nil || r.GetStatus() != 200 || !strings.Contains(string(r.GetBody()), `"resource":{"message":{"id":"555"},"type":4}`) {
			t.Errorf("answered %v %s", err, r)
		}
		w.wantSeen(e, deferred, `p PATCH /webhooks/99/TOKEN/messages/@original {"attachments":[{"id":0}],"content":"a"} files[0]=kelp.txt:green`)
	})
}

// TestTheFirstWriterWins: of many answers at once one goes to Discord, the others
// are refused, and an answer that is on its way at 2 s is waited for.
func TestTheFirstWriterWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.discord.slow = 500 * time.Millisecond
		e := w.come(2, "plain", 0, nil)
		time.Sleep(1900 * time.Millisecond)
		codes := make(chan int)
		for range 20 {
			go func() {
				_, code, _ := w.answer(e, `{"type":4,"data":{"content":"a"}}`)
				codes <- code
			}()
		}
		got := make(map[int]int)
		for range 20 {
			got[<-codes]++
		}
		if got[0] != 1 || got[40060] != 19 || w.interactions.Status().Refused != 19 {
			t.Errorf("codes %v", got)
		}
		time.Sleep(time.Minute)
		w.wantSeen(e, `p POST /interactions/{id}/TOKEN/callback {"type":4,"data":{"content":"a"}}`)
	})
}

// TestTheNextWriterWaits until it is known what became of the first: it was refused,
// so the next one counts.
func TestTheNextWriterWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.discord.slow = 500 * time.Millisecond
		w.discord.status = []uint32{400}
		e := w.come(2, "plain", 0, nil)
		first := make(chan int)
		go func() {
			status, _, _ := w.answer(e, `{"type":4,"data":{}}`)
			first <- status
		}()
		time.Sleep(100 * time.Millisecond)
		if status, _, _ := w.answer(e, `{"type":4,"data":{"content":"a"}}`); status != 204 {
			t.Errorf("the next one got %d", status)
		}
		if status := <-first; status != 400 {
			t.Errorf("the first one got %d", status)
		}
	})
}

// TestARefusedAnswerIsNoAnswer: the plugin may answer again; if it does not, the
// host defers, at once when 2 s have passed.
func TestARefusedAnswerIsNoAnswer(t *testing.T) {
	for _, after := range []time.Duration{0, 1900 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.discord.slow = 200 * time.Millisecond
			w.discord.status = []uint32{400}
			e := w.come(2, "plain", 0, nil)
			time.Sleep(after)
			if status, code, _ := w.answer(e, `{"type":4,"data":{}}`); status != 400 || code != 50035 {
				t.Errorf("answered %d %d", status, code)
			}
			time.Sleep(2500*time.Millisecond - after)
			if status, _, _ := w.answer(e, `{"type":4,"data":{"content":"a"}}`); status != 204 {
				t.Errorf("answered %d", status)
			}
			w.wantSeen(e, `p POST /interactions/{id}/TOKEN/callback {"type":4,"data":{}}`, deferred, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"a"}`)
		})
	}
}

// TestTheWayToDiscordBreaks: the host defers again, and knows its own deferral
// when Discord says that there is one.
func TestTheWayToDiscordBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.discord.status = []uint32{503, 502}
		e := w.come(2, "plain", 0, nil)
		time.Sleep(3 * time.Second)
		w.wantSeen(e, deferred, deferred, deferred)
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.discord.fail = []error{errBroken}
		e := w.come(2, "plain", 0, nil)
		time.Sleep(3 * time.Second)
		if status, _, _ := w.answer(e, `{"type":4,"data":{"content":"a"}}`); status != 204 {
			t.Errorf("answered %d", status)
		}
		w.wantSeen(e, deferred, deferred, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"a"}`)
		w.discord.breach = nil // Discord was asked twice, as nobody could know better
	})
}

// TestNobodyThere: the user is told within 3 s; a plugin that was given the
// interaction may still come back, and one that was not does not get it any more.
func TestNobodyThere(t *testing.T) {
	for name, test := range map[string]struct {
		kind   int
		name   string
		handed bool
		want   string
	}{
		"not handed":                {2, "plain", false, busy},
		"never, not handed":         {2, "never", false, busy},
		"handed before it crashed":  {2, "plain", true, deferred},
		"component, not handed":     {3, "vote:a", false, busy},
		"autocomplete, not handed":  {4, "plain", false, `host POST /interactions/{id}/TOKEN/callback {"data":{"choices":[]},"type":8}`},
		"nobody's":                  {2, "gone", false, busy},
		"nobody's component":        {3, "x", false, busy},
		"nobody's autocomplete too": {4, "gone", false, `host POST /interactions/{id}/TOKEN/callback {"data":{"choices":[]},"type":8}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Available = func(string) bool { return false }
				e := w.come(test.kind, test.name, 0, nil)
				if test.handed {
					w.interactions.Hand(e)
				}
				time.Sleep(2500 * time.Millisecond)
				if e == nil { // of nobody
					_, want, _ := strings.Cut(test.want, "/TOKEN")
					if got := w.discord.came(); len(got) != 1 || !strings.HasSuffix(got[0], want) {
						t.Errorf("came %v", got)
					}
					return
				}
				w.wantSeen(e, test.want)
				if again := w.interactions.Hand(e); again != test.handed {
					t.Errorf("handed to a process then: %v", again)
				}
			})
		})
	}
}

// TestNoAnswerToADeferral: the user is told when the plugin has gone for good, and
// at last in any case; a plugin that writes by itself is left alone.
func TestNoAnswerToADeferral(t *testing.T) {
	const sorry = `host PATCH /webhooks/99/TOKEN/messages/@original {"content":"This is temporarily unavailable. Please try again in a moment."}`
	const none = `host PATCH /webhooks/99/TOKEN/messages/@original {"content":"No answer came in time. Please try again."}`
	for name, test := range map[string]struct {
		there, lost, writes bool
		want                []string
	}{
		"gone":             {false, false, false, []string{deferred, sorry}},
		"lost by its host": {true, true, false, []string{deferred, sorry}},
		"never":            {true, false, false, []string{deferred, none}},
		"by itself":        {true, false, true, []string{deferred, `p POST /webhooks/99/TOKEN {"content":"mine"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Available = func(string) bool { return test.there }
				e := w.come(2, "plain", 0, nil)
				w.interactions.Hand(e)
				time.Sleep(3 * time.Second)
				if test.lost {
					w.interactions.Lost(e)
				}
				if test.writes {
					w.request("POST", "/webhooks/99/tok%2Fen", `{"content":"mine"}`)
				}
				time.Sleep(20 * time.Minute)
				w.wantSeen(e, test.want...)
				if s := w.interactions.Status(); s.Waiting != 0 {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

// TestReplayed: what comes again after a RESUME or a restart, unanswered and too
// old by its id, nobody gets; what is young enough is deferred in time.
func TestReplayed(t *testing.T) {
	replayed := func(e *gateway.Event, _ map[string]any) { e.Replayed = true }
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for range 3 {
			if e := w.come(2, "plain", 3100*time.Millisecond, replayed); e != nil {
				t.Error("an expired interaction was delivered")
			}
		}
		if e := w.come(2, "gone", 4*time.Second, replayed); e != nil || w.interactions.Status().Expired != 4 {
			t.Errorf("status %+v", w.interactions.Status())
		}
		time.Sleep(time.Minute)
		w.wantSeen(nil)
		e := w.come(2, "plain", 2500*time.Millisecond, replayed)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		w.wantSeen(e, deferred)
	})
}

// TestTheNextLife: what the host before has answered is not answered again, what
// it has deferred is answered late.
func TestTheNextLife(t *testing.T) {
	const answer = `{"type":4,"data":{"content":"a"}}`
	synctest.Test(t, func(t *testing.T) {
		steps := make(map[uint64]byte)
		var first []*wire.Event
		w := newWorld(t)
		w.Remember = func(id uint64, step byte) error { steps[id] = step; return nil }
		unclaimed := w.last + 1
		w.come(2, "gone", 0, nil)
		answered := w.come(2, "plain", 0, nil)
		w.answer(answered, answer)
		late := w.come(2, "plain", 0, nil)
		first = append(first, answered, late)
		time.Sleep(2100 * time.Millisecond)
		before := len(w.discord.came())
		if before != 3 {
			t.Fatalf("came %v", w.discord.came())
		}
		w.interactions.Close() // as if it were killed
		w.interactions, w.Known = nil, maps.Clone(steps)
		owners, err := router.MergeOwners([]*wire.Manifest{w.manifest})
		if err != nil {
			t.Fatal(err)
		}
		w.interactions = router.NewInteractions(w.InteractionsConfig)
		r := route(t, router.Config{Plugins: []router.Plugin{w.plugin}, Owners: owners, Interactions: w.interactions})
		for _, e := range first {
			if !r.Owns("p", e) || !w.interactions.Hand(e) {
				t.Error("what was in flight does not come again")
			}
		}
		if _, code, _ := w.answer(answered, answer); code != 40060 {
			t.Errorf("the answered one: %d", code)
		}
		if status, _, _ := w.answer(late, answer); status != 204 {
			t.Errorf("the deferred one: %d", status)
		}
		w.last = unclaimed - 1
		w.come(2, "gone", 2100*time.Millisecond, func(e *gateway.Event, _ map[string]any) { e.Replayed = true })
		time.Sleep(time.Minute)
		if got := w.discord.came(); len(got) != before+1 || !strings.HasPrefix(got[before], "p PATCH") {
			t.Errorf("came then %v", got[before:])
		}
	})
}

// TestKilledBeforeTheDeferral: the host has remembered it and was killed before it
// was sent. In time the answer goes as a first one.
func TestKilledBeforeTheDeferral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := uint64(time.Now().UnixMilli()-1420070400000)<<22 | 1
		w.Known = map[uint64]byte{id: 2}
		e := w.come(2, "plain", 0, nil)
		w.discord.first[interactionOf(e)] = 0
		if status, _, _ := w.answer(e, `{"type":4,"data":{"content":"a"}}`); status != 204 {
			t.Errorf("answered %d", status)
		}
		w.wantSeen(e, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"a"}`, `p POST /interactions/{id}/TOKEN/callback {"type":4,"data":{"content":"a"}}`)
		w.discord.breach = nil
	})
}

// TestOlderThanItsToken: an interaction that comes live and that nobody can answer,
// as one that was recorded, is handed as it is, and left alone.
func TestOlderThanItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if e := w.come(2, "plain", time.Hour, nil); e == nil || !w.interactions.Hand(e) {
			t.Error("it is not delivered")
		}
		w.come(2, "gone", time.Hour, nil)
		time.Sleep(time.Minute)
		w.wantSeen(nil)
	})
}

// TestAWrongClock: interactions are not too old because the machine's clock is
// ahead, and none is lost for it; after a few the deferral is in time, too.
func TestAWrongClock(t *testing.T) {
	for _, ahead := range []time.Duration{time.Minute, -time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			for n := range 8 {
				e := w.come(2, "plain", ahead, func(e *gateway.Event, _ map[string]any) { w.discord.exists(fmt.Sprint(e.ID), time.Now()) })
				if !w.interactions.Hand(e) {
					t.Fatalf("interaction %d is not handed to its plugin", n)
				}
				time.Sleep(1500 * time.Millisecond)
				status, _, _ := w.answer(e, `{"type":4,"data":{"content":"a"}}`)
				got := w.discord.came()
				if last := got[len(got)-1]; status != 204 || n > 5 && !strings.HasPrefix(last, "p POST /interactions") {
					t.Errorf("interaction %d: %d, last came %s", n, status, last)
				}
			}
		})
	}
}

// TestOriginalAfterAnUpdate: where the host has deferred as an update, what the
// plugin takes for its own message is the follow-up, not the component's message.
func TestOriginalAfterAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.come(3, "vote:a", 0, nil)
		time.Sleep(3 * time.Second)
		w.answer(e, `{"type":5,"data":{"flags":64}}`)
		mine := "/webhooks/99/tok%2Fen/messages/@original"
		if status, code, _ := w.request("GET", mine, ""); status != 404 || code != 10008 {
			t.Errorf("read before the first edit: %d %d", status, code)
		}
		w.request("PATCH", mine, `{"content":"a"}`)
		w.request("PATCH", mine+"?with_components=true", `{"content":"b"}`)
		w.request("DELETE", mine, "")
		w.wantSeen(e, updating, `p POST /webhooks/99/TOKEN {"content":"a","flags":64}`,
			`p PATCH /webhooks/99/TOKEN/messages/555?with_components=true {"content":"b"}`, `p DELETE /webhooks/99/TOKEN/messages/555 `)
	})
}

// TestCustomIDsOfTwo: they are refused with the names of both.
func TestCustomIDsOfTwo(t *testing.T) {
	ids := func(prefix string) []*wire.CustomIDs { return []*wire.CustomIDs{{Prefix: prefix}} }
	for name, test := range map[string]struct {
		all  []*wire.Manifest
		want string
	}{
		"the same":       {[]*wire.Manifest{{Name: "a", Components: ids("x")}, {Name: "b", Components: ids("x")}}, `"x" are registered by plugin a and by plugin b`},
		"one in other":   {[]*wire.Manifest{{Name: "a", Modals: ids("x")}, {Name: "b", Modals: ids("x:y")}}, `modals whose custom IDs begin with "x" (plugin a) and "x:y" (plugin b) overlap`},
		"twice":          {[]*wire.Manifest{{Name: "a", Modals: append(ids("x"), ids("x")...)}}, "registered twice by plugin a"},
		"none":           {[]*wire.Manifest{{Name: "a", Components: ids("")}}, "use 1 to 100 characters"},
		"other kinds":    {[]*wire.Manifest{{Name: "a", Components: ids("x")}, {Name: "b", Modals: ids("x")}}, ""},
		"within a":       {[]*wire.Manifest{{Name: "a", Components: append(ids("x"), ids("x:y")...)}}, ""},
		"a command, too": {[]*wire.Manifest{{Name: "a", Commands: []*wire.Command{{Json: []byte(`{"name":"c","description":"d"}`)}}}, {Name: "b", Commands: []*wire.Command{{Json: []byte(`{"name":"c","description":"d"}`)}}}}, "command /c (global) is declared by plugin a and by plugin b"},
	} {
		_, err := router.MergeOwners(test.all)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestInteractionsAreBounded by number and by age.
func TestInteractionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		old := w.come(2, "plain", 0, nil)
		w.answer(old, `{"type":4,"data":{"content":"a"}}`)
		time.Sleep(16 * time.Minute)
		w.come(2, "plain", 0, nil)
		before := len(w.discord.came())
		w.discord.first, w.discord.created = map[string]int{}, map[string]time.Time{interactionOf(old): time.Now()}
		w.answer(old, `{"type":4,"data":{"content":"a"}}`)
		if len(w.discord.came()) != before+1 {
			t.Error("an interaction whose token has ended is still remembered")
		}
	})
}

// TestAnOwnDeferralOutlivesACrash: the next process sends it again and goes on; one
// that has not crashed is told that it has answered.
func TestAnOwnDeferralOutlivesACrash(t *testing.T) {
	for _, after := range []time.Duration{0, 3 * time.Second} { // before and after the host's
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			e := w.come(2, "plain", 0, nil)
			w.interactions.Hand(e)
			time.Sleep(after)
			want := []int{204, 400}
			for range 2 {
				for _, status := range want {
					if got, _, _ := w.answer(e, `{"type":5}`); got != status {
						t.Errorf("answered %d, want %d", got, status)
					}
				}
				w.interactions.Hand(e)
			}
			if got, _, _ := w.answer(e, `{"type":4,"data":{"content":"a"}}`); got != 400 {
				t.Errorf("another answer got %d", got)
			}
			if n := len(w.discord.came()); n != 1 {
				t.Errorf("came %v", w.discord.came())
			}
		})
	}
}

// TestAnAnswerOutlivesItsPlugin: one that is on its way when the plugin dies is
// waited for, so that nobody answers again.
func TestAnAnswerOutlivesItsPlugin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.discord.slow = 1500 * time.Millisecond
		e := w.come(2, "plain", 0, nil)
		time.Sleep(time.Second)
		ctx, die := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer die()
		_, err := w.interactions.Carry(ctx, "p", &wire.RestRequest{
			Method: "POST", Path: "/interactions/" + interactionOf(e) + "/tok%2Fen/callback", Body: []byte(`{"type":4,"data":{"content":"a"}}`),
		})
		if err == nil {
			t.Error("the plugin got an answer after its death")
		}
		if _, code, _ := w.answer(e, `{"type":4,"data":{"content":"b"}}`); code != 40060 {
			t.Errorf("the next process: %d", code)
		}
		time.Sleep(time.Minute)
		w.wantSeen(e, `p POST /interactions/{id}/TOKEN/callback {"type":4,"data":{"content":"a"}}`)
	})
}
