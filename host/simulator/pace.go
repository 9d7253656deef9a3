package simulator

import "time"

// This file holds the rules about time as plain arithmetic: no clock, no lock.

// window allows so many things within a sliding time.
type window struct {
	limit int
	per   time.Duration
	times []time.Time // a ring of the last limit times
	next  int
}

func newWindow(limit int, per time.Duration) *window {
	return &window{limit: limit, per: per}
}

// take notes one thing now and tells whether it is still allowed.
func (w *window) take(now time.Time) bool {
	if len(w.times) < w.limit {
		w.times = append(w.times, now)
		return true
	}
	ok := now.Sub(w.times[w.next]) >= w.per
	if ok {
		w.times[w.next] = now
		w.next = (w.next + 1) % w.limit
	}
	return ok
}

// wait tells how long until take will be allowed again.
func (w *window) wait(now time.Time) time.Duration {
	if len(w.times) < w.limit {
		return 0
	}
	return max(0, w.per-now.Sub(w.times[w.next]))
}

// place is a shard of a set of so many. Sets of different sizes stand side by side: their accounts of identifies are
// one, but what is refused to one is not refused to the other.
type place struct{ shard, shards int }

// starts is Discord's accounting of identifies: one per interval for each shard % max_concurrency, a total per
// day, and a pause after op 9 false.
type starts struct {
	interval, pause time.Duration
	concurrency     int
	remaining       int
	last            map[int]time.Time   // by key
	refused         map[place]time.Time // when op 9 false was sent
}

func newStarts(c Config) starts {
	return starts{
		interval: c.IdentifyInterval, pause: c.InvalidWait, concurrency: c.MaxConcurrency, remaining: c.SessionStarts,
		last: make(map[int]time.Time), refused: make(map[place]time.Time),
	}
}

// take notes an identify of this shard and names the rule it breaks, "" when it breaks none. An early one costs
// a start like any other, but it does not move the time from which the next is counted.
func (s *starts) take(at place, now time.Time) Rule {
	if s.remaining <= 0 {
		return RuleIdentifyBudget
	}
	s.remaining--
	key := at.shard % s.concurrency
	if last, ok := s.last[key]; ok && now.Sub(last) < s.interval {
		return RuleIdentifyEarly
	}
	if refused, ok := s.refused[at]; ok && now.Sub(refused) < s.pause {
		return RuleIdentifyAfter9
	}
	delete(s.refused, at)
	s.last[key] = now
	return ""
}

func (s *starts) refuse(at place, now time.Time) { s.refused[at] = now }

// pulse watches the heartbeats of one connection.
type pulse struct {
	interval, grace time.Duration
	began, last     time.Time
	beats           int
	asked           int // heartbeats that we asked for by op 1
}

// due is when a client without a further heartbeat counts as gone.
func (p *pulse) due() time.Time { return p.last.Add(p.interval*5/4 + p.grace) }

// beat notes a heartbeat; false: there are far more of them than the interval asks for.
func (p *pulse) beat(now time.Time) bool {
	p.last = now
	p.beats++
	return p.beats <= 3+p.asked+int(2*now.Sub(p.began)/p.interval)
}
