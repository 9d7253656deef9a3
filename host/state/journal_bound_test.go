package state

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func onDisk(t *testing.T, s *State) (sum int64) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.Path(), journalFolder))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

func TestJournalStaysWithinItsBytes(t *testing.T) {
	both(t, func(t *testing.T, memory bool) {
		const bound = 2 << 20
		s := open(t, filepath.Join(t.TempDir(), "state"))
		j := openJournal(t, s, JournalOptions{Bytes: bound, Memory: memory})
		behind := j.Read(1)
		defer behind.Close()
		var rec Record
		for seq := uint64(1); seq <= 6000; seq++ {
			if err := j.Append([]Record{event(uint32(seq%3), seq, "A", 1000), event(0, seq, "B", 1000)}); err != nil {
				t.Fatal(err)
			}
			if seq == 3 { // in the first segment while it is dropped
				if ok, err := behind.Next(&rec); !ok || err != nil || rec.Index != 1 {
					t.Fatal(ok, err, rec.Index)
				}
			}
			if got := j.Bytes(); got > bound {
				t.Fatalf("%d bytes after %d events", got, seq)
			}
			if seq%500 == 0 && !memory {
				if got := onDisk(t, s); got > bound {
					t.Fatalf("%d bytes on disk after %d events", got, seq)
				}
			}
		}
		if j.Bytes() < bound/2 {
			t.Errorf("only %d bytes are kept", j.Bytes())
		}
		// What is lost is told by name, each index once.
		first, last := j.Range()
		events, lost := readAll(t, j, 1)
		if uint64(len(events)) != last-first+1 || lost["A"]+lost["B"] != first-1 || lost["A"] != (first-1)-(first-1)/2 {
			t.Errorf("%d events of %d to %d, lost %v", len(events), first, last, lost)
		}
		// The reader that was there before reads its segment to the end.
		kept := 0
		for {
			ok, err := behind.Next(&rec)
			if err != nil {
				t.Fatal(err)
			}
			if !ok || rec.Lost > 0 {
				break
			}
			kept++
		}
		if kept < 10 || rec.Lost == 0 {
			t.Errorf("the reader went on for %d events, then %+v", kept, rec.Lost)
		}
	})
}

// TestALargeBatchIsCut: it fills several segments, so that what is dropped to make
// room is never much.
func TestALargeBatchIsCut(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	j := openJournal(t, s, JournalOptions{Bytes: 2 << 20})
	batch := make([]Record, 64)
	for i := range batch {
		batch[i] = event(uint32(i%3), uint64(i)+1, "A", 20<<10)
	}
	if err := j.Append(batch); err != nil {
		t.Fatal(err)
	}
	for _, seg := range j.segs {
		if size := seg.size.Load(); size > j.segmentLimit() {
			t.Errorf("a segment of %d bytes, want at most %d", size, j.segmentLimit())
		}
	}
	if events, lost := readAll(t, j, 1); len(events) != len(batch) || len(lost) != 0 {
		t.Errorf("read %d events, lost %v", len(events), lost)
	}
}

