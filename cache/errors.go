package cache

import (
	"fmt"
	"time"
)

// Reason says why a guild is not to be had.
type Reason string

// The reasons.
const (
	// Removed: the bot is not in the guild (GUILD_DELETE, or Discord answered 404).
	Removed Reason = "removed"
	// Outage: Discord says that the guild is unavailable; its GUILD_CREATE ends that.
	Outage Reason = "outage"
	// Forbidden: Discord answered 403.
	Forbidden Reason = "forbidden"
	// Failed: this load failed (5xx, 429, network, an answer that is no guild).
	Failed Reason = "failed"
	// BackingOff: an earlier load failed; none is tried before Until.
	BackingOff Reason = "backing off"
	// GuardOpen: many loads failed; none is tried before Until.
	GuardOpen Reason = "guard open"
	// Refused: too many loads at this moment; events that come in masses first.
	Refused Reason = "refused"
	// Timeout: the load did not end in time; it may end later.
	Timeout Reason = "timeout"
	// Memory: the guild does not fit into the bytes of the cache.
	Memory Reason = "memory"
	// Closed: the cache is closed.
	Closed Reason = "closed"
)

// reasons are all there are.
func reasons() [10]Reason {
	return [...]Reason{Removed, Outage, Forbidden, Failed, BackingOff, GuardOpen, Refused, Timeout, Memory, Closed}
}

// MissingError is why Guild has no guild. Err, if any, is what a load met.
type MissingError struct {
	Guild  uint64
	Reason Reason
	Until  time.Time // when the next load may be tried; zero: unknown
	Err    error
}

func (e *MissingError) Error() string {
	s := fmt.Sprintf("guild %d is not in the cache: %s", e.Guild, e.Reason)
	if !e.Until.IsZero() {
		s += " until " + e.Until.Format("15:04:05")
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s + e.remedy()
}

func (e *MissingError) remedy() string {
	switch e.Reason {
	case Removed:
		return "; the bot is not in it: check the id, or invite the bot"
	case Forbidden:
		return "; check that the bot is in this guild and may see it"
	case Memory:
		return "; raise the bytes of the cache"
	case Outage:
		return "; it comes back with the guild"
	case Closed:
		return ""
	default:
		return "; go on without it, or try again later"
	}
}

func (e *MissingError) Unwrap() error { return e.Err }

// LoadError is how a Loader tells what Discord answered. Any other error counts
// as a fault of the network, or as a timeout if it wraps the context's.
type LoadError struct {
	Status     int           // HTTP: 403, 404, 429, 5xx
	RetryAfter time.Duration // with 429, else 0
	Err        error
}

func (e *LoadError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("discord answered %d", e.Status)
	}
	return fmt.Sprintf("discord answered %d: %v", e.Status, e.Err)
}

func (e *LoadError) Unwrap() error { return e.Err }
