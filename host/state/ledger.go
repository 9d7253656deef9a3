package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	ledgerFile = "ledger"
	ledgerHead = "holdfast ledger 1\n"
	// ledgerLife is how long an entry counts: Discord looks at ten minutes, and the gate at a little more.
	ledgerLife = 11 * time.Minute
	// ledgerBan is the longest that a ban is believed to last.
	ledgerBan = 24 * time.Hour
	// ledgerGone bounds the entries that do not lapse, the newest of which are kept.
	ledgerGone = 4096
	// ledgerSlack is how many lines the file may hold beyond those that it had when it was last written whole.
	ledgerSlack = 10_000
	// ledgerUnwritten bounds, in bytes, what waits in memory while the disk takes nothing.
	ledgerUnwritten = 1 << 20
	// ledgerWords is how many words a line has.
	ledgerWords = 4
)

// LedgerEntry is one thing that the gate must still know after a restart.
type LedgerEntry struct {
	// Kind is 'i' for a request that Discord refused, which lapses after eleven minutes; 'b' for a ban, which lapses with
	// At; and 'w' for a webhook that is gone, which does not lapse.
	Kind   byte
	At     time.Time
	Mark   uint64
	Caller string
}

// Ledger keeps what the gate counts against Discord's patience. Its file,
//
//	holdfast ledger 1
//	i 1732217047123 9f86d081884c7d65 "greeter"    a refused request: when (Unix ms), its mark, whose
//	w 1732217047123 2c26b46b68ffc68f ""           a webhook that is gone
//	b 1732217647123 0 ""                          Cloudflare's ban, until then
//
// grows by a line with one write for each entry, without waiting for the disk: it survives a killed process, and a
// machine that loses its power may lose the latest. It is written anew, without what has lapsed, when it is opened and
// when it has grown too long. Its methods are for any goroutine.
type Ledger struct {
	state *State

	mu        sync.Mutex
	file      *os.File
	size      int64
	lines     int    // added since the file was written whole
	unwritten []byte // lines that the disk has not taken
	broken    bool   // which has been told
}

// OpenLedger opens the ledger and returns what counts still, oldest first. What is damaged is set aside and told; the
// lines that can be read count all the same.
func (s *State) OpenLedger() (*Ledger, []LedgerEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errClosed
	}
	l := &Ledger{state: s}
	raw, err := readWhole(s.path(ledgerFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errDamaged):
		if err := s.setAside(ledgerFile, err); err != nil {
			return nil, nil, err
		}
	case err != nil:
		return nil, nil, fmt.Errorf("read %s: %w: make it readable for this user, or remove it", s.path(ledgerFile), reason(err))
	}
	entries, damage := readLedger(raw)
	if damage != nil {
		if err := s.setAside(ledgerFile, damage); err != nil {
			return nil, nil, err
		}
	}
	entries = stillCounting(entries, time.Now())
	if err := l.rewrite(entries); err != nil {
		l.fault(err) // the host can do without
	}
	return l, entries, nil
}

// Add keeps one more entry. A disk that does not take it is told once; the entry waits in memory until the disk does.
func (l *Ledger) Add(e LedgerEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := e.append(nil)
	if len(l.unwritten)+len(line) <= ledgerUnwritten {
		l.unwritten = append(l.unwritten, line...)
	}
	if err := l.write(); err != nil {
		l.fault(err)
		return
	}
	if l.broken {
		l.broken = false
		l.state.log.Info("the ledger of refused requests is written again", "file", l.path())
	}
}

// Close closes the file.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// write brings what is unwritten to the file, whole lines only.
func (l *Ledger) write() error {
	if l.file == nil || l.lines > ledgerSlack {
		if err := l.shorten(); err != nil {
			return err
		}
	}
	n, err := l.file.WriteAt(l.unwritten, l.size)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, l.file.Truncate(l.size))
		}
		return err
	}
	l.size += int64(n)
	l.lines += bytes.Count(l.unwritten, []byte("\n"))
	l.unwritten = l.unwritten[:0]
	return nil
}

