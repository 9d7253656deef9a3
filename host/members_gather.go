package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
)

const (
	// listEvery is how often Discord sends the whole list of a guild to a bot, and
	// a margin for requests that travel for different times.
	listEvery = 30*time.Second + 500*time.Millisecond
	// answerLimit bounds how long all chunks of a request may take.
	answerLimit = 30 * time.Second
	// gatherLimit bounds a gather: the wait for Discord's limit and for the answer.
	gatherLimit = time.Minute
	// resumedQuiet is how long after a RESUMED, or the chunk after it, the next
	// chunk may take. Discord has repeated by then what it had sent; if it did not get
	// the request, nothing ever comes.
	resumedQuiet = 3 * time.Second
)

// errAgain asks for the request to be sent once more.
var errAgain = errors.New("the request is to be sent again")

// gather is one request for members on its way: its goroutine is in
// members.gather. members.mu guards what others look at.
type gather struct {
	ask    membersAsk
	cancel context.CancelFunc
	signal chan struct{} // there is something in inbox

	// members.mu guards these.
	waiting map[*waiter]bool
	held    time.Time // until when Discord is not asked
	sent    time.Time // zero: Discord was not asked yet
	shard   int       // that was asked
	nonce   string    // of its answer, "": none may come
	inbox   []gateway.Event
	size    int   // bytes in inbox and chunks
	over    error // there was no room for them

	// The goroutine's own.
	count  int // of the chunks, 0 while unknown
	chunks map[int][]byte
}

func newGather(ask membersAsk) *gather {
	return &gather{ask: ask, signal: make(chan struct{}, 1), waiting: make(map[*waiter]bool)}
}

// see hands an event to the gathers that it may be for.
func (m *members) see(e *gateway.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.gathers {
		answer := e.Name == "GUILD_MEMBERS_CHUNK" || e.Name == "RATE_LIMITED"
		// The nonce is found in no time, and reading a chunk is the gather's own work.
		if g.nonce == "" || e.Shard != g.shard || answer && !bytes.Contains(e.Data, []byte(g.nonce)) {
			continue
		}
		m.take(g, e)
		select {
		case g.signal <- struct{}{}:
		default:
		}
	}
}

// take puts an event into a gather's inbox if there is room; the lock is held.
func (m *members) take(g *gather, e *gateway.Event) {
	size := 0
	if e.Name == "GUILD_MEMBERS_CHUNK" {
		size = len(e.Data)
	}
	if m.bytes+size > m.room.all {
		m.makeRoom()
	}
	switch {
	case g.size+size > m.room.answer:
		g.over = fmt.Errorf("the answer has more than %d MiB: ask for users, or by a query", m.room.answer>>20)
	case m.bytes+size > m.room.all:
		g.over = fmt.Errorf("the host holds at most %d MiB of members at a time: ask again later", m.room.all>>20)
	default:
		g.inbox = append(g.inbox, *e)
		g.size += size
		m.bytes += size
	}
}

// makeRoom gives up all lists that are kept; the lock is held.
func (m *members) makeRoom() {
	for _, l := range m.lists {
		m.bytes -= l.size
		l.chunks, l.size = nil, 0
	}
}

// gather asks until all members have come.
func (m *members) gather(ctx context.Context, g *gather) ([][]byte, error) {
	if g.ask.full() {
		if err := m.wait(ctx, g, m.nextList(g.ask.guild)); err != nil {
			return nil, err
		}
	}
	for {
		if m.abandoned(g) {
			return nil, errAbandoned
		}
		err := m.send(ctx, g)
		if err == nil {
			var chunks [][]byte
			if chunks, err = m.collect(ctx, g); err == nil {
				return chunks, nil
			}
		}
		if !errors.Is(err, errAgain) {
			return nil, err
		}
	}
}

func (m *members) nextList(guild uint64) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l, ok := m.lists[guild]; ok {
		return l.next
	}
	return time.Time{}
}

