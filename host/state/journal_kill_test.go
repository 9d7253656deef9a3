package state

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writeVariable makes the test binary a host that appends and acknowledges in
// the folder which the variable names, and says what it has done, until it is killed.
const writeVariable = "STATE_TEST_WRITE"

func TestWritingChild(t *testing.T) {
	dir := os.Getenv(writeVariable)
	if dir == "" {
		t.Skip("only as a child of TestAKillLosesNothing")
	}
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.OpenJournal(JournalOptions{Bytes: 16 << 20, Sync: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.OpenCursor("ping")
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := s.OpenSessions()
	if err != nil {
		t.Fatal(err)
	}
	if err := sessions.Save(SessionValues{ID: fmt.Sprint("session", os.Getpid()), Shard: 0, Count: 1}); err != nil {
		t.Fatal(err)
	}
	_, last := j.Range()
	for {
		batch := make([]Record, 16)
		for i := range batch {
			last++
			batch[i] = event(0, last, "MESSAGE_CREATE", int(last*37%3000))
		}
		if err := j.Append(batch); err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			if index := batch[i].Index; index%3 != 0 { // every third stays open
				if err := c.Ack(index); err != nil {
					t.Fatal(err)
				}
			}
		}
		if low := c.Low(); last > low+1000 {
			_ = c.SkipTo(last - 500)
		}
		sessions.SetSeq(0, last, batch[15].Received)
		fmt.Fprintf(os.Stderr, "done %d low %d session%d\n", last, c.Low(), os.Getpid())
	}
}

func TestAKillLosesNothing(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 5
	}
	rnd := random(t)
	dir := filepath.Join(t.TempDir(), "state")
	unacked := map[uint64]bool{} // appended by a child that was killed before it acknowledged
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWritingChild$")
		cmd.Env = append(os.Environ(), writeVariable+"="+dir)
		out, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, at := bufio.NewScanner(out), 1+rnd.IntN(60)
		var told string
		for n := 0; lines.Scan(); n++ {
			told = lines.Text()
			if n == at {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		var done, low uint64
		var id string
		if _, err := fmt.Sscanf(told, "done %d low %d %s", &done, &low, &id); err != nil {
			t.Fatalf("round %d: the child said %q", round, told)
		}
		checkAfterKill(t, dir, done, low, id, unacked)
	}
}

func checkAfterKill(t *testing.T, dir string, done, low uint64, id string, unacked map[uint64]bool) {
	t.Helper()
	s := open(t, dir)
	defer s.Close()
	j, err := s.OpenJournal(JournalOptions{Bytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	first, last := j.Range()
	if last < done || last > done+16 {
		t.Fatalf("the journal ends at %d, the child had appended %d", last, done)
	}
	events, lost := readAll(t, j, first)
	if len(lost) != 0 || uint64(len(events)) != last-first+1 {
		t.Fatalf("read %d of %d to %d, lost %v", len(events), first, last, lost)
	}
	for i := range events {
		e := &events[i]
		want := event(0, e.Index, "MESSAGE_CREATE", int(e.Index*37%3000))
		want.Index, want.Received = e.Index, e.Received
		if err := same(e, &want); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.OpenCursor("ping")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.Low(); got < low {
		t.Fatalf("low is %d, the child had %d", got, low)
	}
	for i := done + 1; i <= last; i++ {
		unacked[i] = true
	}
	acks := 0
	for i := c.Low() + 1; i <= last; i++ {
		acked := c.Acked(i)
		if acked {
			acks++
		}
		if i <= done && !unacked[i] && acked != (i%3 != 0) {
			t.Fatalf("event %d of %d is acknowledged: %v", i, done, acked)
		}
	}
	if all := acksAbove(c); all != acks {
		t.Fatalf("%d events are acknowledged beyond the journal's end", all-acks)
	}
	sessions, err := s.OpenSessions()
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	all := sessions.All()
	if len(all) != 1 || all[0].ID != id || all[0].Seq < done || all[0].Seq > last {
		t.Fatalf("sessions are %+v, the child had %s at %d", all, id, done)
	}
}

// rescueNow does what the journal's goroutine does after a while.
func rescueNow(t *testing.T, j *Journal, well bool) {
	t.Helper()
	j.triedAt.Store(0)
	if err := j.rescue(time.Now()); (err == nil) != well {
		t.Fatalf("back to the disk: %v", err)
	}
	if unkept := j.unkept(); (unkept == 0) != well {
		t.Fatalf("%d bytes in memory", unkept)
	}
}

// fullVariable makes the test binary a host whose files may not grow.
const fullVariable = "STATE_TEST_FULL"

func TestAFullDisk(t *testing.T) {
	dir := os.Getenv(fullVariable)
	if dir == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), fullVariable+"="+filepath.Join(t.TempDir(), "state"))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestAFullDisk") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	s := open(t, dir)
	var c *Cursor
	j := openJournal(t, s, JournalOptions{Sync: time.Hour}) // the test does what its goroutine would do
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	small := was
	small.Cur = 50_000
	for n, limit := range []*syscall.Rlimit{&small, &was, &small, &was} {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, limit); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			_, last := j.Range()
			batch := []Record{event(0, last+1, "A", 3000), event(0, last+2, "B", 3000), event(1, last+3, "C", 1)}
			if err := j.Append(batch); err != nil {
				t.Fatal(err)
			}
		}
		if limit == &small {
			fresh, err := s.OpenCursor(fmt.Sprint("plugin", n)) // it has no file yet
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { fresh.Close() })
			c = fresh
		}
		c.triedAt = time.Now().Add(time.Hour)
		failed := c.fault != nil
		if err := c.SetSent(1); failed && err == nil {
			t.Fatal("the disk is tried again with each event")
		}
		c.triedAt = time.Time{}
		if err := c.SetSent(1); (err == nil) != (limit != &small) {
			t.Fatalf("a cursor's first mark: %v", err)
		}
		if limit == &small && !j.Fallen() {
			t.Fatalf("all on the disk with limit %d", limit.Cur)
		}
		rescueNow(t, j, limit != &small)
		events, lost := readAll(t, j, 1)
		for i := range events {
			if events[i].Seq != uint64(i)+1 {
				t.Fatalf("event %d has seq %d", i+1, events[i].Seq)
			}
		}
		if len(lost) != 0 {
			t.Fatalf("lost %v", lost)
		}
	}
}
