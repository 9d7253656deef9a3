package state

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func benchState(b *testing.B) *State {
	b.Helper()
	s, err := Open(filepath.Join(b.TempDir(), "state"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkAppend is time per event of 1.2 KB, with the events of a batch from one
// shard or many; xwrite is how many times that of the plain writes of as many
// bytes in the same run.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 16, 64} {
		shards := min(size, 16)
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) { benchAppend(b, size, 1) })
		if shards > 1 {
			b.Run(fmt.Sprintf("batch=%d/shards=%d", size, shards), func(b *testing.B) { benchAppend(b, size, shards) })
		}
	}
}

func benchAppend(b *testing.B, size, shards int) {
	j, err := benchState(b).OpenJournal(JournalOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	file, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	batch := make([]Record, size)
	for i := range batch {
		batch[i] = event(uint32(i%shards), 1, "MESSAGE_CREATE", 1200)
	}
	plain := make([]byte, size*frameSize(&batch[0]))
	var ours, theirs time.Duration
	var off int64
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		start := time.Now()
		if err := j.Append(batch); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if _, err := file.WriteAt(plain, off); err != nil {
			b.Fatal(err)
		}
		theirs += time.Since(middle)
		ours += middle.Sub(start)
		if off += int64(len(plain)); off > segmentMost {
			off = 0
			_ = file.Truncate(0) // the journal's pages are new ones too
		}
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N*size), "ns/event")
	b.ReportMetric(float64(ours)/float64(theirs), "xwrite")
}

func BenchmarkRead(b *testing.B) {
	j, err := benchState(b).OpenJournal(JournalOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	for range 20_000 {
		if err := j.Append([]Record{event(0, 1, "MESSAGE_CREATE", 1200)}); err != nil {
			b.Fatal(err)
		}
	}
	r := j.Read(1)
	var rec Record
	b.ReportAllocs()
	for b.Loop() {
		ok, err := r.Next(&rec)
		if err != nil {
			b.Fatal(err)
		}
		if !ok {
			r.Close()
			r = j.Read(1)
		}
	}
	r.Close()
}

func BenchmarkAck(b *testing.B) {
	c, err := benchState(b).OpenCursor("ping")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := c.SkipTo(1); err != nil {
		b.Fatal(err)
	}
	index := uint64(1)
	b.ReportAllocs()
	for b.Loop() { // pairs out of order
		index++
		if err := c.Ack(index ^ 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetSeq(b *testing.B) {
	v, err := benchState(b).OpenSessions()
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	if err := v.Save(SessionValues{ID: "one"}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		v.SetSeq(0, 7, 9)
	}
}
