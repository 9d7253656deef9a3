package gateway

import "time"

const (
	// sendLimit payloads a connection may send in sendWindow, heartbeats included.
	sendLimit  = 120
	sendWindow = 60 * time.Second
	// sendMargin allows for payloads that travel for different times.
	sendMargin = time.Second
	// maxSend is the largest payload Discord takes, in bytes.
	maxSend = 4096
)

// sendTimes remembers when a connection's last payloads were sent.
type sendTimes struct {
	at [sendLimit]time.Time
	n  int // sent in all
}

func (s *sendTimes) note(now time.Time) {
	s.at[s.n%sendLimit] = now
	s.n++
}

// wait says how long until one more payload may go while reserve places stay free.
func (s *sendTimes) wait(now time.Time, reserve int) time.Duration {
	room := sendLimit - reserve
	if s.n < room {
		return 0
	}
	oldest := s.at[(s.n-room)%sendLimit]
	return max(0, oldest.Add(sendWindow+sendMargin).Sub(now))
}

// reserved is how many places heartbeats need within a window, those that
// Discord asks for included.
func reserved(interval time.Duration) int {
	const asked = 4
	beats := int((sendWindow+sendMargin)/interval) + 1
	return min(beats+asked, sendLimit/2)
}
