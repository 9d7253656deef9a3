package gateway

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var update = flag.Bool("update", false, "write the stories as they went")

// story plays a golden transcript. Each line begins with the time since the start, in
// seconds of the bubble's clock, and goes on with
//
//	< WORD ARG     the server sends (payload in fake_test.go)
//	> WORDS        the client has sent
//	= NAME SEQ     the session has handed on an event
//	! WORDS        something happens, see act
//
// The lines are executed in order and must come out again as they stand,
// times included. Lines with # set the scene; three of them do so by their words:
//
//	# room for 1 event            in the router's queue
//	# saved ID seq SEQ, AGO ago   what an earlier process left
//	# nothing listens             until it is said
type story struct {
	t       *testing.T
	fake    *fake
	set     *Set
	events  chan Event
	conn    *fakeConn
	start   time.Time
	cancel  context.CancelFunc
	ended   chan error
	asked   chan string
	stopped bool
}

func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		for _, compress := range []string{CompressZstd, CompressZlib, CompressNone} {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+compress, func(t *testing.T) {
				play(t, file, compress)
			})
		}
	}
}

func play(t *testing.T, file, compress string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(b)
	var got strings.Builder
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, compress, want)
		for line := range strings.Lines(want) {
			got.WriteString(s.line(strings.TrimRight(line, "\n")) + "\n")
			if t.Failed() {
				break
			}
		}
		s.end()
	})
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got.String() != want {
		t.Errorf("the story went otherwise:\n%s", difference(want, got.String()))
	}
}

// difference shows both from the first line that differs.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return got
}

func newStory(t *testing.T, compress, text string) *story {
	s := &story{t: t, fake: newFake(t, compress), start: time.Now(), ended: make(chan error, 1)}
	capacity := 64
	if strings.Contains(text, "# room for 1 event") {
		capacity = 1
	}
	s.events = make(chan Event, capacity)
	s.fake.refuse.Store(strings.Contains(text, "# nothing listens"))
	set, err := NewSet(Config{
		Token: "token", URL: "ws://gateway.test", Intents: 1 << 15, Compress: compress, Events: s.events,
		Resume: savedIn(t, text), dial: s.fake.dial, random: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.set, s.cancel = set, cancel
	go func() { s.ended <- set.Run(ctx) }()
	return s
}

// savedIn reads what the scene says that an earlier process left of shard 0.
func savedIn(t *testing.T, text string) map[int]Saved {
	_, rest, ok := strings.Cut(text, "# saved ")
	if !ok {
		return nil
	}
	v := Saved{ResumeURL: "ws://resume.test"}
	var ago string
	if _, err := fmt.Sscanf(rest, "%s seq %d, %s ago", &v.ID, &v.Seq, &ago); err != nil {
		t.Fatalf("what is saved? %v", err)
	}
	d, err := time.ParseDuration(ago)
	if err != nil {
		t.Fatal(err)
	}
	v.Since = time.Now().Add(-d)
	return map[int]Saved{0: v}
}

// end stops the set, if the story has not, and makes sure that nothing was left unsaid.
func (s *story) end() {
	s.cancel()
	if !s.stopped {
		if err := <-s.ended; err != nil {
			s.t.Errorf("run ended with %v", err)
		}
	}
	select {
	case e := <-s.events:
		s.t.Errorf("left over: %s %d", e.Name, e.Seq)
	default:
	}
}

// line does what a line says and returns it as it happened.
func (s *story) line(line string) string {
	if line == "" || line[0] == '#' {
		return line
	}
	fields := strings.Fields(line)
	if _, err := strconv.ParseFloat(fields[0], 64); err == nil {
		fields = fields[1:]
	}
	mark, words := fields[0], fields[1:]
	var said string
	switch mark {
	case "<":
		said = s.say(words)
	case ">":
		said = s.hear()
	case "=":
		e := await(s, s.events)
		said = fmt.Sprintf("%s %d", e.Name, e.Seq)
	case "!":
		said = s.act(words)
	default:
		s.t.Fatalf("what is %q?", line)
	}
	return fmt.Sprintf("%8.3f %s %s", time.Since(s.start).Seconds(), mark, said)
}

func (s *story) say(words []string) string {
	arg := ""
	if len(words) > 1 {
		arg = words[1]
	}
	if err := s.conn.write(s.t, s.fake.compress, payload(words[0], arg)); err != nil {
		s.t.Errorf("send %v: %v", words, err)
	}
	return strings.Join(words, " ")
}

func (s *story) hear() string { return await(s, s.conn.got) }

// await ends a story that does not go on: the bubble's clock would run for ever, and sessions that
// try again and again fill the memory.
func await[T any](s *story, c <-chan T) (v T) {
	s.t.Helper()
	select {
	case v = <-c:
	case <-time.After(time.Hour):
		s.t.Fatalf("waited an hour for a %T", v)
	}
	return v
}

func (s *story) act(words []string) string {
	synctest.Wait() // what was sent has arrived
	switch words[0] {
	case "connection": // from the client
		s.conn = await(s, s.fake.conns)
		return "connection to " + strings.Replace(s.conn.address, "compress="+s.fake.compress+"&", "", 1)
	case "lost":
		s.conn.abort()
	case "close":
		code, err := strconv.Atoi(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.conn.close(code)
	case "pass":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(d)
	case "handled":
		seq, err := strconv.ParseUint(words[1], 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		s.set.Handled(0, seq)
	case "silent": // the link is half open: one payload more seems to be sent, then nothing moves
		s.conn.deaf.Store(true)
	case "refuse":
		s.fake.refuse.Store(true)
	case "accept":
		s.fake.refuse.Store(false)
	case "status":
		st := s.set.Status()[0]
		return fmt.Sprintf("status %s seq %d handled %d latency %s connections %d identifies %d resumes %d lost %d gaps %d",
			st.State, st.Seq, st.Handled, st.Latency, st.Connections, st.Identifies, st.Resumes, st.Lost, st.Gaps)
	case "restart": // an operator asks
		s.asked = make(chan string, 1)
		go func() {
			resumed, err := s.set.Restart(s.t.Context(), 0, slices.Contains(words, "identify"))
			s.asked <- fmt.Sprintf("restarted resumed %t, error %v", resumed, err)
		}()
		synctest.Wait()
	case "also": // another one asks
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Hour)
		defer cancel()
		_, err := s.set.Restart(ctx, 0, false)
		return fmt.Sprintf("also %v", err)
	case "restarted":
		return await(s, s.asked)
	case "stop":
		s.cancel()
	case "ended":
		s.stopped = true
		err := <-s.ended
		var refusal *CloseError
		if err != nil && !errors.As(err, &refusal) {
			s.t.Errorf("%T is no CloseError", err)
		}
		return fmt.Sprintf("ended with %v", err)
	default:
		s.t.Fatalf("what is %q?", words)
	}
	return strings.Join(words, " ")
}
