package simulator

import (
	"context"
	"time"
)

// Rate says how fast and how often Run calls.
type Rate struct {
	PerSecond float64 // 0: as fast as possible
	Count     int     // 0: until the function or the context ends it
}

// Run calls act with 0, 1, 2, … at a rate, until act returns false, the count is reached, the context ends or
// the server is closed. A call that comes late is made up for: the rate holds on average. It returns the
// context's error when that ended it.
func (s *Server) Run(ctx context.Context, rate Rate, act func(i int) bool) error {
	start := time.Now()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for i := 0; rate.Count == 0 || i < rate.Count; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case <-s.done:
			return nil
		default:
		}
		if rate.PerSecond > 0 {
			due := start.Add(time.Duration(float64(i) / rate.PerSecond * float64(time.Second)))
			if wait := time.Until(due); wait > 0 {
				timer.Reset(wait)
				select {
				case <-timer.C:
				case <-ctx.Done():
					return ctx.Err()
				case <-s.done:
					return nil
				}
			}
		}
		if !act(i) {
			return nil
		}
	}
	return nil
}
