package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gorilla/websocket"
)

// request is a payload that someone else wants sent. Its answer is buffered,
// so that the session never waits for whoever asked.
type request struct {
	payload []byte
	answer  chan error
}

func (s *session) send(r request) error {
	err := s.writeText(r.payload)
	r.answer <- err
	return err
}

// heartbeat beats, unless the last beat was not answered: then the connection
// is dead. While reading was held back the ACK may lie unread behind events, so its
// absence proves nothing.
func (s *session) heartbeat() error {
	if !s.acked && !s.held {
		return errZombie
	}
	s.held = s.waiting
	s.acked = false
	s.beatAt = time.Now()
	s.beat.set(s.interval)
	return s.writeBeat()
}

// writeBeat reports what the router has handled: what Discord keeps for a resume is
// then exactly what could still be lost.
func (s *session) writeBeat() error {
	var seq *uint64
	if n := min(s.progress.current(), s.seq); n > 0 && s.id != "" {
		seq = &n
	}
	return s.write(opHeartbeat, seq)
}

func (s *session) ack() {
	if !s.acked && !s.held {
		s.gauges.latency.Store(int64(time.Since(s.beatAt)))
	}
	s.acked = true
	s.proveNow()
	if s.state() == StateReady {
		s.failures = 0
	}
}

func (s *session) write(op int, d any) error {
	payload, err := encode(op, d)
	if err != nil {
		return err
	}
	return s.writeText(payload)
}

func (s *session) writeText(payload []byte) error {
	s.sent.note(time.Now())
	err := s.link.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err = errors.Join(err, s.link.conn.WriteMessage(websocket.TextMessage, payload)); err != nil {
		return fmt.Errorf("write payload: %w", err)
	}
	return nil
}

// encode builds a payload and refuses one that Discord would close the connection for.
func encode(op int, d any) ([]byte, error) {
	payload, err := json.Marshal(struct {
		Op int `json:"op"`
		D  any `json:"d"`
	}{op, d})
	if err != nil {
		return nil, fmt.Errorf("encode payload: %w", err)
	}
	if len(payload) > maxSend {
		return nil, fmt.Errorf("gateway payload of %d bytes: Discord takes at most %d: send less at once", len(payload), maxSend)
	}
	return payload, nil
}
