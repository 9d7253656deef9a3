package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	// presenceLimit presences a shard sends in presenceWindow. Discord documents
	// only the limit of all payloads; that of presences is known from those who
	// broke it. The newest goes when there is room again.
	presenceLimit  = 5
	presenceWindow = time.Minute
	// maxPresence bounds a presence in bytes: IDENTIFY, in which it goes too, may
	// have 4096.
	maxPresence = 2048
	// maxActivityText is Discord's bound of an activity's name and state, in
	// characters.
	maxActivityText = 128
	// maxActivityType is competing, the last that Discord has.
	maxActivityType = 5
	customActivity  = 4
)

// presences keeps what users shall see of the bot and sends it to the sessions:
// Discord forgets it with the session, so one that identifies brings it along.
// Only the newest is sent.
type presences struct {
	calls *gatewayCalls
	log   hclog.Logger
	life  context.Context //nolint:containedctx // that of its goroutines, which stop ends
	end   context.CancelFunc

	mu      sync.Mutex
	all     json.RawMessage // set for all shards last, nil: never
	shards  map[int]*shardPresence
	running sync.WaitGroup
}

// shardPresence is that of one shard; presences.mu guards it.
type shardPresence struct {
	want   json.RawMessage // nil: none was set
	unsent bool            // the session has another one, or may have
	busy   bool            // a goroutine sends
	sent   []time.Time     // the last ones, at most presenceLimit
}

func newPresences(calls *gatewayCalls, log hclog.Logger) *presences {
	p := &presences{calls: calls, log: log, shards: make(map[int]*shardPresence)}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

// stop ends the goroutines; none begins any more.
func (p *presences) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
}

// set takes a presence for some shards, or for all of count.
func (p *presences) set(shards []int, count int, d json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(shards) == 0 {
		p.all = d
		for shard := range count {
			shards = append(shards, shard)
		}
	}
	for _, shard := range shards {
		s := p.of(shard)
		s.want = d
		p.wake(shard, s)
	}
}

// of is a shard's presence; the lock is held.
func (p *presences) of(shard int) *shardPresence {
	s, ok := p.shards[shard]
	if !ok {
		s = &shardPresence{want: p.all}
		p.shards[shard] = s
	}
	return s
}

// identify is what the session that now identifies has to bring along.
func (p *presences) identify(shard int) json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.of(shard)
	s.unsent = false
	return s.want
}

// resumed sends it once more: what was written to the connection that was lost
// may not have arrived.
func (p *presences) resumed(shard int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.of(shard); s.want != nil {
		p.wake(shard, s)
	}
}

// again sends them all once more: sessions that came up beside others have brought
// along what was set until then, and a shard of either set may lack what was set since.
func (p *presences) again(count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for shard := range count {
		if s := p.of(shard); s.want != nil {
			p.wake(shard, s)
		}
	}
}

// wake lets a goroutine send what the session has not; the lock is held.
func (p *presences) wake(shard int, s *shardPresence) {
	s.unsent = true
	if !s.busy && p.life.Err() == nil {
		s.busy = true
		p.running.Go(func() { p.send(shard, s) })
	}
}

// send sends until the session has what is wanted.
func (p *presences) send(shard int, s *shardPresence) {
	for {
		select {
		case <-time.After(p.pause(s)):
		case <-p.life.Done():
		}
		d := p.next(s)
		if d == nil {
			return
		}
		sessions, err := p.calls.set()
		if err == nil {
			err = sessions.Send(p.life, shard, opPresence, d)
		}
		if p.calls.replaced(sessions, err) {
			err = errSessionsReplaced
		}
		p.sent(s, d, err)
		if err != nil && p.life.Err() == nil {
			p.log.Debug("presence not sent", "shard", shard, "error", err)
		}
	}
}

// pause is how long the next presence must wait.
func (p *presences) pause(s *shardPresence) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(s.sent) < presenceLimit {
		return 0
	}
	return max(0, presenceWindow-time.Since(s.sent[0]))
}

// next is what is to be sent, nil when nothing is.
func (p *presences) next(s *shardPresence) json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.unsent || p.life.Err() != nil {
		s.busy = false
		return nil
	}
	s.unsent = false
	return s.want
}

// sent notes what came of sending. A session that identified meanwhile had the
// newest before it was sent an older one.
func (p *presences) sent(s *shardPresence, d json.RawMessage, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.sent = append(s.sent[max(0, len(s.sent)+1-presenceLimit):], time.Now())
	switch {
	case errors.Is(err, gateway.ErrStopped):
		s.unsent = false
	case err != nil || !bytes.Equal(s.want, d):
		s.unsent = true
	}
}

// activity is Discord's "Activity Object", as bots may send it.
type activity struct {
	Name  string `json:"name"`
	Type  uint32 `json:"type"`
	URL   string `json:"url,omitempty"`
	State string `json:"state,omitempty"`
}

// encodePresence is Discord's "Gateway Presence Update Structure". What Discord
// would close the connection for is refused: each new session would be closed as
// well.
func encodePresence(r *wire.PresenceRequest) (json.RawMessage, error) {
	d := struct {
		Since      *int64     `json:"since"`
		Activities []activity `json:"activities"`
		Status     string     `json:"status"`
		AFK        bool       `json:"afk"`
	}{Activities: []activity{}, Status: r.GetStatus(), AFK: r.GetAfk()}
	if !slices.Contains([]string{"online", "dnd", "idle", "invisible", "offline"}, d.Status) {
		return nil, fmt.Errorf("presence status %q: take online, dnd, idle, invisible or offline", d.Status)
	}
	if since := r.GetIdleSinceMs(); since > 0 {
		d.Since = &since
	}
	for _, a := range r.GetActivities() {
		if err := checkActivity(a); err != nil {
			return nil, err
		}
		d.Activities = append(d.Activities, activity{a.GetName(), a.GetType(), a.GetUrl(), a.GetState()})
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode the presence: %w", err)
	}
	if len(raw) > maxPresence {
		return nil, fmt.Errorf("presence of %d bytes: the host takes at most %d: send fewer or shorter activities", len(raw), maxPresence)
	}
	return raw, nil
}

func checkActivity(a *wire.Activity) error {
	name, state := utf8.RuneCountInString(a.GetName()), utf8.RuneCountInString(a.GetState())
	switch {
	case name == 0:
		return errors.New("presence: an activity has no name: give it one")
	case name > maxActivityText || state > maxActivityText:
		return fmt.Errorf("presence: the activity %.40q has more than %d characters in its name or state: shorten it", a.GetName(), maxActivityText)
	case a.GetType() > maxActivityType:
		return fmt.Errorf("presence: activity type %d: take one of 0 to %d", a.GetType(), maxActivityType)
	case a.GetType() == customActivity && state == 0:
		return errors.New("presence: a custom status has no text: set its state")
	}
	return nil
}
