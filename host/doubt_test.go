package host

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/state"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// doubtful is a host's journal in a folder.
type doubtful struct {
	*journal
	t     *testing.T
	close func()
}

func openDoubtful(t *testing.T, dir, kind string) *doubtful {
	t.Helper()
	folder, err := state.Open(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(folder, Settings{Journal: kind}.WithDefaults(), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	return &doubtful{j, t, func() {
		if err := j.events.Close(); err != nil {
			t.Error(err)
		}
		if err := folder.Close(); err != nil {
			t.Error(err)
		}
	}}
}

// comes journals an event and says whether it is marked.
func (d *doubtful) comes() bool {
	e := &wire.Event{Name: "MESSAGE_CREATE", Seq: 1, Data: []byte(`{}`)}
	d.append([]*wire.Event{e})
	return e.Flags&wire.Redelivered != 0
}

// marked are the indexes of those that are marked when they are read.
func (d *doubtful) marked() (out []uint64) {
	d.t.Helper()
	r := d.Read(1)
	defer func() {
		if err := r.Close(); err != nil {
			d.t.Error(err)
		}
	}()
	for {
		var e wire.Event
		_, ok, err := r.Next(&e)
		if err != nil {
			d.t.Fatal(err)
		}
		if !ok {
			return out
		}
		if e.Flags&wire.Redelivered != 0 {
			out = append(out, e.Index)
		}
	}
}

// TestWhatComesAfterAKillInAHandoverIsMarked: from the moment at which other sessions
// took over, over as many kills as there are, until it is known what both have shown.
func TestWhatComesAfterAKillInAHandoverIsMarked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	j := openDoubtful(t, dir, "disk")
	marks := []bool{j.comes(), j.comes()}
	j.beginHandover()
	marks = append(marks, j.comes()) // the host lives, and knows
	j.close()
	j = openDoubtful(t, dir, "disk")
	marks = append(marks, j.comes())
	if got := j.marked(); !slices.Equal(got, []uint64{3, 4}) {
		t.Errorf("read with marks: %d", got)
	}
	j.close()
	j = openDoubtful(t, dir, "disk")
	marks = append(marks, j.comes())
	j.beginHandover() // the one before has not ended
	j.close()
	j = openDoubtful(t, dir, "disk")
	j.endHandover()
	marks = append(marks, j.comes())
	if got := j.marked(); !slices.Equal(got, []uint64{3, 4, 5}) {
		t.Errorf("read with marks at the end: %d", got)
	}
	j.close()
	j = openDoubtful(t, dir, "disk")
	defer j.close()
	marks = append(marks, j.comes())
	if want := []bool{false, false, false, true, true, false, false}; !slices.Equal(marks, want) {
		t.Errorf("marked %t, want %t", marks, want)
	}
	if got := j.marked(); got != nil {
		t.Errorf("read with marks afterwards: %d", got)
	}
}

// TestAJournalInMemoryBeginsAnew: its numbers say nothing to the next host.
func TestAJournalInMemoryBeginsAnew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	j := openDoubtful(t, dir, "memory")
	for range 5 {
		j.comes()
	}
	j.beginHandover()
	j.close()
	j = openDoubtful(t, dir, "memory")
	defer j.close()
	if !j.comes() || j.doubt.to.Load() != math.MaxUint64 {
		t.Error("what comes is not marked")
	}
}
