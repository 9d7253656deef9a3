package gateway

import (
	"errors"
	"time"

	"github.com/gorilla/websocket"
)

// When a session can no longer be resumed, what came since it was whole is missed. It is whole as long as a ready
// connection brings all in order: each event of it, each ACK and the end that Discord itself tells prove that
// up to then nothing is missing. A connection that breaks off or goes silent proves nothing, and what a resume
// repeats is old: only its RESUMED proves something.

// proveEvent notes when an event came.
func (s *session) proveEvent(received time.Time) {
	if s.state() == StateReady {
		s.whole = received
	}
}

// proveNow notes that something else came. While reading is held back it may have lain unread for long.
func (s *session) proveNow() {
	if s.state() != StateReady || s.held {
		return
	}
	s.whole = time.Now()
	if s.cfg.Whole != nil && s.progress.current() == s.seq {
		s.cfg.Whole(s.shard, s.id, s.whole)
	}
}

// proveEnd notes the end of a connection if Discord told it.
func (s *session) proveEnd(cause error) {
	var closed *websocket.CloseError
	switch {
	case errors.As(cause, &closed) && closed.Code != websocket.CloseAbnormalClosure,
		errors.Is(cause, errReconnect), errors.Is(cause, errResumable), errors.Is(cause, errInvalid):
		s.proveNow()
	}
}
