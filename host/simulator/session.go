package simulator

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// session is what IDENTIFY makes: a numbered stream of events for one shard. It outlives its connections. The
// frames above what heartbeats have reported are kept; a connection writes from them and notes how far it is.
type session struct {
	id      string
	shard   int
	shards  int
	intents uint64
	large   int // large_threshold

	mu       sync.Mutex
	frames   []frame // frames[i] has seq first+i
	first    uint64
	seq      uint64 // the last number given
	size     int    // bytes in frames
	written  uint64 // the last number handed to the connection
	top      uint64 // the highest number ever handed to a connection
	beaten   uint64 // what heartbeats have reported
	conn     *conn
	lost     time.Time // when the connection went
	dead     bool
	resumes  int
	presence json.RawMessage      // the last that was set
	told     uint64               // bytes of all frames' data
	dropped  uint64               // frames given up because of the bounds
	waiting  map[uint64]time.Time // guilds whose GUILD_CREATE is still to come, and from when on it may
	queue    []introduction       // the same in order
	pause    time.Time            // until then none of them comes by itself
	room     chan struct{}        // closed when there is room again; nil when nobody waits
	dice     *rand.Rand
	order    uint64              // how its keys are ordered
	late     []lateFrame         // by the time from when on it may be numbered
	pace     map[uint64]lanePace // of each guild
}

// introduction is a guild whose GUILD_CREATE is still to come.
type introduction struct {
	guild *guildState
	from  time.Time
}

func (s *Server) newSession(id identity) *session {
	n := s.made.Add(1)
	return &session{
		id: s.mint.token(24), shard: id.shard, shards: id.shards, intents: id.intents, large: id.large, first: 1, presence: id.presence,
		order: mix(s.cfg.Seed, n), dice: rand.New(rand.NewPCG(s.cfg.Seed, n)), pace: make(map[uint64]lanePace),
	}
}

// expect says which guilds are to be introduced, spread over a time.
func (ses *session) expect(guilds []*guildState, within time.Duration) {
	now := time.Now()
	ses.waiting = make(map[uint64]time.Time, len(guilds))
	for _, g := range guilds {
		from := now
		if within > 0 {
			from = now.Add(time.Duration(ses.dice.Int64N(int64(within))))
		}
		ses.waiting[g.id] = from
		ses.queue = append(ses.queue, introduction{g, from})
	}
	slices.SortStableFunc(ses.queue, func(a, b introduction) int { return a.from.Compare(b.from) })
}

func (ses *session) place() place { return place{ses.shard, ses.shards} }

// frame is one dispatch of a session. Its number follows from its place.
type frame struct {
	name string
	data []byte // d, shared between sessions
}

const frameOverhead = 64

// takes tells whether a session is to see an event.
func (ses *session) takes(ev *event) bool {
	return ev.need == 0 || ses.intents&ev.need != 0
}

// covers tells whether the session's shard carries this guild, or what has no guild.
func (ses *session) covers(guild uint64) bool {
	return shardOf(guild, ses.shards) == ses.shard
}

// present sets the presence; ok is false when it is malformed. The connection's buffer holds it.
func (ses *session) present(d json.RawMessage) (ok bool) {
	if !validPresence(d) {
		return false
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.presence = bytes.Clone(d)
	return true
}

// push numbers an event of a guild (0: of none) and keeps it, now or a little later. It never waits. False: the
// session is over.
func (ses *session) push(guild uint64, name string, data []byte, limits *Config) bool {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if limits.Skew > 0 && name != "READY" {
		return ses.delay(guild, frame{name, data}, limits)
	}
	return ses.append(name, data, limits)
}

func (ses *session) append(name string, data []byte, limits *Config) bool {
	if ses.dead {
		return false
	}
	ses.seq++
	ses.frames = append(ses.frames, frame{name, data})
	ses.size += len(data) + frameOverhead
	ses.told += uint64(len(data))
	for len(ses.frames) > limits.ReplayLimit || ses.size > limits.ReplayBytes && len(ses.frames) > 1 {
		ses.shift(1)
		ses.dropped++
	}
	if ses.conn != nil {
		ses.conn.nudge()
	}
	return true
}

// shift gives up the n oldest frames.
func (ses *session) shift(n int) {
	for i := range n {
		ses.size -= len(ses.frames[i].data) + frameOverhead
		ses.frames[i] = frame{}
	}
	ses.frames = ses.frames[n:]
	ses.first += uint64(n)
}

// beat notes what a heartbeat reports: everything up to seq needs no replay. False: it was never sent.
func (ses *session) beat(seq uint64) bool {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if seq > ses.written {
		return false
	}
	if seq > ses.beaten {
		ses.beaten = seq
	}
	if seq >= ses.first {
		ses.shift(int(seq - ses.first + 1))
	}
	return true
}

// next hands over up to cap(batch) frames that the connection has not yet written, and the number of the first.
// ok is false when frames were given up that this connection had not had: its stream is broken.
func (ses *session) next(c *conn, batch []frame) (frames []frame, seq uint64, ok bool) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.conn != c {
		return nil, 0, true
	}
	ses.ripen(&c.s.cfg)
	if ses.written+1 < ses.first {
		return nil, 0, false
	}
	at := int(ses.written + 1 - ses.first)
	batch = append(batch, ses.frames[at:min(len(ses.frames), at+cap(batch))]...)
	seq = ses.written + 1
	ses.written += uint64(len(batch))
	ses.top = max(ses.top, ses.written)
	if ses.room != nil && ses.seq-ses.written+uint64(len(ses.late)) < uint64(max(cap(batch), c.s.cfg.Outgoing/2)) {
		close(ses.room)
		ses.room = nil
	}
	return batch, seq, true
}

