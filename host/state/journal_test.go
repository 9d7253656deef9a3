package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// openLogged opens a state folder and collects what is logged.
func openLogged(t *testing.T, dir string) (*State, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	s, err := Open(dir, hclog.New(&hclog.LoggerOptions{Output: log}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, log
}

func openJournal(t *testing.T, s *State, o JournalOptions) *Journal {
	t.Helper()
	j, err := s.OpenJournal(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// event is a record whose data can be told from its seq.
func event(shard uint32, seq uint64, name string, size int) Record {
	return Record{
		Shard: shard, Seq: seq, Received: time.Now().UnixNano(), Guild: seq * 7, Lane: seq * 11,
		Name: name, Data: payload(seq, size),
	}
}

func payload(seq uint64, size int) []byte {
	data := bytes.Repeat([]byte{byte(seq)}, size)
	copy(data, fmt.Sprintf("{%d}", seq))
	return data
}

// same compares a record read with the one appended.
func same(got, want *Record) error {
	if got.Shard != want.Shard || got.Index != want.Index || got.Seq != want.Seq || got.Received != want.Received ||
		got.Guild != want.Guild || got.Lane != want.Lane || got.Name != want.Name || !bytes.Equal(got.Data, want.Data) || got.Lost != 0 {
		return fmt.Errorf("got %d/%d %s seq %d (%d bytes, lost %d), want %d/%d %s seq %d (%d bytes)", got.Shard, got.Index, got.Name, got.Seq,
			len(got.Data), got.Lost, want.Shard, want.Index, want.Name, want.Seq, len(want.Data))
	}
	return nil
}

// readAll checks that a reader gives each index once, and returns the events and
// how many are lost by name.
func readAll(t *testing.T, j *Journal, from uint64) (events []Record, lost map[string]uint64) {
	t.Helper()
	r := j.Read(from)
	defer r.Close()
	lost = map[string]uint64{}
	next := from
	var rec Record
	for {
		ok, err := r.Next(&rec)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		if rec.Index != next {
			t.Fatalf("index %d follows, want %d", rec.Index, next)
		}
		if rec.Lost > 0 {
			lost[rec.Name] += rec.Lost
			next += rec.Lost
			continue
		}
		next++
		rec.Data = bytes.Clone(rec.Data)
		events = append(events, rec)
	}
	if _, last := j.Range(); next != max(last+1, from) {
		t.Fatalf("the reader ended before %d, the journal at %d", next, last)
	}
	return events, lost
}

func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// both runs a test with a journal on disk and one in memory.
func both(t *testing.T, test func(t *testing.T, memory bool)) {
	t.Run("disk", func(t *testing.T) { test(t, false) })
	t.Run("memory", func(t *testing.T) { test(t, true) })
}

func TestJournalGivesBackWhatWasAppended(t *testing.T) {
	both(t, func(t *testing.T, memory bool) {
		rnd := random(t)
		s := open(t, filepath.Join(t.TempDir(), "state"))
		j := openJournal(t, s, JournalOptions{Bytes: 64 << 20, Memory: memory})
		names := []string{"MESSAGE_CREATE", "PRESENCE_UPDATE", "", strings.Repeat("N", maxName)}
		var want []Record
		newest := map[uint32]Record{}
		for seq := uint64(1); seq < 2000; {
			batch := make([]Record, 1+rnd.IntN(40))
			for i := range batch {
				size := rnd.IntN(3000)
				if rnd.IntN(500) == 0 {
					size = rnd.IntN(2 << 20)
				}
				batch[i] = event(uint32(rnd.IntN(4)), seq, names[rnd.IntN(len(names))], size)
				batch[i].Index = 99 // what was there does not matter
				seq++
			}
			if err := j.Append(batch); err != nil {
				t.Fatal(err)
			}
			for _, r := range batch {
				want = append(want, r)
				newest[r.Shard] = r
				if r.Index != uint64(len(want)) {
					t.Fatalf("index %d for event %d", r.Index, len(want))
				}
			}
		}
		for range 4 {
			from := 1 + rnd.IntN(len(want))
			got, lost := readAll(t, j, uint64(from))
			if len(lost) != 0 || len(got) != len(want)-from+1 {
				t.Fatalf("got %d, lost %v, want %d", len(got), lost, len(want)-from+1)
			}
			for i := range got {
				if err := same(&got[i], &want[from-1+i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		for shard := range uint32(4) {
			got, ok := j.Newest(shard)
			end := newest[shard]
			got.Data, end.Data = append(end.Data[:0:0], got.Data...), nil // it has none
			if err := same(&got, &end); !ok || err != nil {
				t.Errorf("newest of shard %d: %v, %v", shard, ok, err)
			}
		}
		if _, ok := j.Newest(4); ok {
			t.Error("a shard without events has a newest one")
		}
	})
}

func TestIndicesGoOnAfterARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	last := uint64(0)
	for range 4 {
		s := open(t, dir)
		j, err := s.OpenJournal(JournalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if first, end := j.Range(); end != last || last > 0 && first != 1 {
			t.Fatalf("range is %d to %d, want 1 to %d", first, end, last)
		}
		for range 10 {
			batch := []Record{event(3, last+1, "A", 10), event(3, last+2, "B", 10)}
			if err := j.Append(batch); err != nil {
				t.Fatal(err)
			}
			last += 2
			if batch[1].Index != last {
				t.Fatalf("index %d, want %d", batch[1].Index, last)
			}
		}
		if events, lost := readAll(t, j, 1); uint64(len(events)) != last || len(lost) != 0 {
			t.Fatalf("read %d of %d, lost %v", len(events), last, lost)
		}
		if newest, ok := j.Newest(3); !ok || newest.Seq != last || newest.Name != "B" {
			t.Errorf("newest is %+v, %v", newest, ok)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if err := j.Append([]Record{event(3, 1, "A", 1)}); err == nil {
			t.Error("a closed journal takes events")
		}
		s.Close()
	}
	entries, _ := os.ReadDir(filepath.Join(dir, journalFolder))
	for _, e := range entries {
		if info, _ := e.Info(); info.Mode().Perm() != fileMode {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
}

func TestNoIndexIsGivenOutAgainThatWasAcknowledged(t *testing.T) {
	both(t, func(t *testing.T, memory bool) {
		dir := filepath.Join(t.TempDir(), "state")
		s := open(t, dir)
		c, err := s.OpenCursor("ping")
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{c.SkipTo(70), c.Ack(77), c.SetSent(72)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		j := openJournal(t, s, JournalOptions{Memory: memory})
		batch := []Record{event(0, 1, "A", 1), event(1, 1, "A", 1), event(2, 1, "A", 1)}
		if err := j.Append(batch); err != nil {
			t.Fatal(err)
		}
		if batch[0].Index != 78 || batch[1].Index != 79 || batch[2].Index != 80 {
			t.Errorf("indices %d, %d, %d, want 78, 79, 80", batch[0].Index, batch[1].Index, batch[2].Index)
		}
		events, lost := readAll(t, j, 71)
		if len(events) != 3 || lost[""] != 7 {
			t.Errorf("read %d events, lost %v", len(events), lost)
		}
	})
}

func TestJournalOptionsAreChecked(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	for _, o := range []JournalOptions{{Bytes: 1}, {Bytes: -1}, {Age: -1}, {Sync: -1}} {
		if j, err := s.OpenJournal(o); err == nil {
			j.Close()
			t.Errorf("%+v is taken", o)
		}
	}
	j := openJournal(t, s, JournalOptions{Bytes: leastJournalBytes})
	batch := []Record{event(0, 1, "A", 10), event(0, 2, "A", leastJournalBytes/4), event(0, 3, strings.Repeat("n", 256), 1), event(0, 4, "A", 10)}
	if err := j.Append(batch); err == nil || !strings.Contains(err.Error(), "more bytes") || !strings.Contains(err.Error(), "name") {
		t.Errorf("an event that does not fit: %v", err)
	}
	if batch[0].Index != 1 || batch[1].Index != 0 || batch[2].Index != 0 || batch[3].Index != 2 {
		t.Errorf("indices: %d %d %d %d", batch[0].Index, batch[1].Index, batch[2].Index, batch[3].Index)
	}
}

func TestAJournalInMemoryLeavesNothingOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, log := openLogged(t, dir)
	j, err := s.OpenJournal(JournalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append([]Record{event(0, 1, "A", 10)}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j = openJournal(t, s, JournalOptions{Memory: true})
	if err := j.Append([]Record{event(0, 1, "A", 10)}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, journalFolder)); !os.IsNotExist(err) {
		t.Errorf("the folder: %v", err)
	}
	if strings.Count(log.String(), "\n") != 1 {
		t.Errorf("log: %s", log)
	}
}
