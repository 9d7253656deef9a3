package gateway_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
)

// gapLog is what a set's log says of sessions that were lost.
type gapLog struct {
	mu    sync.Mutex
	lines []gapLine
}

// gapLine is a line of the log.
type gapLine struct {
	Message string    `json:"@message"`
	Shard   int       `json:"shard"`
	Seq     uint64    `json:"seq"`
	Since   time.Time `json:"since"`
	State   string    `json:"state"`
	Error   string    `json:"error"`
}

func (l *gapLog) Write(p []byte) (int, error) {
	var line gapLine
	if err := json.Unmarshal(p, &line); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return len(p), nil
}

// gap is one lost session as the log tells it.
type gap struct {
	seq   uint64
	state string // in which its last connection was
	since time.Time
	ready bool // its end was told
}

// gaps puts together what the log says of a shard.
func (l *gapLog) gaps(shard int) (out []gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if line.Shard != shard {
			continue
		}
		last := len(out) - 1
		switch line.Message {
		case "session lost, events until the next READY are missed":
			out = append(out, gap{seq: line.Seq, since: line.Since})
		case "connection lost":
			if last >= 0 && out[last].state == "" {
				out[last].state = line.State
			}
		case "session ready, events were missed":
			if last >= 0 && line.Since.Equal(out[last].since) {
				out[last].ready = true
			}
		}
	}
	return out
}

// witness holds what the router saw, what the host told and what the simulator did against one another.
func (s *storm) witness(w *reader, h *hurt) {
	s.t.Helper()
	for _, g := range s.discord.Guilds() {
		w.skip(message{g.ID, s.messages / s.guilds})
	}
	kinds := make(map[string]int)
	for i, f := range h.faults {
		kinds[f.name] = h.hits[i]
	}
	s.t.Logf("%d messages, %d missed; %d resumes; sessions lost by shard %v; faults %v; connections %v", w.messages, len(w.missing), w.resumed, h.deaths, kinds, s.log.causes())
	if w.messages+len(w.missing) != s.messages {
		s.t.Errorf("%d messages came and %d are missing, of %d", w.messages, len(w.missing), s.messages)
	}
	for _, b := range s.discord.Breaches() {
		s.t.Errorf("breach: %s: %s (shard %d)", b.Rule, b.Detail, b.Shard)
	}
	if w.resumed == 0 || h.ended() > 0 && len(w.missing) == 0 {
		s.t.Error("nothing was resumed, or nothing missed: this proves nothing")
	}
	lost, spans := s.lost(w), make([][]gap, s.shards)
	for shard := range spans {
		spans[shard] = s.log.gaps(shard)
		s.told(w, shard, h.deaths[shard], spans[shard])
	}
	for m := range lost {
		if !w.missing[m] {
			s.t.Errorf("guild %d: message %d came, but no session had it", m.guild, m.n)
		}
	}
	for m := range w.missing {
		if !lost[m] {
			s.t.Errorf("guild %d: message %d is missing, but a session had it", m.guild, m.n)
		}
		s.within(w, m, spans[int(m.guild>>22)%s.shards])
	}
}

// lost is what no session could bring, by the simulator's books: what it emitted without one, and what a session
// held above the number up to which the router has everything.
func (s *storm) lost(w *reader) map[message]bool {
	s.t.Helper()
	last, wholly := make(map[string]uint64), make(map[string]bool)
	for shard, sessions := range w.sessions {
		gaps := s.log.gaps(shard)
		for i, seen := range sessions {
			last[seen.id] = seen.last
			wholly[seen.id] = i < len(gaps) && gaps[i].state == gateway.StateReady.String()
		}
	}
	out, left := make(map[message]bool), 0
	for _, m := range s.discord.Missed() {
		end, known := last[m.Session]
		switch {
		case m.Session != "" && !known:
			s.t.Errorf("shard %d: the router knows nothing of session %s", m.Shard, m.Session)
		case m.Session != "" && m.Seq <= end:
			continue
		case wholly[m.Session]:
			s.t.Errorf("shard %d: %s %d came before the end that was read, and was not read itself", m.Shard, m.Name, m.Seq)
		}
		if m.Name == "MESSAGE_CREATE" {
			text, _ := readMessage(s.t, m.Data)
			out[text] = true
			if m.Session != "" {
				left++
			}
		}
	}
	s.t.Logf("%d messages were left in sessions that ended, %d were said when there was none", left, len(out)-left)
	return out
}

// told checks that a shard's status and its log tell of each session that was lost, and of no other.
func (s *storm) told(w *reader, shard, deaths int, gaps []gap) {
	s.t.Helper()
	status := s.set.Status()[shard]
	counts := s.discord.Counts().Shards[shard]
	if status.Lost != uint64(deaths) || status.Identifies != uint64(deaths+1) || counts.Identifies != status.Identifies || status.Gaps != 0 ||
		status.State != gateway.StateStopped || len(gaps) != deaths || len(w.sessions[shard]) != deaths+1 {
		s.t.Errorf("shard %d lost %d sessions: told are %d, status %+v, counts %+v", shard, deaths, len(gaps), status, counts)
		return
	}
	for i, g := range gaps {
		if seen := w.sessions[shard][i]; g.seq != seen.last || !g.ready || g.since.After(w.sessions[shard][i+1].ready) {
			s.t.Errorf("shard %d: session %+v was lost, told is %+v", shard, seen, g)
		}
	}
}

// within checks that a message which is missing belongs to a span that the log told. Discord's last word may have been
// on its way as long as a message was, or as a link may be silent.
func (s *storm) within(w *reader, m message, gaps []gap) {
	s.t.Helper()
	shard := int(m.guild>>22) % s.shards
	at := s.about(m)
	for i, g := range gaps {
		if i+1 < len(w.sessions[shard]) && at.After(g.since.Add(-w.lag[shard]-2*chaosInterval)) && at.Before(w.sessions[shard][i+1].ready) {
			return
		}
	}
	s.t.Errorf("guild %d: message %d is missing since %s, which no span tells: %+v", m.guild, m.n, at, gaps)
}

// TestGapLog: the witness of the log reads what hclog writes.
func TestGapLog(t *testing.T) {
	l := &gapLog{}
	for _, line := range []string{
		`{"@level":"warn","@message":"session lost, events until the next READY are missed","seq":7,"shard":1,"since":"2000-01-01T00:00:01Z"}`,
		`{"@message":"connection lost","error":"x","resumes":false,"retry":1,"seq":7,"shard":1,"state":"resuming"}`,
		`{"@message":"connection lost","shard":1,"state":"connecting"}`,
		`{"@message":"session ready, events were missed","seq":1,"shard":1,"since":"2000-01-01T00:00:01Z","took":"1s"}`,
	} {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	got := l.gaps(1)
	if len(got) != 1 || got[0].seq != 7 || got[0].state != "resuming" || !got[0].ready || l.gaps(0) != nil {
		t.Errorf("%+v", got)
	}
}

// causes counts why connections were lost, for the one who looks for a reason.
func (l *gapLog) causes() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]int)
	for _, line := range l.lines {
		if line.Message == "connection lost" {
			cause := line.Error
			if strings.Contains(cause, " tcp ") { // with two ports
				cause = cause[strings.LastIndex(cause, ": ")+2:]
			}
			out[line.State+": "+cause]++
		}
	}
	return out
}