// crowded gives a channel to wait on while more than limit frames wait for a connection that reads slowly; nil:
// there is room, or nobody to wait for.
func (ses *session) crowded(limit int) <-chan struct{} {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.dead || ses.conn == nil || ses.seq-ses.written+uint64(len(ses.late)) < uint64(limit) || ses.conn.link.isStalled() {
		return nil
	}
	if ses.room == nil {
		ses.room = make(chan struct{})
	}
	return ses.room
}

// release lets everybody go who waits for room.
func (ses *session) release() {
	if ses.room != nil {
		close(ses.room)
		ses.room = nil
	}
}

// detach takes the connection from the session, which can then be resumed.
func (ses *session) detach(c *conn) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.conn == c {
		ses.conn = nil
		ses.lost = time.Now()
		ses.release()
	}
}

// endOn is end, unless the session has gone to another connection meanwhile: then what the one of before had to
// tell does not concern it.
func (ses *session) endOn(c *conn) bool {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.conn != c {
		return false
	}
	ses.flush(&c.s.cfg)
	ses.dead = true
	ses.release()
	return true
}

// end makes the session impossible to resume. Its connection, if any, may still write what is there.
func (ses *session) end(limits *Config) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.flush(limits)
	ses.dead = true
	ses.release()
}

// expired tells whether the session has been without a connection for too long.
func (ses *session) expired(window time.Duration, now time.Time) bool {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	return ses.dead || ses.conn == nil && !ses.lost.IsZero() && now.Sub(ses.lost) > window
}

// awaited takes the next guild whose GUILD_CREATE may come now, without removing it; nil: none.
func (ses *session) awaited() *guildState {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	for len(ses.queue) > 0 {
		next := ses.queue[0]
		if _, ok := ses.waiting[next.guild.id]; ok {
			if now := time.Now(); now.Before(next.from) || now.Before(ses.pause) {
				return nil
			}
			return next.guild
		}
		ses.queue = ses.queue[1:]
	}
	return nil
}

// claim tells whether this guild's GUILD_CREATE is still to come, and that the caller now sends it. early: it is
// to come later, and nothing of the guild before.
func (ses *session) claim(guild uint64) (claimed, early bool) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	from, ok := ses.waiting[guild]
	switch {
	case !ok:
		return false, false
	case time.Now().Before(from):
		return false, true
	}
	delete(ses.waiting, guild)
	return true, false
}

// paused has the next introduction wait for so long.
func (ses *session) paused(every time.Duration) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.pause = time.Now().Add(every)
}

// disown takes a guild from those to introduce: the bot has left it.
func (ses *session) disown(guild uint64) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	delete(ses.waiting, guild)
}

// due tells when the session has something to write that it has not yet; zero: nothing is known.
func (ses *session) due() (at time.Time) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if len(ses.queue) > 0 {
		if at = ses.queue[0].from; at.Before(ses.pause) {
			at = ses.pause
		}
	}
	if len(ses.late) > 0 && (at.IsZero() || ses.late[0].due.Before(at)) {
		at = ses.late[0].due
	}
	return at
}
