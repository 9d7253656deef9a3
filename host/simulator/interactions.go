package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// Kinds of interactions.
const (
	KindCommand      = 2
	KindComponent    = 3
	KindAutocomplete = 4
	KindModal        = 5
)

const (
	answerWithin = 3 * time.Second
	tokenLife    = 15 * time.Minute
)

// ErrNoAnswer means that an interaction was not answered within Discord's 3 s: the user sees a failure.
var ErrNoAnswer = errors.New("the interaction was not answered within 3 s")

// Interaction is one that the driver has sent. Its methods may be called from any goroutine.
type Interaction struct {
	ID      uint64
	Token   string
	Kind    int
	Guild   uint64 // 0: direct message
	Channel uint64
	User    uint64
	Name    string // of the command, or the custom ID
	Created time.Time

	message *message // the component's message

	mu       sync.Mutex
	answers  []Answer
	changed  chan struct{} // closed and replaced with every answer
	kind     int           // of the callback; 0: none yet
	original *message
	gone     bool // the original was deleted
}

// Answer is one thing that the bot sent to an interaction.
type Answer struct {
	Action    string          // "callback", "edit", "followup", "delete"
	Type      int             // of the callback, else 0
	Data      json.RawMessage // as the bot sent it: of a callback its data
	Message   uint64          // the message that came of it, 0: none
	Content   string
	Ephemeral bool
	At        time.Time
	Took      time.Duration // since the interaction was created
}

type interactionStore struct {
	mu      sync.Mutex
	byToken map[string]*Interaction
	all     uint64
	missed  uint64 // unanswered ones that are forgotten
}

func newInteractionStore() interactionStore {
	return interactionStore{byToken: make(map[string]*Interaction)}
}

func (st *interactionStore) add(i *Interaction) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.all++
	st.byToken[i.Token] = i
	if st.all%1000 != 0 {
		return
	}
	for token, old := range st.byToken {
		if time.Since(old.Created) > 2*tokenLife {
			if !old.answered() {
				st.missed++
			}
			delete(st.byToken, token)
		}
	}
}

func (st *interactionStore) get(token string) *Interaction {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.byToken[token]
}

func (st *interactionStore) count(now time.Time) (all, unanswered uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	unanswered = st.missed
	for _, i := range st.byToken {
		if now.Sub(i.Created) > answerWithin && !i.answered() {
			unanswered++
		}
	}
	return st.all, unanswered
}

func (i *Interaction) answered() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.kind != 0
}

// note records an answer; the caller holds the interaction's lock.
func (i *Interaction) note(a Answer) {
	a.At = time.Now()
	a.Took = a.At.Sub(i.Created)
	i.answers = append(i.answers, a)
	close(i.changed)
	i.changed = make(chan struct{})
}

// Answers lists what the bot has sent to the interaction so far.
func (i *Interaction) Answers() []Answer {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]Answer(nil), i.answers...)
}

// Wait gives the first answer, the callback: ErrNoAnswer when none has come within 3 s of the interaction's
// creation, else the context's error.
func (i *Interaction) Wait(ctx context.Context) (Answer, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, i.Created.Add(answerWithin), ErrNoAnswer)
	defer cancel()
	return i.await(ctx, func(a Answer) bool { return a.Action == "callback" })
}

// WaitMessage gives the first answer that shows the user something: a callback that is not a deferral, or what
// follows one.
func (i *Interaction) WaitMessage(ctx context.Context) (Answer, error) {
	if _, err := i.Wait(ctx); err != nil {
		return Answer{}, err
	}
	return i.await(ctx, func(a Answer) bool {
		return a.Action != "delete" && (a.Action != "callback" || a.Type != callbackDeferMessage && a.Type != callbackDeferUpdate)
	})
}

// await gives the first answer that fits.
func (i *Interaction) await(ctx context.Context, fits func(Answer) bool) (Answer, error) {
	for {
		i.mu.Lock()
		changed := i.changed
		for _, a := range i.answers {
			if fits(a) {
				i.mu.Unlock()
				return a, nil
			}
		}
		i.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Answer{}, context.Cause(ctx)
		}
	}
}
