package gateway

import "testing"

// TestMaxConcurrencyOfNonsense: the number is Discord's; whatever it is, it takes no
// memory to speak of, and two sets to which it is told identify as one.
func TestMaxConcurrencyOfNonsense(t *testing.T) {
	config := Config{Token: "t", URL: "ws://localhost", MaxConcurrency: 1 << 60, Events: make(chan Event)}
	first, err := NewSet(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Beside = first
	if second, err := NewSet(config); err != nil || second.queue != first.queue {
		t.Errorf("another queue, error %v", err)
	}
}