// shorten writes the file anew without what has lapsed.
func (l *Ledger) shorten() error {
	raw, err := readWhole(l.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, _ := readLedger(raw) // what is not readable now was ours: it is left out
	return l.rewrite(stillCounting(entries, time.Now()))
}

// rewrite replaces the file. It does not wait for the disk: after a power loss the file may be damaged, which is
// noticed.
func (l *Ledger) rewrite(entries []LedgerEntry) (err error) {
	raw := []byte(ledgerHead)
	for _, e := range entries {
		raw = e.append(raw)
	}
	f, err := os.CreateTemp(filepath.Dir(l.path()), ledgerFile+temporaryMark) // 0600
	if err != nil {
		return err
	}
	if _, err = f.Write(raw); err == nil {
		err = os.Rename(f.Name(), l.path())
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return errors.Join(err, f.Close())
	}
	if l.file != nil {
		_ = l.file.Close() // of a file that is no more
	}
	l.file, l.size, l.lines = f, int64(len(raw)), 0
	return nil
}

func (l *Ledger) fault(err error) {
	if !l.broken {
		l.broken = true
		l.state.log.Error("refused requests are not kept: a host that starts now would not know of them; make room on the disk and the state folder writable",
			"file", l.path(), "error", reason(err))
	}
}

func (l *Ledger) path() string { return l.state.path(ledgerFile) }

func (e LedgerEntry) append(to []byte) []byte {
	to = append(to, e.Kind, ' ')
	to = strconv.AppendInt(to, e.At.UnixMilli(), 10)
	to = append(to, ' ')
	to = strconv.AppendUint(to, e.Mark, 16)
	to = append(to, ' ')
	to = strconv.AppendQuoteToASCII(to, e.Caller)
	return append(to, '\n')
}

// readLedger reads the lines that it can, and says which is the first that it cannot. A last line that was cut off is
// no damage: that is what a kill leaves.
func readLedger(raw []byte) (entries []LedgerEntry, damage error) {
	if len(raw) == 0 {
		return nil, nil
	}
	text, headed := strings.CutPrefix(string(raw), ledgerHead)
	if !headed {
		damage = fmt.Errorf("%w: it does not begin with %q", errDamaged, strings.TrimSpace(ledgerHead))
	}
	number := 1
	for line := range strings.Lines(text) {
		number++
		whole, ended := strings.CutSuffix(line, "\n")
		if !ended {
			break
		}
		e, ok := readLedgerLine(whole)
		switch {
		case ok:
			entries = append(entries, e)
		case damage == nil:
			damage = fmt.Errorf("%w: line %d says %.60q", errDamaged, number, whole)
		}
	}
	return entries, damage
}

func readLedgerLine(line string) (e LedgerEntry, ok bool) {
	words := strings.SplitN(line, " ", ledgerWords)
	if len(words) != ledgerWords || len(words[0]) != 1 || !slices.Contains([]string{"i", "w", "b"}, words[0]) {
		return e, false
	}
	ms, badTime := strconv.ParseInt(words[1], 10, 64)
	mark, badMark := strconv.ParseUint(words[2], 16, 64)
	caller, badCaller := strconv.Unquote(words[3])
	if badTime != nil || badMark != nil || badCaller != nil {
		return e, false
	}
	return LedgerEntry{Kind: words[0][0], At: time.UnixMilli(ms), Mark: mark, Caller: caller}, true
}

// stillCounting leaves out what has lapsed, and the oldest of what does not lapse. What a clock that was ahead has put
// into times to come counts from now on: it would not lapse before them.
func stillCounting(all []LedgerEntry, now time.Time) []LedgerEntry {
	gone := 0
	for _, e := range all {
		if e.Kind == 'w' {
			gone++
		}
	}
	var out []LedgerEntry
	for _, e := range all {
		keep := false
		switch e.Kind {
		case 'i':
			e.At = earlier(e.At, now)
			keep = now.Sub(e.At) < ledgerLife
		case 'b':
			e.At = earlier(e.At, now.Add(ledgerBan))
			keep = e.At.After(now)
		case 'w':
			keep = gone <= ledgerGone
			gone--
		}
		if keep {
			out = append(out, e)
		}
	}
	return out
}

// earlier is the earlier of two times, as exact as the file is.
func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return time.UnixMilli(b.UnixMilli())
	}
	return a
}
