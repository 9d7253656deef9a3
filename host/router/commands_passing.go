package router

import (
	"errors"
	"net/http"
)

// passing is a fault that may be gone at the next attempt.
type passing struct{ error }

func (e *passing) Unwrap() error { return e.error }

// MayPass says whether a sync that failed with this error may succeed later as it
// is: Discord did not answer, was at fault itself or wanted fewer requests, or the
// state folder took nothing. What Discord has refused stays refused.
func MayPass(err error) bool {
	_, ok := errors.AsType[*passing](err)
	return ok
}

// mayPass marks what a request came to; nil stays nil.
func mayPass(status int, err error) error {
	if err == nil || status != 0 && status < http.StatusInternalServerError && status != http.StatusTooManyRequests {
		return err
	}
	return &passing{err}
}

// notCreated gives back the creations of an attempt whose end nobody knows, as far
// as its commands are not there: else attempts alone would use up the day's.
func (m *memories) notCreated(guild uint64, have []registered) {
	there := make(map[commandKey]bool, len(have))
	for _, h := range have {
		there[h.key] = true
	}
	n := 0
	for key, o := range m.owned {
		if key.guild == guild && o.want == "" && !there[key] {
			n++
		}
	}
	for i := len(m.creations) - 1; i >= 0 && n > 0; i-- {
		if c := &m.creations[i]; c.guild == guild {
			less := min(n, c.created)
			c.created -= less
			n -= less
		}
	}
}
