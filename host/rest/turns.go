package rest

import (
	"container/heap"
	"container/list"
)

// turns lets callers go in turn, each with its oldest request that can go. It is guarded by the gate's lock.
type turns struct {
	callers map[string]*caller
	ring    list.List // of the callers that have something ready
}

// caller is a plugin, or the host, as far as it has something waiting.
type caller struct {
	name  string
	lanes int
	ready readyLanes
	place *list.Element // in the ring, or nil
}

func newTurns() *turns { return &turns{callers: make(map[string]*caller)} }

func (s *turns) caller(name string) *caller {
	c := s.callers[name]
	if c == nil {
		c = &caller{name: name}
		s.callers[name] = c
	}
	return c
}

// next is the lane whose head goes next, or nil.
func (s *turns) next() *lane {
	if front := s.ring.Front(); front != nil {
		return front.Value.(*caller).ready[0] //nolint:forcetypeassert // it holds nothing else
	}
	return nil
}

// done ends a caller's turn.
func (s *turns) done(c *caller) {
	if c.place != nil {
		s.ring.MoveToBack(c.place)
	}
}

// update puts a lane where it belongs after its queue or its bucket changed.
func (s *turns) update(l *lane) {
	c := l.caller
	if t := l.head(); t != nil {
		l.first = t.age
	}
	switch ready := l.ready(); {
	case ready && l.index < 0:
		heap.Push(&c.ready, l)
	case ready:
		heap.Fix(&c.ready, l.index)
	case l.index >= 0:
		heap.Remove(&c.ready, l.index)
	}
	switch {
	case len(c.ready) > 0 && c.place == nil:
		c.place = s.ring.PushBack(c)
	case len(c.ready) == 0 && c.place != nil:
		s.ring.Remove(c.place)
		c.place = nil
	}
}

// drop forgets a lane of the caller's, and the caller with its last one.
func (s *turns) drop(l *lane) {
	if l.caller.lanes--; l.caller.lanes == 0 {
		delete(s.callers, l.caller.name)
	}
}

// readyLanes is a heap by the age of the lanes' heads.
type readyLanes []*lane

func (h readyLanes) Len() int           { return len(h) }
func (h readyLanes) Less(i, j int) bool { return h[i].first < h[j].first }
func (h readyLanes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push and Pop are heap's.
func (h *readyLanes) Push(x any) {
	l := x.(*lane) //nolint:forcetypeassert // it holds nothing else
	l.index = len(*h)
	*h = append(*h, l)
}

func (h *readyLanes) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	l.index = -1
	*h = old[:len(old)-1]
	return l
}

// wakes is a heap of buckets by the time when they are looked at again.
type wakes []*bucket

func (h wakes) Len() int           { return len(h) }
func (h wakes) Less(i, j int) bool { return h[i].wakeAt.Before(h[j].wakeAt) }
func (h wakes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push and Pop are heap's.
func (h *wakes) Push(x any) {
	b := x.(*bucket) //nolint:forcetypeassert // it holds nothing else
	b.index = len(*h)
	*h = append(*h, b)
}

func (h *wakes) Pop() any {
	old := *h
	b := old[len(old)-1]
	old[len(old)-1] = nil
	b.index = -1
	*h = old[:len(old)-1]
	return b
}
