package rest

import "time"

// paceSlack is how long a request may be on its way to Discord before the gate believes that it has been counted. Within
// it the promise of the pace is exact, however late a request arrives; a request's slot is freed earlier when its answer
// comes earlier.
const paceSlack = 50 * time.Millisecond

// pace spends the global limit ahead of time: at most limit requests reach Discord within any one second, and after a
// small burst they are spread evenly. It is guarded by the gate's lock.
type pace struct {
	slots   []time.Time // a ring: when each of the last limit requests leaves every second that it may be counted in
	oldest  int
	every   time.Duration
	burst   time.Duration // how far ahead of an even spread requests may run
	due     time.Time     // when the next request is due in an even spread
	blocked time.Time     // a global 429 holds until then
}

func newPace(limit int) *pace {
	every := time.Second / time.Duration(limit)
	return &pace{slots: make([]time.Time, limit), every: every, burst: every * time.Duration(max(limit/5-1, 0))}
}

// wait is how long the next request must wait; zero or less means that it may go now.
func (p *pace) wait(now time.Time) time.Duration {
	return max(p.slots[p.oldest].Sub(now), p.due.Add(-p.burst).Sub(now), p.blocked.Sub(now))
}

// take spends one slot.
func (p *pace) take(now time.Time) slot {
	s := slot{index: p.oldest, free: now.Add(time.Second + paceSlack)}
	p.slots[s.index] = s.free
	p.oldest = (p.oldest + 1) % len(p.slots)
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(p.every)
	return s
}

// slot is what one request has taken of the pace.
type slot struct {
	index int
	free  time.Time
}

// answered frees a slot a second after now, when the answer is here and the request certainly has been counted.
func (p *pace) answered(s slot, now time.Time) {
	if free := now.Add(time.Second); p.slots[s.index].Equal(s.free) && free.Before(s.free) {
		p.slots[s.index] = free
	}
}

// unused gives back the slot of a request that was never sent. The newest one is taken again at once; another one's turn
// comes with the ring.
func (p *pace) unused(s slot) {
	if !p.slots[s.index].Equal(s.free) {
		return
	}
	p.slots[s.index] = time.Time{}
	p.due = p.due.Add(-p.every)
	if (s.index+1)%len(p.slots) == p.oldest {
		p.oldest = s.index
	}
}
