package rest

import "time"

// The window over which Discord counts invalid requests, and the grain in which the ledger keeps it. One cell more than
// the window has makes the ledger err on the careful side.
const (
	ledgerWindow = 10 * time.Minute
	ledgerGrain  = 10 * time.Second
	ledgerCells  = int(ledgerWindow/ledgerGrain) + 1
)

// ledger counts answers that Discord holds against the bot: 401, 403, and 429 unless its scope is shared. It is guarded
// by the gate's lock.
type ledger struct {
	limit int
	start time.Time
	cells [ledgerCells]int
	last  int64 // number of the newest cell since start
	sum   int
}

func newLedger(limit int, now time.Time) *ledger { return &ledger{limit: limit, start: now} }

func (l *ledger) add(now time.Time) {
	l.roll(now)
	l.cells[l.last%int64(ledgerCells)]++
	l.sum++
}

// count is how many invalid requests the window holds.
func (l *ledger) count(now time.Time) int {
	l.roll(now)
	return l.sum
}

// allows tells whether a request may be sent: at half of the limit only reads and interactions, at nine tenths none.
func (l *ledger) allows(r route, now time.Time) bool {
	switch n := l.count(now); {
	case n*10 >= l.limit*9:
		return false
	case n*2 >= l.limit:
		return r.exempt || !r.write
	}
	return true
}

func (l *ledger) roll(now time.Time) {
	cell := int64(now.Sub(l.start) / ledgerGrain)
	for i := 0; l.last < cell; i++ {
		if i == ledgerCells { // everything has been cleared
			l.last = cell
			return
		}
		l.last++
		l.sum -= l.cells[l.last%int64(ledgerCells)]
		l.cells[l.last%int64(ledgerCells)] = 0
	}
}
