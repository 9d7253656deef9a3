package router_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	takenBack = `host DELETE /webhooks/99/TOKEN/messages/@original `
	noChoices = `host POST /interactions/{id}/TOKEN/callback {"data":{"choices":[]},"type":8}`
	wrong     = `host POST /interactions/{id}/TOKEN/callback {"data":{"content":"Something went wrong. Please try again.","flags":64},"type":4}`
)

// TestHandlersThatAnswerNothing: their users see neither a failure nor that the bot
// is thinking for 15 minutes, whenever the handlers end; after a failure they are
// told. What was answered is left alone.
func TestHandlersThatAnswerNothing(t *testing.T) {
	fromMessage := func(_ *gateway.Event, f map[string]any) { f["message"] = map[string]any{"id": "1"} }
	for name, test := range map[string]struct {
		kind          int
		name          string
		change        func(*gateway.Event, map[string]any)
		early, late   []string // when the handler ends at once, and after the host's deferral
		failed, later []string // the same, if it fails
	}{
		"command": {
			2, "plain", nil,
			[]string{ephemeral, takenBack}, []string{deferred, takenBack},
			[]string{wrong}, []string{deferred, `host PATCH /webhooks/99/TOKEN/messages/@original {"content":"Something went wrong. Please try again."}`},
		},
		"ephemeral command": {
			2, "secret", nil,
			[]string{ephemeral, takenBack}, []string{ephemeral, takenBack},
			[]string{wrong}, []string{ephemeral, `host PATCH /webhooks/99/TOKEN/messages/@original {"content":"Something went wrong. Please try again."}`},
		},
		"command never deferred": {
			2, "never", nil,
			[]string{ephemeral, takenBack}, []string{`host POST /interactions/{id}/TOKEN/callback {"data":{"content":"This took too long. Please try again.","flags":64},"type":4}`},
			[]string{wrong}, []string{`host POST /interactions/{id}/TOKEN/callback {"data":{"content":"This took too long. Please try again.","flags":64},"type":4}`},
		},
		"component": {
			3, "vote:a", nil,
			[]string{updating}, []string{updating},
			[]string{wrong}, []string{updating, `host POST /webhooks/99/TOKEN {"content":"Something went wrong. Please try again.","flags":64}`},
		},
		"component by message": {
			3, "vote:public:a", nil,
			[]string{updating}, []string{deferred, takenBack},
			[]string{wrong}, []string{deferred, `host PATCH /webhooks/99/TOKEN/messages/@original {"content":"Something went wrong. Please try again."}`},
		},
		"modal": {
			5, "form:a", nil,
			[]string{ephemeral, takenBack}, []string{deferred, takenBack},
			[]string{wrong}, []string{deferred, `host PATCH /webhooks/99/TOKEN/messages/@original {"content":"Something went wrong. Please try again."}`},
		},
		"modal of a message": {
			5, "form:a", fromMessage,
			[]string{updating}, []string{updating},
			[]string{wrong}, []string{updating, `host POST /webhooks/99/TOKEN {"content":"Something went wrong. Please try again.","flags":64}`},
		},
		"autocomplete": {4, "plain", nil, []string{noChoices}, []string{noChoices}, []string{noChoices}, []string{noChoices}},
	} {
		for _, failed := range []bool{false, true} {
			for _, after := range []time.Duration{0, 5 * time.Second} {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t)
						e := w.come(test.kind, test.name, 0, test.change)
						w.interactions.Hand(e)
						time.Sleep(after)
						w.interactions.Done(e, failed)
						time.Sleep(20 * time.Minute)
						want := [][]string{test.early, test.late, test.failed, test.later}
						n := 0
						if failed {
							n = 2
						}
						if after > 0 {
							n++
						}
						w.wantSeen(e, want[n]...)
						if s := w.interactions.Status(); s.Waiting != 0 {
							t.Errorf("failed %v, after %s: status %+v", failed, after, s)
						}
					})
				})
			}
		}
	}
}

// TestAnsweredAndDone: nothing follows an answer when its handler ends, well or not.
func TestAnsweredAndDone(t *testing.T) {
	for _, after := range []time.Duration{0, 5 * time.Second} {
		for _, failed := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				e := w.come(2, "plain", 0, nil)
				w.interactions.Hand(e)
				time.Sleep(after)
				w.answer(e, `{"type":4,"data":{"content":"a"}}`)
				before := len(w.discord.came())
				w.interactions.Done(e, failed)
				time.Sleep(20 * time.Minute)
				if got := w.discord.came(); len(got) != before {
					t.Errorf("came %v", got)
				}
			})
		}
	}
}

