package simulator

import (
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// writer is the state of a connection's writing goroutine.
type writer struct {
	*conn
	batch   []frame
	payload []byte
	final   *note // to be sent when all frames are
	shut    bool
}

// flushEvery is how long a busy writer keeps what it has written: a slow machine that compresses a long replay
// must not seem silent.
const flushEvery = 20 * time.Millisecond

// write sends notes and frames until the reader has ended. On an error it closes the link, which ends the reader.
func (c *conn) write() {
	defer close(c.gone)
	w := &writer{conn: c, batch: make([]frame, 0, writeBatch)}
	defer func() { w.pack.close() }()
	watch := time.NewTimer(c.s.cfg.HeartbeatInterval)
	defer watch.Stop()
	flushed := time.Now()
	for {
		busy, err := w.step()
		if err == nil && (!busy || time.Since(flushed) > flushEvery) {
			err = c.link.flush()
			flushed = time.Now()
		}
		if err != nil {
			c.s.log.Debug("write", "error", err)
			_ = c.link.Close()
			<-c.done
			return
		}
		if busy {
			select {
			case n := <-c.notes:
				w.note(n)
			default:
			}
			continue
		}
		watch.Reset(c.patience(time.Now()))
		select {
		case n := <-c.notes:
			w.note(n)
		case <-c.wake:
		case <-watch.C:
			w.check(time.Now())
		case <-c.done:
			_ = c.link.flush() // our answer to the client's close frame
			return
		}
	}
}

// note sends a note, or keeps it until the frames are sent.
func (w *writer) note(n note) {
	if w.shut {
		return
	}
	if n.last {
		w.final = &n
		return
	}
	w.tell(n)
}

// tell sends a note. An error shows in the next flush, because gorilla keeps it.
func (w *writer) tell(n note) {
	if n.release {
		w.released.Store(time.Now().UnixNano())
		w.ses.Store(nil)
	}
	if n.payload != nil {
		w.deliver(n.payload)
	}
	if n.code == 0 {
		return
	}
	w.shut = true
	msg := websocket.FormatCloseMessage(n.code, n.reason)
	_ = w.ws.WriteControl(websocket.CloseMessage, msg, time.Now().Add(closePatience))
	w.link.finish(closePatience)
}

func (w *writer) deliver(payload []byte) {
	kind, message, err := w.pack.pack(payload)
	if err == nil {
		err = w.ws.WriteMessage(kind, message)
	}
	if err != nil {
		_ = w.link.Close() // the reader then ends, and the writer with it
	}
}

// step writes the next frames; busy tells that there were some.
func (w *writer) step() (busy bool, err error) {
	ses := w.ses.Load()
	if w.shut {
		return false, nil
	}
	if w.perPayload.CompareAndSwap(true, false) {
		w.pack = &perPayload{}
	}
	if ses != nil {
		frames, seq, ok := ses.next(w.conn, w.batch[:0])
		if !ok {
			w.broken(ses)
			return true, nil
		}
		for i, f := range frames {
			if w.s.cfg.VaryData {
				f.data = reorder(f.data, mix(ses.order, seq+uint64(i)))
			}
			w.payload = w.envelope(w.payload[:0], f, seq+uint64(i), ses.order)
			kind, message, err := w.pack.pack(w.payload)
			if err != nil {
				return false, err
			}
			if err := w.ws.WriteMessage(kind, message); err != nil {
				return false, err
			}
		}
		if len(frames) > 0 || w.introduce(ses) {
			return true, nil
		}
	}
	if w.final != nil {
		n := *w.final
		w.final = nil
		w.tell(n)
	}
	return false, nil
}

// introduce sends the next guild that the session still waits for; false: there is none.
func (w *writer) introduce(ses *session) bool {
	g := ses.awaited()
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if claimed, _ := ses.claim(g.id); claimed && !g.down {
		ses.paused(w.s.cfg.IntroduceEvery)
		w.s.create(ses, g, g.emitted)
	}
	return true
}

// envelope writes a dispatch payload round d. The order of its keys means nothing.
func (w *writer) envelope(b []byte, f frame, seq, order uint64) []byte {
	turn := 0
	if w.s.cfg.VaryKeys {
		turn = int(mix(order, seq) % 4)
	}
	b = append(b, '{')
	for i := range 4 {
		if i > 0 {
			b = append(b, ',')
		}
		switch (i + turn) % 4 {
		case 0:
			b = append(b, `"t":"`...)
			b = append(b, f.name...)
			b = append(b, '"')
		case 1:
			b = append(b, `"s":`...)
			b = strconv.AppendUint(b, seq, 10)
		case 2:
			b = append(b, `"op":0`...)
		case 3:
			b = append(b, `"d":`...)
			b = append(b, f.data...)
		}
	}
	return append(b, '}')
}

// patience is how long the writer may sleep before something is due.
func (c *conn) patience(now time.Time) time.Duration {
	c.mu.Lock()
	due := c.pulse.due()
	c.mu.Unlock()
	if leave := c.leave.Load(); leave != 0 {
		if t := time.Unix(0, leave); t.Before(due) {
			due = t
		}
	}
	wait := max(10*time.Millisecond, due.Sub(now))
	if ses := c.ses.Load(); ses != nil {
		if at := ses.due(); !at.IsZero() {
			wait = min(wait, at.Sub(now))
		}
	}
	return max(time.Millisecond, wait)
}

// check drops a client whose heartbeats are missing or who stayed after op 7.
func (w *writer) check(now time.Time) {
	if w.over.Load() || w.link.isStalled() || w.link.vanished.Load() {
		return
	}
	w.mu.Lock()
	due := w.pulse.due()
	w.mu.Unlock()
	var code int
	switch leave := w.leave.Load(); {
	case now.After(due):
		w.s.breach(RuleHeartbeatLate, w.shard(), "no heartbeat within 1.25 × "+w.s.cfg.HeartbeatInterval.String())
		code = 4009
	case leave != 0 && now.UnixNano() > leave:
		code = 4000
	default:
		return
	}
	w.condemn(code)
	w.note(note{code: code, reason: closeReason(code), last: true})
}

// broken ends a session that has given up frames which its stalled connection had not had.
func (w *writer) broken(ses *session) {
	w.over.Store(true)
	w.ses.Store(nil)
	w.s.remove(ses)
	ses.detach(w.conn)
	w.note(note{code: 4009, reason: closeReason(4009), last: true})
}
