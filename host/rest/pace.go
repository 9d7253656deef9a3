package rest

import "time"

const (
	// paceSpan is what the global limit is for.
	paceSpan = time.Second
	// paceLost is how long a request that is not answered may still be on its way to Discord.
	paceLost = 5 * time.Second
	// paceTrip is for how long the shortest round trip counts, at least; at most twice as long.
	paceTrip = 30 * time.Second
	// paceMargin is how much shorter than the shortest one a round trip may be, out by one's luck and back by another's.
	paceMargin = 20 * time.Millisecond
	// paceTrust is how much is believed of it at most: what is measured while connections are made, or on a busy machine,
	// may soon be too long.
	paceTrust = 50 * time.Millisecond
)

// pace spends the global limit ahead of time: at most limit requests reach Discord within any one second, and after a
// small burst they are spread evenly. It is guarded by the gate's lock.
//
// When a request has been counted only Discord knows; it was between its sending and its answer. So a request holds its
// slot until a second after its answer, less what the shortest round trip of late took, as far as that is to be trusted.
// A request that is held up on its way, or at home on a busy machine, holds its slot for so much longer.
type pace struct {
	limit   int
	taken   []*slot     // not yet known to be answered, in the order of sending; some are done with
	held    int         // of taken, those that hold their slot
	free    []time.Time // when the slots of answered requests are free, in order
	every   time.Duration
	burst   time.Duration // how far ahead of an even spread requests may run
	due     time.Time     // when the next request is due in an even spread
	blocked time.Time     // a global 429 holds until then
	trip    shortest
}

// slot is what one request has taken of the pace.
type slot struct {
	sent time.Time
	done bool
}

func newPace(limit int) *pace {
	every := paceSpan / time.Duration(limit)
	return &pace{limit: limit, every: every, burst: every * time.Duration(max(limit/5-1, 0))}
}

// wait is how long the next request must wait; zero or less means that it may go now.
func (p *pace) wait(now time.Time) time.Duration {
	p.expire(now)
	wait := max(p.due.Add(-p.burst).Sub(now), p.blocked.Sub(now))
	if p.held+len(p.free) < p.limit {
		return wait
	}
	// An answer that frees a slot earlier comes with a look at the schedule of its own.
	next := paceLost + paceSpan
	if len(p.free) > 0 {
		next = p.free[0].Sub(now)
	}
	if len(p.taken) > 0 {
		next = min(next, p.taken[0].lost().Sub(now))
	}
	return max(wait, next)
}

// expire frees what has left every second that it may be counted in.
func (p *pace) expire(now time.Time) {
	n := 0
	for n < len(p.free) && !p.free[n].After(now) {
		n++
	}
	p.free = append(p.free[:0], p.free[n:]...)
	n = 0
	for ; n < len(p.taken); n++ {
		if s := p.taken[n]; !s.done {
			if s.lost().After(now) {
				break
			}
			s.done = true
			p.held--
		}
	}
	clear(p.taken[:n])
	p.taken = p.taken[n:]
}

// take spends one slot.
func (p *pace) take(now time.Time) *slot {
	s := &slot{sent: now}
	p.taken = append(p.taken, s)
	p.held++
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(p.every)
	return s
}

// lost is when an unanswered request's slot is free whatever became of it.
func (s *slot) lost() time.Time { return s.sent.Add(paceLost + paceSpan) }

// answered says that the request's answer is here.
func (p *pace) answered(s *slot, now time.Time) {
	p.trip.add(now.Sub(s.sent), now)
	p.release(s, now.Add(paceSpan-min(max(p.trip.least()-paceMargin, 0), paceTrust)))
}

// broken says that the request ended without an answer; Discord may have counted it.
func (p *pace) broken(s *slot, now time.Time) { p.release(s, now.Add(paceSpan)) }

func (p *pace) release(s *slot, free time.Time) {
	if s.done {
		return
	}
	s.done = true
	p.held--
	if n := len(p.free); n > 0 { // kept in order; what comes late by it is a difference of two round trips
		free = later(free, p.free[n-1])
	}
	p.free = append(p.free, free)
}

// unused gives back the slot of a request that was never sent.
func (p *pace) unused(s *slot) {
	if s.done {
		return
	}
	s.done = true
	p.held--
	p.due = p.due.Add(-p.every)
}

// shortest is the least of the durations of late, zero before the first.
type shortest struct {
	now, before time.Duration // of this span and the one before; zero: none
	until       time.Time     // of this span
}

func (s *shortest) add(d time.Duration, now time.Time) {
	if now.After(s.until) {
		s.before, s.now = s.now, 0
		s.until = now.Add(paceTrip)
	}
	if s.now == 0 || d < s.now {
		s.now = d
	}
}

func (s *shortest) least() time.Duration {
	if s.before == 0 || s.now < s.before {
		return s.now
	}
	return s.before
}