// TestOwnDeferralWithoutAnAnswer: what a plugin defers by itself and leaves so is
// taken back, too, or excused; what it has edited or followed up is its own.
func TestOwnDeferralWithoutAnAnswer(t *testing.T) {
	const own = `p POST /interactions/{id}/TOKEN/callback {"type":5,"data":{"flags":64}}`
	for name, test := range map[string]struct {
		after  time.Duration
		kind   int
		name   string
		uses   string // what it does then: a method
		failed bool
		want   []string
	}{
		"silent":                     {0, 2, "plain", "", false, []string{own, takenBack}},
		"failed":                     {0, 2, "plain", "", true, []string{own, `host PATCH /webhooks/99/TOKEN/messages/@original {"content":"Something went wrong. Please try again."}`}},
		"edited":                     {0, 2, "plain", "PATCH", false, []string{own, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"a"}`}},
		"followed up":                {0, 2, "plain", "POST", false, []string{own, `p POST /webhooks/99/TOKEN {"content":"a"}`}},
		"after the host's":           {3 * time.Second, 2, "plain", "", false, []string{deferred, takenBack}},
		"after the host's, edited":   {3 * time.Second, 2, "plain", "PATCH", false, []string{deferred, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"a"}`}},
		"after the host's update":    {3 * time.Second, 3, "vote:a", "", false, []string{updating}},
		"after the host's, failed":   {3 * time.Second, 3, "vote:a", "", true, []string{updating, `host POST /webhooks/99/TOKEN {"content":"Something went wrong. Please try again.","flags":64}`}},
		"after the host's, followed": {3 * time.Second, 3, "vote:a", "POST", true, []string{updating, `p POST /webhooks/99/TOKEN {"content":"a"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				e := w.come(test.kind, test.name, 0, nil)
				w.interactions.Hand(e)
				time.Sleep(test.after)
				w.answer(e, `{"type":5,"data":{"flags":64}}`)
				switch test.uses {
				case "PATCH":
					w.request("PATCH", "/webhooks/99/tok%2Fen/messages/@original", `{"content":"a"}`)
				case "POST":
					w.request("POST", "/webhooks/99/tok%2Fen", `{"content":"a"}`)
				}
				w.interactions.Done(e, test.failed)
				time.Sleep(20 * time.Minute)
				w.wantSeen(e, test.want...)
			})
		})
	}
}

// TestAnswerAfterTheEnd: who has kept the interaction's token answers with a message
// of its own, as private as the deferral was.
func TestAnswerAfterTheEnd(t *testing.T) {
	const mine = "/webhooks/99/tok%2Fen/messages/@original"
	for _, test := range []struct {
		command, flags string
	}{{"plain", ""}, {"secret", `,"flags":64`}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			e := w.come(2, test.command, 0, nil)
			w.interactions.Hand(e)
			w.interactions.Done(e, false)
			time.Sleep(5 * time.Second)
			if status, _, _ := w.answer(e, `{"type":4,"data":{"content":"a"}}`); status != 204 {
				t.Errorf("answered %d", status)
			}
			w.wantSeen(e, ephemeral, takenBack, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"a"}`,
				`p POST /webhooks/99/TOKEN {"content":"a"`+test.flags+`}`)
		})
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			e := w.come(2, test.command, 0, nil)
			w.interactions.Hand(e)
			time.Sleep(5 * time.Second)
			w.interactions.Done(e, false)
			time.Sleep(time.Second)
			w.request("PATCH", mine, `{"content":"a"}`)
			w.request("PATCH", mine, `{"content":"b"}`)
			first := deferred
			if test.flags != "" {
				first = ephemeral
			}
			w.wantSeen(e, first, takenBack, `p POST /webhooks/99/TOKEN {"content":"a"`+test.flags+`}`, `p PATCH /webhooks/99/TOKEN/messages/555 {"content":"b"}`)
		})
	}
}