func TestPresencesGoFirst(t *testing.T) {
	both(t, func(t *testing.T, memory bool) {
		s := open(t, filepath.Join(t.TempDir(), "state"))
		o := JournalOptions{Bytes: 4 << 20, Memory: memory}
		j, err := s.OpenJournal(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { j.Close() }()
		messages := 0
		for seq := uint64(1); seq <= 4000; seq++ { // 1 MB of messages, 3 MB of presences, and more
			name := "PRESENCE_UPDATE"
			if seq%4 == 0 {
				name, messages = "MESSAGE_CREATE", messages+1
			}
			if err := j.Append([]Record{event(0, seq, name, 1000)}); err != nil {
				t.Fatal(err)
			}
			if j.Bytes() > o.Bytes {
				t.Fatalf("%d bytes", j.Bytes())
			}
			waitThin(j)
		}
		for round := range 2 {
			events, lost := readAll(t, j, 1)
			got := 0
			for _, e := range events {
				if e.Name == "MESSAGE_CREATE" {
					got++
				}
			}
			if got != messages || lost["MESSAGE_CREATE"] != 0 || lost["PRESENCE_UPDATE"]+lost[""] < 100 || round == 0 && lost[""] != 0 {
				t.Fatalf("%d of %d messages, lost %v", got, messages, lost)
			}
			if memory {
				break
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if j, err = s.OpenJournal(o); err != nil { // thinned segments are read back
				t.Fatal(err)
			}
		}
	})
}

// waitThin waits until the journal's goroutine has done what it was woken for.
func waitThin(j *Journal) {
	for j.total.Load() > j.opts.Bytes/8*7 && j.light.Load() > j.opts.Bytes/8 {
		if j.thickest() == nil {
			return
		}
		select {
		case j.kick <- struct{}{}:
		default:
		}
		runtime.Gosched()
	}
}

func TestOldEventsGo(t *testing.T) {
	both(t, func(t *testing.T, memory bool) {
		dir := filepath.Join(t.TempDir(), "state")
		synctest.Test(t, func(t *testing.T) {
			s := open(t, dir)
			j := openJournal(t, s, JournalOptions{Memory: memory})
			for seq := uint64(1); seq <= 3600; seq++ {
				if err := j.Append([]Record{event(0, seq, "A", 10)}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				first, _ := j.Range()
				if age := seq - first; age > 15*60+2 || seq > 1000 && age < 15*60*7/8-2 {
					t.Fatalf("at %d s the oldest event is %d s old", seq, age)
				}
			}
			time.Sleep(16 * time.Minute)
			if first, last := j.Range(); first != 3601 || last != 3600 {
				t.Errorf("range is %d to %d", first, last)
			}
			if _, lost := readAll(t, j, 3000); lost["A"] != 601 {
				t.Errorf("lost %v", lost)
			}
		})
	})
}

// TestReadersFollowWriters: two write, as the events of two shards, and readers
// see both in one order.
func TestReadersFollowWriters(t *testing.T) {
	both(t, func(t *testing.T, memory bool) {
		const count = 20_000
		s := open(t, filepath.Join(t.TempDir(), "state"))
		j := openJournal(t, s, JournalOptions{Bytes: 4 << 20, Memory: memory, Sync: time.Millisecond})
		var wait sync.WaitGroup
		for shard := range uint32(2) {
			wait.Go(func() {
				batch := make([]Record, 8)
				for seq := uint64(1); seq <= count; seq += 8 {
					for i := range batch {
						name := "MESSAGE_CREATE"
						if i%2 == 0 {
							name = "TYPING_START"
						}
						batch[i] = event(shard, seq+uint64(i), name, 500)
					}
					if err := j.Append(batch); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 6 {
			wait.Go(func() { follow(t, j, 2*count) })
		}
		wait.Wait()
		if got := j.Bytes(); got > 4<<20 || got < 0 {
			t.Errorf("%d bytes", got)
		}
	})
}

func follow(t *testing.T, j *Journal, count uint64) {
	r := j.Read(1)
	defer r.Close()
	var rec Record
	seqs := map[uint32]uint64{}
	for next := uint64(1); next <= count; {
		ok, err := r.Next(&rec)
		if err != nil {
			t.Error(err)
			return
		}
		if !ok {
			runtime.Gosched()
			continue
		}
		if rec.Index != next {
			t.Errorf("index %d follows, want %d", rec.Index, next)
			return
		}
		if rec.Lost > 0 {
			next += rec.Lost
			continue
		}
		if rec.Seq <= seqs[rec.Shard] || !bytes.Equal(rec.Data, payload(rec.Seq, 500)) {
			t.Errorf("event %d has seq %d after %d of shard %d and data %.10s", next, rec.Seq, seqs[rec.Shard], rec.Shard, rec.Data)
			return
		}
		seqs[rec.Shard] = rec.Seq
		next++
	}
}
