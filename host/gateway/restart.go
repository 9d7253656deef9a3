package gateway

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// restart is an operator's wish to have a connection replaced. Its answer is
// buffered, so that the session never waits for whoever asked.
type restart struct {
	identify bool
	answer   chan restarted
}

type restarted struct {
	resumed bool
	err     error
}

// Restart closes the connection of a shard so that Discord keeps the session, and
// resumes it at once. With identify it gives the session up, and the shard
// identifies anew in its turn and with a permit, as any other; what happens
// until then is missed. A shard without a session is about to identify already
// and goes on with that.
//
// It returns when the shard is ready again, and says whether its session was
// resumed: Discord may refuse that, and then the shard has identified. The end
// of ctx ends only the waiting. Other shards are left alone.
func (s *Set) Restart(ctx context.Context, shard int, identify bool) (resumed bool, err error) {
	session := s.session(shard)
	if session == nil {
		return false, fmt.Errorf("shard %d does not run here: this host runs %s", shard, inRanges(s.cfg.Shards))
	}
	r := restart{identify: identify, answer: make(chan restarted, 1)}
	select {
	case session.restarts <- r:
	case <-s.stopped:
		return false, ErrStopped
	case <-ctx.Done():
		return false, fmt.Errorf("restart shard %d: %w", shard, ctx.Err())
	}
	select {
	case done := <-r.answer: // the session answers each request it takes, at its end at the latest
		return done.resumed, done.err
	case <-ctx.Done():
		return false, fmt.Errorf("wait for shard %d to be ready again: %w", shard, ctx.Err())
	}
}

// restart begins what an operator asks for. One at a time: whoever else asks
// would have the new connection closed before it is of use.
func (s *session) restart(r restart) {
	if s.restarting != nil {
		r.answer <- restarted{err: fmt.Errorf("shard %d is being restarted already, it is %s: wait until it is ready", s.shard, s.state())}
		return
	}
	s.restarting = r.answer
	switch {
	case s.state() == StateRefused:
		s.plan(0)
		return
	case s.id == "":
		return
	}
	s.reached()
	s.drop()
	if r.identify {
		since := stamp(s.reachedAt)
		if s.adopted != nil {
			since, _ = s.adopted.span()
		}
		s.log.Info("session given up on request, events until the next READY are missed", "seq", s.seq, "since", since)
		s.clear()
	} else {
		s.log.Info("connection closed on request, to resume the session", "seq", s.seq)
	}
	s.plan(0)
}

// answerRestart tells whoever asked for a restart what has become of it.
func (s *session) answerRestart(r restarted) {
	if s.restarting != nil {
		s.restarting <- r
		s.restarting = nil
	}
}

// reached remembers when the session was last known to live, at the end of a
// connection that has shown it.
func (s *session) reached() {
	if s.state() != StateConnecting && s.state() != StateWaiting && !s.unproven() {
		s.reachedAt = time.Now()
	}
}

// inRanges writes ascending numbers as a person does: 0-3, 7.
func inRanges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		last := i
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		part := strconv.Itoa(numbers[i])
		if last > i {
			part += "-" + strconv.Itoa(numbers[last])
		}
		parts = append(parts, part)
		i = last + 1
	}
	if len(parts) == 1 && !strings.Contains(parts[0], "-") {
		return "shard " + parts[0]
	}
	return "the shards " + strings.Join(parts, ", ")
}