// TestTheEndComesWhileTheHostDefers: the deferral is on its way when the handler
// ends; and one that cannot be taken back at once is taken back later.
func TestTheEndComesWhileTheHostDefers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.discord.slow = 500 * time.Millisecond
		e := w.come(2, "plain", 0, nil)
		w.interactions.Hand(e)
		time.Sleep(2200 * time.Millisecond)
		w.interactions.Done(e, false)
		time.Sleep(2 * time.Second)
		w.wantSeen(e, deferred, takenBack)
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.discord.status = []uint32{0, 503}
		e := w.come(2, "plain", 0, nil)
		w.interactions.Hand(e)
		time.Sleep(5 * time.Second)
		w.interactions.Done(e, false)
		time.Sleep(10 * time.Minute)
		w.wantSeen(e, deferred, takenBack, takenBack)
	})
}

// TestTheLastOfSeveralEnds: an interaction that several plugins get ends with the last
// of them, and the worst of what became of it counts.
func TestTheLastOfSeveralEnds(t *testing.T) {
	for _, failed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.interactions = router.NewInteractions(w.InteractionsConfig)
			all := []router.Plugin{&target{name: "a", events: []string{"INTERACTION_CREATE"}}, &target{name: "b", events: []string{"INTERACTION_CREATE"}}}
			var e *wire.Event
			w.come(3, "theirs", 0, func(came *gateway.Event, fields map[string]any) {
				came.Data = encode(t, fields)
				route(t, router.Config{Plugins: all, Interactions: w.interactions}, *came)
				e = all[0].(*target).got[0]
				fields["id"] = "" // what come itself routes is nobody's
			})
			w.interactions.Hand(e)
			w.interactions.Done(e, failed)
			time.Sleep(time.Second)
			w.wantSeen(e)
			w.interactions.Done(e, false)
			time.Sleep(time.Minute)
			if failed {
				w.wantSeen(e, wrong)
			} else {
				w.wantSeen(e, updating)
			}
		})
	}
}

// TestTheEndComesWhileAnAnswerFails: the plugin goes for good while its answer is on
// its way, and Discord refuses that: the user is told then. One that stays and says no
// more is waited for, up to the last word.
func TestTheEndComesWhileAnAnswerFails(t *testing.T) {
	const (
		empty = `{"type":4,"data":{}}`
		sorry = `host PATCH /webhooks/99/TOKEN/messages/@original {"content":"This is temporarily unavailable. Please try again in a moment."}`
		none  = `host PATCH /webhooks/99/TOKEN/messages/@original {"content":"No answer came in time. Please try again."}`
		early = `p POST /interactions/{id}/TOKEN/callback ` + empty
		late  = `p PATCH /webhooks/99/TOKEN/messages/@original {}`
	)
	for name, test := range map[string]struct {
		after  time.Duration
		status []uint32 // of Discord
		lost   bool
		within time.Duration
		want   []string
	}{
		"early":       {0, []uint32{400}, true, 1500 * time.Millisecond, []string{early, busy}},
		"late":        {3 * time.Second, []uint32{0, 400}, true, 3 * time.Second, []string{deferred, late, sorry}},
		"late, stays": {3 * time.Second, []uint32{0, 400}, false, 15 * time.Minute, []string{deferred, late, none}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.discord.slow = 500 * time.Millisecond
				w.discord.status = test.status
				e := w.come(2, "plain", 0, nil)
				w.interactions.Hand(e)
				time.Sleep(test.after)
				answered := make(chan struct{})
				go func() {
					defer close(answered)
					w.answer(e, empty)
				}()
				time.Sleep(100 * time.Millisecond)
				if test.lost {
					w.interactions.Lost(e)
				}
				<-answered
				time.Sleep(test.within)
				w.wantSeen(e, test.want...)
			})
		})
	}
}

