package rest

import "time"

// The window over which Discord counts invalid requests, and the grain in which the ledger keeps it. One cell more than
// the window has makes the ledger err on the careful side.
const (
	ledgerWindow = 10 * time.Minute
	ledgerGrain  = 10 * time.Second
	ledgerCells  = int(ledgerWindow/ledgerGrain) + 1
)

const (
	// ledgerCallers bounds the callers that are counted apart; those beyond share an account.
	ledgerCallers = 1024
	otherCallers  = "others"
	// ledgerMarks bounds the refused requests that are remembered. The hard stop keeps them below it.
	ledgerMarks = 2 * DefaultInvalid
)

// ledger counts answers that Discord holds against the bot's address: 401, 403, and 429 unless its scope is shared. It
// counts them for each caller, too, so that the one who causes them is stopped first. It is guarded by the gate's lock.
type ledger struct {
	limit    int
	start    time.Time
	all      sliding
	told     standing // of all, when it was last told
	accounts map[string]*account
	refused  map[uint64]int64 // requests answered 401 or 403, by their mark: the cell of the last time
	swept    int64            // in which cell those that have lapsed were last looked for
}

// account is what one caller has done since the gate was made.
type account struct {
	sliding
	told     standing
	requests uint64 // answered
	limited  uint64 // of these, 429
	stopped  uint64 // not sent because of the ledger
	last     string // the template of the route that was last counted
}

// standing is what a caller, or all of them, may still do.
type standing int

const (
	standingGood    standing = iota
	standingRepeats          // what Discord has refused within the window is not sent again
	standingSoft             // only interactions, and reads that have not been refused
	standingHard             // nothing
)

func (s standing) String() string {
	return [...]string{"good", "repeats stopped", "writes stopped", "stopped"}[s]
}

func newLedger(limit int, now time.Time) *ledger {
	return &ledger{limit: limit, start: now, accounts: make(map[string]*account), refused: make(map[uint64]int64)}
}

// account returns the caller's, new if there was none. One that has nothing within the window may make room.
func (l *ledger) account(caller string, now time.Time) *account {
	if a := l.accounts[caller]; a != nil {
		return a
	}
	if len(l.accounts) >= ledgerCallers {
		for name, a := range l.accounts {
			if a.count(l.cell(now)) == 0 {
				delete(l.accounts, name)
				break
			}
		}
	}
	if len(l.accounts) >= ledgerCallers {
		caller = otherCallers
		if a := l.accounts[caller]; a != nil {
			return a
		}
	}
	a := new(account)
	l.accounts[caller] = a
	return a
}

// add counts one invalid request; mark is that of a request that was refused, zero for one that came too often. It
// returns the standings that have become worse since they were last told.
func (l *ledger) add(caller, template string, mark uint64, now time.Time) []notice {
	l.enter(caller, mark, now, now)
	a := l.account(caller, now)
	a.last = template
	own, all := l.ofCaller(a, now), l.ofAll(now)
	var news []notice
	if own > a.told {
		news = append(news, notice{caller: caller, standing: own, invalid: a.sum, of: l.all.sum, limit: l.limit, route: template})
	}
	if all > l.told {
		worst, n := l.worst(now)
		news = append(news, notice{all: true, caller: worst, standing: all, invalid: n, of: l.all.sum, limit: l.limit, route: l.accounts[worst].last})
	}
	a.told, l.told = own, all
	return news
}

// enter books an invalid request of a time that is now or, when a gate goes on where another was, before.
func (l *ledger) enter(caller string, mark uint64, at, now time.Time) {
	cell := l.cell(at)
	l.all.add(cell, l.cell(now))
	l.account(caller, now).add(cell, l.cell(now))
	if mark == 0 {
		return
	}
	if len(l.refused) >= ledgerMarks && l.swept < l.cell(now) {
		l.forget(now)
	}
	if len(l.refused) < ledgerMarks {
		l.refused[mark] = max(l.refused[mark], cell)
	}
}

// forget drops the refused requests that have left the window.
func (l *ledger) forget(now time.Time) {
	l.swept = l.cell(now)
	oldest := l.swept - int64(ledgerCells)
	for mark, cell := range l.refused {
		if cell <= oldest {
			delete(l.refused, mark)
		}
	}
}

// count is how many invalid requests the window holds.
func (l *ledger) count(now time.Time) int { return l.all.count(l.cell(now)) }

// ofAll is what all callers together may do: at half of the limit the soft stop, at nine tenths the hard one.
func (l *ledger) ofAll(now time.Time) standing {
	switch n := l.count(now); {
	case n*10 >= l.limit*9:
		return standingHard
	case n*2 >= l.limit:
		return standingSoft
	}
	return standingGood
}

// bears tells whether the hard stop would be in time if Discord refused everything that is under way.
func (l *ledger) bears(inflight int, now time.Time) bool {
	return (l.count(now)+inflight)*10 < l.limit*9
}

// ofCaller is what one caller may do. It has half of what all have, so that it is stopped before it stops the others, and
// it is kept from repeating itself long before.
func (l *ledger) ofCaller(a *account, now time.Time) standing {
	switch n := a.count(l.cell(now)); {
	case n*20 >= l.limit*9:
		return standingHard
	case n*4 >= l.limit:
		return standingSoft
	case n*10 >= l.limit:
		return standingRepeats
	}
	return standingGood
}

// allows says why a request may not be sent, nil if it may.
func (l *ledger) allows(t *ticket, now time.Time) error {
	a, all := l.accounts[t.caller], l.ofAll(now)
	own := standingGood
	if a != nil {
		own = l.ofCaller(a, now)
	}
	if l.stops(max(own, all), t, now) {
		a = l.account(t.caller, now)
		a.stopped++
		return stopped{caller: own >= all, standing: max(own, all), own: a.sum, all: l.all.sum}
	}
	return nil
}

func (l *ledger) stops(s standing, t *ticket, now time.Time) bool {
	switch s {
	case standingHard:
		return true
	case standingSoft:
		return !t.route.exempt && (t.route.write || l.hasRefused(t, now))
	case standingRepeats:
		return !t.route.exempt && l.hasRefused(t, now)
	case standingGood:
	}
	return false
}

func (l *ledger) hasRefused(t *ticket, now time.Time) bool {
	cell, ok := l.refused[t.mark()]
	return ok && cell > l.cell(now)-int64(ledgerCells)
}

// worst is the caller with the most invalid requests.
func (l *ledger) worst(now time.Time) (caller string, most int) {
	for name, a := range l.accounts {
		if n := a.count(l.cell(now)); n > most || n == most && name < caller {
			caller, most = name, n
		}
	}
	return caller, most
}

func (l *ledger) cell(at time.Time) int64 {
	return int64(at.Sub(l.start)/ledgerGrain) + int64(ledgerCells)
}

// sliding counts within the window.
type sliding struct {
	cells [ledgerCells]int
	last  int64 // number of the newest cell
	sum   int
}

// add counts in a cell that is now's or one before.
func (s *sliding) add(cell, now int64) {
	s.roll(now)
	if cell > now-int64(ledgerCells) && cell >= 0 {
		s.cells[cell%int64(ledgerCells)]++
		s.sum++
	}
}

func (s *sliding) count(now int64) int {
	s.roll(now)
	return s.sum
}

func (s *sliding) roll(now int64) {
	s.last = max(s.last, now-int64(ledgerCells)) // what is further back has been cleared, or never was
	for s.last < now {
		s.last++
		at := s.last % int64(ledgerCells)
		s.sum -= s.cells[at]
		s.cells[at] = 0
	}
}
