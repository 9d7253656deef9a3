package host

import (
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/state"
	"github.com/holdfast-bot/holdfast/plugins"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// A cursor of the state folder tells apart as many events as plugins rely on.
const _ = uint(state.CursorWindow - plugins.CursorWindow)

// complainEvery is how often a journal that does not take events is told of.
const complainEvery = time.Minute

// journal is the state folder's journal as router and plugins see it.
type journal struct {
	folder *state.State
	events *state.Journal
	log    hclog.Logger
	doubt  doubt

	// The router's:
	records    []state.Record
	loose      uint64 // events that the journal did not take
	complained time.Time
}

// openJournal opens the journal of the settings. Close its events.
func openJournal(folder *state.State, s Settings, log hclog.Logger) (*journal, error) {
	events, err := folder.OpenJournal(state.JournalOptions{
		Bytes: int64(s.JournalBytes), Age: s.JournalAge, Memory: s.Journal == "memory",
	})
	if err != nil {
		return nil, err
	}
	j := &journal{folder: folder, events: events, log: log}
	if err := j.recall(); err != nil {
		return nil, errors.Join(err, events.Close())
	}
	return j, nil
}

// append journals a batch for the router. What the journal does not take is told
// and goes on in memory: a bot shall not stand still for want of a journal.
func (j *journal) append(events []*wire.Event) {
	if len(events) == 0 {
		return
	}
	j.records = j.records[:0]
	for _, e := range events {
		j.records = append(j.records, state.Record{
			Shard: e.Shard, Seq: e.Seq, Received: e.Received, Guild: e.Guild, Lane: e.Lane, Name: e.Name, Data: e.Data,
		})
	}
	err := j.events.Append(j.records)
	for n, e := range events {
		if e.Index = j.records[n].Index; e.Index == 0 {
			j.loose++
			e.Index = wire.NotJournaled | j.loose
		}
		j.doubt.mark(e)
	}
	clear(j.records) // their data is the plugins' to keep
	if err != nil && time.Since(j.complained) >= complainEvery {
		j.complained = time.Now()
		j.log.Error("events are not journaled: a plugin that is behind, or a host that is killed, loses them", "so_far", j.loose, "error", err)
	}
}

// Cursor implements plugins.Cursors.
func (j *journal) Cursor(plugin string) (plugins.Cursor, error) {
	c, err := j.folder.OpenCursor(plugin)
	if err != nil {
		return nil, err // and not a nil *state.Cursor in an interface
	}
	return c, nil
}

// Cursors implements plugins.Cursors.
func (j *journal) Cursors() ([]string, error) { return j.folder.Cursors() }

// Forget implements plugins.Cursors.
func (j *journal) Forget(plugin string) error { return j.folder.RemoveCursor(plugin) }

// Last implements plugins.Journal.
func (j *journal) Last() uint64 {
	_, last := j.events.Range()
	return last
}

// Read implements plugins.Journal.
func (j *journal) Read(from uint64) plugins.Reader {
	return &journalReader{reader: j.events.Read(from), doubt: &j.doubt}
}

// journalReader reads records as events.
type journalReader struct {
	reader *state.Reader
	record state.Record
	doubt  *doubt
}

// Next implements plugins.Reader.
func (r *journalReader) Next(e *wire.Event) (lost uint64, ok bool, err error) {
	if ok, err = r.reader.Next(&r.record); !ok {
		return 0, false, err
	}
	*e = wire.Event{
		Shard: r.record.Shard, Index: r.record.Index, Seq: r.record.Seq, Received: r.record.Received,
		Guild: r.record.Guild, Lane: r.record.Lane, Name: r.record.Name, Data: r.record.Data,
	}
	r.doubt.mark(e)
	return r.record.Lost, true, nil
}

// Index implements plugins.Reader.
func (r *journalReader) Index() uint64 { return r.reader.Index() }

// Close implements plugins.Reader.
func (r *journalReader) Close() error { return r.reader.Close() }
