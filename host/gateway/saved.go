package gateway

import (
	"errors"
	"fmt"
	"time"
)

const (
	// maxSeq is far above what a session can count: 10,000 events a second for three years.
	maxSeq = 1 << 40
	// maxSessionID keeps a damaged id from making a RESUME that is too large to send.
	maxSessionID = 256
)

// Saved is what the session of an earlier process can be resumed by.
type Saved struct {
	// ID and ResumeURL are session_id and resume_gateway_url as its READY named them.
	ID, ResumeURL string
	// Seq is its last event that was journaled or skipped: Discord repeats what followed.
	Seq uint64
	// Since is when that event came, or a later moment up to which nothing was missing, zero
	// when unknown. It is for the log alone: which span was bridged, or is missed.
	Since time.Time
}

func (v *Saved) check() error {
	switch {
	case v.ID == "":
		return errors.New("no session id")
	case len(v.ID) > maxSessionID:
		return fmt.Errorf("a session id of %d bytes: Discord's have 32", len(v.ID))
	case v.Seq == 0:
		return errors.New("no sequence number")
	case v.Seq >= maxSeq:
		return fmt.Errorf("sequence number %d: no session lives that long", v.Seq)
	}
	return nil
}

// span is the time from when nothing was missing until now, for the log.
func (v *Saved) span() (since string, took time.Duration) {
	if v.Since.IsZero() {
		return "unknown", 0
	}
	return stamp(v.Since), max(0, time.Since(v.Since)).Round(time.Millisecond)
}

// stamp writes a moment for the log, without Go's monotonic reading.
func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// adopt takes over the session of an earlier process. Values that make no sense
// are left out: then the session identifies as if there were none.
func (s *session) adopt(v Saved) {
	if err := v.check(); err != nil {
		since, took := v.span()
		s.log.Warn("saved session makes no sense, events until the next READY are missed", "since", since, "took", took, "error", err)
		s.gauges.lost.Add(1)
		s.missed = &v
		return
	}
	s.id, s.resumeURL, s.seq = v.ID, resumeURL(v.ResumeURL, s.cfg.URL), v.Seq
	s.gauges.seq.Store(int64(v.Seq))
	s.progress.note(v.Seq)
	s.adopted = &v
}

// unproven tells whether Discord has not yet shown that it knows the session
// of an earlier process: neither RESUMED nor a missed event came.
func (s *session) unproven() bool { return s.adopted != nil && s.seq == s.adopted.Seq }
