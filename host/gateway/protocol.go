package gateway

import (
	"encoding/json"
	"fmt"
	"runtime"
	"time"
)

// read takes a frame and, without going through select for each, those that
// are there already, until an event finds no room.
func (s *session) read(in <-chan frame, f frame, ok bool) error {
	for more := frameQueue; ; more-- {
		if !ok {
			return s.link.err
		}
		if err := s.take(&f); err != nil || s.waiting || more == 0 {
			return err
		}
		select {
		case f, ok = <-in:
		default:
			return nil
		}
	}
}

// take is the protocol: what follows from each payload.
func (s *session) take(f *frame) error {
	switch f.op {
	case opDispatch:
		return s.dispatch(&f.event)
	case opHeartbeat:
		return s.writeBeat()
	case opReconnect:
		return errReconnect
	case opInvalid:
		if f.resumable && s.id != "" {
			return errResumable
		}
		return errInvalid
	case opHello:
		return s.hello(f.interval)
	case opAck:
		s.ack()
	case opOpened:
		s.opened = true
		s.sent = sendTimes{}
		s.gauges.connections.Add(1)
	}
	return nil
}

// hello begins to beat and says who we are.
func (s *session) hello(interval time.Duration) error {
	if s.state() != StateConnecting {
		return fmt.Errorf("second hello: %w", errMalformed)
	}
	s.interval, s.acked, s.held = interval, true, false
	s.beatAt = time.Time{}
	s.beat.set(time.Duration(float64(interval) * s.cfg.random()))
	s.answer.set(answerTimeout)
	if s.id != "" {
		s.become(StateResuming)
		return s.write(opResume, map[string]any{"token": s.cfg.Token, "session_id": s.id, "seq": s.seq})
	}
	s.become(StateIdentifying)
	s.identified, s.asked = true, time.Now()
	if s.cfg.Permits != nil {
		s.cfg.Permits.Spend(s.shard)
	}
	s.gauges.identifies.Add(1)
	d := map[string]any{
		"token":   s.cfg.Token,
		"intents": s.cfg.Intents,
		"shard":   [2]int{s.shard, s.cfg.Count},
		"properties": map[string]string{
			"os": runtime.GOOS, "browser": "holdfast", "device": "holdfast",
		},
	}
	if s.cfg.Presence != nil {
		if presence := s.cfg.Presence(s.shard); presence != nil {
			d["presence"] = presence
		}
	}
	return s.write(opIdentify, d)
}

// dispatch follows the sequence and hands the event on.
func (s *session) dispatch(ev *Event) error {
	switch {
	case ev.Name == nameReady && s.state() == StateIdentifying:
		if err := s.ready(ev); err != nil {
			return err
		}
		ev.Took = ev.Received.Sub(s.asked)
	case ev.Name == nameResumed && s.state() == StateResuming:
		s.resumed()
		ev.Seq = max(ev.Seq, s.seq)
	case s.id == "" || s.state() == StateConnecting:
		return fmt.Errorf("%s before its time: %w", ev.Name, errMalformed)
	case ev.Seq <= s.seq:
		return nil // replayed although we have it
	default:
		s.failures = 0
		s.gap(ev.Seq)
		ev.Replayed = s.state() == StateResuming
	}
	if s.state() != StateReady {
		s.answer.set(answerTimeout)
	}
	s.proveEvent(ev.Received)
	s.seq = ev.Seq
	s.gauges.seq.Store(int64(ev.Seq))
	select {
	case s.cfg.Events <- *ev:
	default:
		s.pending, s.waiting, s.held = *ev, true, true
	}
	return nil
}

// gap tells of numbers that were left out. Discord counts without gaps but does not promise
// to, so nothing else follows from it.
func (s *session) gap(seq uint64) {
	if missing := seq - s.seq - 1; missing > 0 {
		s.gauges.gaps.Add(missing)
		s.log.Warn("sequence numbers left out", "seq", seq, "missing", missing)
	}
}

// ready begins a session.
func (s *session) ready(ev *Event) error {
	var d struct {
		SessionID string `json:"session_id"`
		ResumeURL string `json:"resume_gateway_url"`
	}
	if err := json.Unmarshal(ev.Data, &d); err != nil {
		return fmt.Errorf("read READY: %w", err)
	}
	if d.SessionID == "" {
		return fmt.Errorf("read READY: %w: no session id", errMalformed)
	}
	s.progress.renew(s.seq)
	s.id, s.resumeURL = d.SessionID, resumeURL(d.ResumeURL, s.cfg.URL)
	s.born = time.Now()
	s.young.set(settled)
	s.settle(false)
	s.giveBack()
	if s.missed == nil {
		s.log.Info("session ready", "seq", ev.Seq)
		return nil
	}
	since, took := s.missed.span()
	s.log.Warn("session ready, events were missed", "seq", ev.Seq, "since", since, "until", stamp(s.born), "took", took)
	s.missed = nil
	return nil
}

func (s *session) resumed() {
	s.settle(true)
	s.gauges.resumes.Add(1)
	if s.adopted == nil {
		s.log.Info("session resumed", "seq", s.seq)
		return
	}
	s.young.set(settled)
	since, _ := s.adopted.span()
	s.log.Info("session resumed from before the restart", "seq", s.seq, "repeated", s.seq-s.adopted.Seq, "since", since, "until", stamp(time.Now()))
	s.adopted = nil
}

func (s *session) settle(resumed bool) {
	s.become(StateReady)
	s.answer.stop()
	s.answerRestart(restarted{resumed: resumed})
}
