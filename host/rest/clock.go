package rest

import "time"

const (
	// clockOff is from where on an operator is told that the machine's clock is wrong: by snowflakes Holdfast sees how old
	// interactions and messages are.
	clockOff = 10 * time.Second
	// clockFine is below what the clock counts as right again.
	clockFine = 5 * time.Second
)

// compareClocks notes by how much Discord's clock is ahead of this machine's. Limits are waited for by durations, so
// that only ages of snowflakes depend on it. The gate's lock is held.
func (g *Gate) compareClocks(discord, here time.Time) {
	if discord.IsZero() {
		return
	}
	// Both as an operator reads them: a monotonic clock does not know that it was set.
	ahead := discord.Sub(here.Round(0).Truncate(time.Second))
	if g.ahead = ahead; ahead.Abs() <= time.Second { // which is as exact as it is told
		g.ahead = 0
	}
}

// clockNews is by how much the clocks differ when that has become worth telling, once until they agree again.
func (g *Gate) clockNews() (ahead time.Duration) {
	switch off := g.ahead.Abs(); {
	case off >= clockOff && !g.aheadTold:
		g.aheadTold = true
		return g.ahead
	case off < clockFine:
		g.aheadTold = false
	}
	return 0
}