// TestWhatIsNobodysIsLeftToOthers: another program may serve this bot's interactions
// from a session of its own. What no plugin owns is left to it for 2 s, also by
// plugins that only look on; if it answers, nothing else comes of it.
func TestWhatIsNobodysIsLeftToOthers(t *testing.T) {
	for name, test := range map[string]struct {
		watched, failed bool
		want            []string
	}{
		"nobody's":     {false, false, []string{busy}},
		"looked at":    {true, false, []string{busy}},
		"looked badly": {true, true, []string{wrong}},
	} {
		for _, answered := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					if test.watched {
						w.plugin.events = []string{"INTERACTION_CREATE"}
					}
					var id string
					e := w.come(2, "theirs", 0, func(_ *gateway.Event, fields map[string]any) { id = fields["id"].(string) })
					if e != nil {
						w.interactions.Hand(e)
						w.interactions.Done(e, test.failed)
					}
					time.Sleep(1900 * time.Millisecond)
					w.wantSeen(nil)
					if answered {
						w.discord.mu.Lock()
						w.discord.first[id] = 4 // past the host
						w.discord.mu.Unlock()
					}
					time.Sleep(20 * time.Minute)
					want := test.want
					if answered {
						want = want[:1]
						w.discord.mu.Lock()
						w.discord.breach = nil // the host cannot know better
						w.discord.mu.Unlock()
					}
					w.wantSeen(&wire.Event{Data: []byte(`{"id":"` + id + `"}`)}, want...)
				})
			})
		}
	}
}

// TestTheHostStopsMeanwhile: what is under way gets 2 s, and no more.
func TestTheHostStopsMeanwhile(t *testing.T) {
	for _, test := range []struct {
		slow time.Duration // Discord
		want int
	}{{500 * time.Millisecond, 2}, {time.Minute, 1}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			e := w.come(2, "plain", 0, nil)
			w.interactions.Hand(e)
			time.Sleep(3 * time.Second)
			w.discord.mu.Lock()
			w.discord.slow = test.slow
			w.discord.mu.Unlock()
			w.interactions.Lost(e)
			synctest.Wait()
			began := time.Now()
			w.interactions.Close()
			if got := w.discord.came(); len(got) != test.want || time.Since(began) > 2*time.Second {
				t.Errorf("came %v, after %s", got, time.Since(began))
			}
		})
	}
}

// TestAnOwnDeferralOutlivesTheHost: the process that gets the interaction again sends
// its deferral again and goes on, whoever has deferred first. What the one before has
// made of the message is not known: nothing is taken back.
func TestAnOwnDeferralOutlivesTheHost(t *testing.T) {
	const mine = "/webhooks/99/tok%2Fen/messages/@original"
	for name, test := range map[string]struct {
		kind  int
		name  string
		after time.Duration
		own   string
		edit  string // what the first edit becomes
	}{
		"message":                  {2, "plain", 0, `{"type":5}`, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"a"}`},
		"update":                   {3, "vote:a", 0, `{"type":6}`, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"a"}`},
		"message after the host's": {2, "plain", 3 * time.Second, `{"type":5}`, `p PATCH /webhooks/99/TOKEN/messages/@original {"content":"a"}`},
		"message after its update": {3, "vote:a", 3 * time.Second, `{"type":5,"data":{"flags":64}}`, `p POST /webhooks/99/TOKEN {"content":"a","flags":64}`},
	} {
		for _, edits := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					steps := make(map[uint64]byte)
					w.Remember = func(id uint64, step byte) error { steps[id] = step; return nil }
					e := w.come(test.kind, test.name, 0, nil)
					w.interactions.Hand(e)
					time.Sleep(test.after)
					w.answer(e, test.own)
					w.interactions.Close() // as if it were killed
					before := len(w.discord.came())
					w.Known = maps.Clone(steps)
					w.interactions = router.NewInteractions(w.InteractionsConfig)
					owners, err := router.MergeOwners([]*wire.Manifest{w.manifest})
					if err != nil {
						t.Fatal(err)
					}
					r := route(t, router.Config{Plugins: []router.Plugin{w.plugin}, Owners: owners, Interactions: w.interactions})
					if !r.Owns("p", e) || !w.interactions.Hand(e) {
						t.Fatal("what was in flight does not come again")
					}
					if edits {
						for _, want := range []int{204, 400} {
							if status, _, _ := w.answer(e, test.own); status != want {
								t.Errorf("deferred again: %d, want %d", status, want)
							}
						}
						w.request("PATCH", mine, `{"content":"a"}`)
					}
					w.interactions.Done(e, false)
					time.Sleep(20 * time.Minute)
					if got := w.discord.came()[before:]; edits && !slices.Equal(got, []string{test.edit}) || !edits && len(got) != 0 {
						t.Errorf("came then %v", got)
					}
				})
			})
		}
	}
}
