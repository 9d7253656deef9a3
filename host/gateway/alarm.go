package gateway

import "time"

// alarm is a timer that is made once and not set yet.
type alarm struct {
	*time.Timer
}

func newAlarm() alarm {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return alarm{t}
}

func (a alarm) set(d time.Duration) { a.Reset(d) }

func (a alarm) stop() { a.Stop() }

// backoff is how long to wait after n failures in a row: nothing after none, then a
// random time from one second up to a bound that doubles to a minute.
func backoff(n int, random float64) time.Duration {
	if n <= 0 {
		return 0
	}
	bound := time.Minute
	if n < 6 {
		bound = time.Second << n
	}
	return time.Second + time.Duration(random*float64(bound-time.Second))
}
