package rest

import (
	"slices"
	"time"
)

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
	// paceSure is of how many requests it must be known when they were counted before that is believed, and paceOut how
	// much faster than all of them another may be on its way, with what the headers round.
	paceSure = 100
	paceOut  = 5 * time.Millisecond
	// paceBack is how much of the way back is taken off at most: on a busy machine it is no way but a queue, and so soon
	// may be what was the fastest way there.
	paceBack = 30 * time.Millisecond
)

// pace spends the global limit ahead of time: at most limit requests reach Discord within any one second, and after a
// small burst they are spread evenly. It is guarded by the gate's lock.
//
// When a request has been counted only Discord knows; it was between its sending and its answer. So a request holds its
// slot until a second after its answer, less what the shortest round trip of late took, as far as that is to be trusted.
// A request that is held up on its way, or at home on a busy machine, holds its slot for so much longer. Where the answer
// tells by Discord's clock when the request was counted, the way back does not matter: compared with the request that was
// fastest on its way there, which also takes the difference of the clocks out, it shows how late this one came.
type pace struct {
	limit   int
	taken   []*slot     // not yet known to be answered, in the order of sending; some are done with
	held    int         // of taken, those that hold their slot
	free    []time.Time // when the slots of answered requests are free, in order
	every   time.Duration
	burst   time.Duration // how far ahead of an even spread requests may run
	due     time.Time     // when the next request is due in an even spread
	blocked time.Time     // a global 429 holds until then
	refused refusals
	trip    shortest
	out     shortest  // from the sending to when Discord counted it, plus what its clock is ahead of origin's
	origin  time.Time // of the first request
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
	if p.refused > 1 && p.held > 0 { // one asks whether it is over; its answer comes with a look at the schedule
		return max(wait, p.taken[0].lost().Sub(now))
	}
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
	if p.origin.IsZero() {
		p.origin = now
	}
	s := &slot{sent: now}
	p.taken = append(p.taken, s)
	p.held++
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(p.every)
	return s
}

// limited lets nothing go for as long as a global 429 says that answers the slot's request.
func (p *pace) limited(s *slot, wait time.Duration, now time.Time) {
	wait = p.refused.wait(wait, !s.sent.Before(p.blocked))
	p.blocked = later(p.blocked, now.Add(wait+windowSlack))
}

// granting ends a row of global 429s, unless the slot's request was sent before the last of them; nil has none.
func (p *pace) granting(s *slot) {
	if s != nil && !s.sent.Before(p.blocked) {
		p.refused = 0
	}
}

// lost is when an unanswered request's slot is free whatever became of it.
func (s *slot) lost() time.Time { return s.sent.Add(paceLost + paceSpan) }

// answered says that the request's answer came, and when Discord counted it by its own clock, zero if that is not told.
func (p *pace) answered(s *slot, now, counted time.Time) {
	p.trip.add(now.Sub(s.sent), now)
	trip, _ := p.trip.least()
	free := now.Add(paceSpan - min(max(trip-paceMargin, 0), paceTrust))
	if !counted.IsZero() {
		out := time.Duration(counted.UnixNano()) - s.sent.Sub(p.origin) // by a clock that nobody sets
		p.out.add(out, now)
		if least, of := p.out.least(); of >= paceSure {
			arrived := later(s.sent.Add(out-least+paceOut), now.Add(-paceBack))
			free = earlier(free, arrived.Add(paceSpan))
		}
	}
	p.release(s, free)
}

// broken says that the request ended without an answer; Discord may have counted it.
func (p *pace) broken(s *slot, now time.Time) { p.release(s, now.Add(paceSpan)) }

func (p *pace) release(s *slot, free time.Time) {
	if s.done {
		return
	}
	s.done = true
	p.held--
	at := len(p.free)
	for at > 0 && p.free[at-1].After(free) { // few: they differ by what round trips do
		at--
	}
	p.free = slices.Insert(p.free, at, free)
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

// shortest is the least of the durations of late.
type shortest struct {
	now, before sample    // of this span and the one before
	until       time.Time // of this span
}

// sample is the least of so many durations; they may be negative.
type sample struct {
	least time.Duration
	of    int
}

func (s *shortest) add(d time.Duration, now time.Time) {
	if now.After(s.until) {
		s.before, s.now = s.now, sample{}
		s.until = now.Add(paceTrip)
	}
	if s.now.of == 0 || d < s.now.least {
		s.now.least = d
	}
	s.now.of++
}

// least is zero of none before the first.
func (s *shortest) least() (least time.Duration, of int) {
	switch {
	case s.before.of == 0:
		return s.now.least, s.now.of
	case s.now.of == 0:
		return s.before.least, s.before.of
	}
	return min(s.now.least, s.before.least), s.now.of + s.before.of
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