// wait waits until Discord may be asked. Those who cannot wait so long are told
// at once.
func (m *members) wait(ctx context.Context, g *gather, until time.Time) error {
	left := time.Until(until)
	if left <= 0 {
		return nil
	}
	m.mu.Lock()
	g.held = until
	m.refuse(g)
	m.mu.Unlock()
	if m.abandoned(g) {
		return errAbandoned
	}
	if end, ok := ctx.Deadline(); ok && end.Before(until) {
		return fmt.Errorf("discord sends the members of guild %d again in %s: ask later, or for fewer members", g.ask.guild, left.Round(time.Second))
	}
	select {
	case <-time.After(left):
		return nil
	case <-ctx.Done():
		return m.ended(ctx)
	}
}

// send sends the request. A connection that is lost meanwhile may have taken it
// along: then it is sent again, when the session is ready.
func (m *members) send(ctx context.Context, g *gather) error {
	sessions, err := m.calls.set()
	if err != nil {
		return err
	}
	shard, nonce := sessions.shard(g.ask.guild), rand.Text()
	g.count, g.chunks = 0, make(map[int][]byte)
	m.mu.Lock()
	m.reset(g)
	g.shard, g.nonce = shard, nonce
	m.mu.Unlock()
	d, err := g.ask.payload(nonce)
	if err != nil {
		return err
	}
	err = sessions.Send(ctx, shard, opRequestMembers, d)
	switch {
	case m.calls.replaced(sessions, err):
		return errAgain
	case errors.Is(err, gateway.ErrStopped):
		return fmt.Errorf("ask shard %d: %w", shard, err)
	case ctx.Err() != nil:
		return m.ended(ctx)
	case err != nil:
		m.log.Debug("members are asked for again", "guild", g.ask.guild, "shard", shard, "error", err)
		return errAgain
	}
	m.log.Debug("members asked for", "guild", g.ask.guild, "shard", shard)
	m.mu.Lock()
	defer m.mu.Unlock()
	g.sent = time.Now()
	if g.ask.full() {
		m.hold(g.ask.guild, g.sent.Add(listEvery))
	}
	return nil
}

// reset forgets what has come, and takes nothing more; the lock is held.
func (m *members) reset(g *gather) {
	m.bytes -= g.size
	g.inbox, g.size, g.over, g.nonce = nil, 0, nil, ""
}

// ended says why ctx, a gather's, has ended.
func (m *members) ended(ctx context.Context) error {
	switch {
	case m.life.Err() != nil:
		return errHostStops
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s: the session was not ready, or Discord did not answer: ask again later", gatherLimit)
	default:
		return errAbandoned
	}
}

// collect waits for all chunks of a request that was sent. It returns errAgain
// when they do not come because the session is another one, or Discord's limit
// has passed.
func (m *members) collect(ctx context.Context, g *gather) ([][]byte, error) {
	late := time.NewTimer(answerLimit)
	defer late.Stop()
	var quiet <-chan time.Time // after a RESUMED
	for {
		select {
		case <-ctx.Done():
			return nil, m.ended(ctx)
		case <-late.C:
			return nil, g.silence()
		case <-quiet:
			return nil, errAgain
		case <-g.signal:
		}
		events, err := m.arrived(g)
		if err != nil {
			return nil, err
		}
		for n := range events {
			e := &events[n]
			since := e.Received.After(g.sent) // what is older is of the session that was asked
			switch {
			case e.Name == "GUILD_MEMBERS_CHUNK":
				if chunks, err := m.add(g, e.Data); chunks != nil || err != nil {
					return chunks, err
				}
				if quiet != nil {
					quiet = time.After(resumedQuiet)
				}
			case e.Name == "RATE_LIMITED":
				if after, ours := g.limited(e.Data); ours {
					return nil, m.limit(ctx, g, e.Received.Add(after))
				}
			case e.Name == "READY" && since:
				return nil, errAgain
			case e.Name == "RESUMED" && since:
				quiet = time.After(resumedQuiet)
			}
		}
	}
}

// arrived empties the inbox.
func (m *members) arrived(g *gather) ([]gateway.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	events := g.inbox
	g.inbox = nil
	return events, g.over
}

// limit waits until Discord, which has refused the request, lets it pass.
func (m *members) limit(ctx context.Context, g *gather, until time.Time) error {
	m.mu.Lock()
	m.reset(g)
	if g.ask.full() {
		m.hold(g.ask.guild, until)
	}
	m.mu.Unlock()
	if err := m.wait(ctx, g, until); err != nil {
		return err
	}
	return errAgain
}
