package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	// maxMembersAnswer bounds an answer in bytes, as a message to a plugin is
	// bounded: the members of some 80,000.
	maxMembersAnswer = wire.MaxEvent
	// maxMembersBytes bounds all answers that come or are kept.
	maxMembersBytes = 128 << 20
)

// errAbandoned ends a request that nobody waits for.
var errAbandoned = errors.New("nobody waits for these members any more")

// members asks Discord for guilds' members. Those who ask for the same at the
// same time share one request; a whole list answers for as long as Discord sends
// no other.
type members struct {
	calls *gatewayCalls
	log   hclog.Logger
	room  membersRoom
	life  context.Context //nolint:containedctx // that of its goroutines, which stop ends
	end   context.CancelFunc

	mu      sync.Mutex
	gathers map[membersAsk]*gather
	lists   map[uint64]*memberList // by guild; those of the last 30 s
	bytes   int                    // in gathers and lists
	running sync.WaitGroup
}

// memberList is what is known of a guild's whole list.
type memberList struct {
	next      time.Time // when Discord sends it again
	chunks    [][]byte  // nil: none are kept
	size      int
	presences bool // they are in it
	forget    *time.Timer
}

// membersRoom bounds what is kept in memory, in bytes.
type membersRoom struct {
	answer int // one answer
	all    int // all that come or are kept
}

// waiter is one who asked.
type waiter struct {
	deadline time.Time // zero: none
	answer   chan membersAnswer
}

type membersAnswer struct {
	chunks [][]byte
	err    error
}

func newMembers(calls *gatewayCalls, log hclog.Logger) *members {
	m := &members{calls: calls, log: log, room: membersRoom{maxMembersAnswer, maxMembersBytes}, gathers: make(map[membersAsk]*gather), lists: make(map[uint64]*memberList)}
	m.life, m.end = context.WithCancel(context.Background())
	return m
}

// Members implements plugins.Gateway. It answers within a minute: half of it may
// pass until Discord may be asked, half until all has come.
func (c *gatewayCalls) Members(ctx context.Context, r *wire.MembersRequest) (*wire.MembersResponse, error) {
	s, err := c.set()
	if err != nil {
		return nil, err
	}
	ask, err := newMembersAsk(r, s.intents)
	if err != nil {
		return nil, err
	}
	w := &waiter{answer: make(chan membersAnswer, 1)}
	w.deadline, _ = ctx.Deadline()
	g := c.members.join(ask, w)
	select {
	case a := <-w.answer:
		if a.err != nil {
			return nil, a.err
		}
		return &wire.MembersResponse{Chunks: a.chunks}, nil
	case <-ctx.Done():
		c.members.leave(g, w)
		return nil, context.Cause(ctx)
	}
}

// join lets w wait for the answer, or gives it one at once; then there may be no
// gather.
func (m *members) join(ask membersAsk, w *waiter) *gather {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life.Err() != nil {
		w.answer <- membersAnswer{err: errHostStops}
		return nil
	}
	if l, ok := m.lists[ask.guild]; ok && ask.full() && l.chunks != nil && (l.presences || !ask.presences) && time.Now().Before(l.next) {
		w.answer <- membersAnswer{chunks: l.chunks}
		return nil
	}
	g := m.gathers[ask]
	if g == nil && ask.full() {
		richer := ask
		richer.presences = true
		g = m.gathers[richer]
	}
	if g == nil {
		g = newGather(ask)
		m.gathers[ask] = g
		ctx, cancel := context.WithTimeout(m.life, gatherLimit)
		g.cancel = cancel
		m.running.Go(func() {
			defer cancel()
			chunks, err := m.gather(ctx, g)
			m.settle(g, chunks, err)
		})
	}
	g.waiting[w] = true
	m.refuse(g)
	return g
}

// refuse tells those who cannot wait until the gather may go on; the lock is
// held.
func (m *members) refuse(g *gather) {
	for w := range g.waiting {
		if !w.deadline.IsZero() && w.deadline.Before(g.held) {
			delete(g.waiting, w)
			w.answer <- membersAnswer{err: fmt.Errorf("discord sends the members of guild %d again in %s, and this context ends before: ask later, or for fewer members",
				g.ask.guild, time.Until(g.held).Round(time.Millisecond))}
		}
	}
}

// leave ends a gather that nobody waits for. A whole list comes all the same
// once Discord was asked: somebody may want it within the time in which it is
// not sent again.
func (m *members) leave(g *gather, w *waiter) {
	if g == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(g.waiting, w)
	if len(g.waiting) == 0 && (!g.ask.full() || g.sent.IsZero()) {
		m.drop(g)
		g.cancel()
	}
}

// abandoned says whether nobody waits for the gather, and then lets nobody join
// it any more.
func (m *members) abandoned(g *gather) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(g.waiting) > 0 {
		return false
	}
	m.drop(g)
	return true
}

// drop lets nobody join the gather any more; the lock is held.
func (m *members) drop(g *gather) {
	if m.gathers[g.ask] == g {
		delete(m.gathers, g.ask)
	}
}

// settle gives the answer to those who wait, and keeps it if it is a whole list.
func (m *members) settle(g *gather, chunks [][]byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(g)
	m.reset(g) // what has come is the answer's now, or nobody's
	if err == nil && g.ask.full() {
		m.keep(g, chunks)
	}
	for w := range g.waiting {
		w.answer <- membersAnswer{chunks, err}
	}
	clear(g.waiting)
	m.log.Debug("members gathered", "guild", g.ask.guild, "chunks", len(chunks), "error", err)
}

// keep keeps a whole list if there is room; the lock is held.
func (m *members) keep(g *gather, chunks [][]byte) {
	l := m.list(g.ask.guild)
	size := 0
	for _, c := range chunks {
		size += len(c)
	}
	if m.bytes-l.size+size <= m.room.all {
		m.bytes += size - l.size
		l.chunks, l.size, l.presences = chunks, size, g.ask.presences
	}
}

// list is that of a guild; the lock is held.
func (m *members) list(guild uint64) *memberList {
	l, ok := m.lists[guild]
	if !ok {
		l = new(memberList)
		m.lists[guild] = l
	}
	return l
}

// hold notes when Discord sends a guild's whole list again; the lock is held.
func (m *members) hold(guild uint64, next time.Time) {
	l := m.list(guild)
	l.next = next
	if l.forget != nil {
		l.forget.Stop()
	}
	l.forget = time.AfterFunc(time.Until(next), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.lists[guild] == l && !time.Now().Before(l.next) {
			m.forget(guild)
		}
	})
}

// forget drops a list; the lock is held.
func (m *members) forget(guild uint64) {
	m.bytes -= m.lists[guild].size
	delete(m.lists, guild)
}

// stop ends all gathers; none begins any more.
func (m *members) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end()
	for guild, l := range m.lists {
		if l.forget != nil {
			l.forget.Stop()
		}
		m.forget(guild)
	}
}
