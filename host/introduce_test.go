package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/holdfast-bot/holdfast/host/rest"
)

// What may mend by itself is tried again, what cannot is told at once.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"no network":     {&net.OpError{Op: "dial", Err: errors.New("network is unreachable")}, false},
		"no name server": {&net.DNSError{Err: "server misbehaving"}, false},
		"no answer":      {context.DeadlineExceeded, false},
		"503":            {&answerError{status: http.StatusServiceUnavailable}, false},
		"429":            {&answerError{status: http.StatusTooManyRequests}, false},
		"limited":        {rest.ErrLimited, false},
		"a long ledger":  {rest.ErrInvalidBudget, false},
		"wrong token":    {rest.ErrUnauthorized, true},
		"403":            {&answerError{status: http.StatusForbidden}, true},
		"404":            {&answerError{status: http.StatusNotFound}, true},
		"a web page":     {errNotDiscord, true},
	} {
		if got := refuses(fmt.Errorf("reach Discord: %w", test.err)); got != test.want {
			t.Errorf("%s: refuses %v, want %v", name, got, test.want)
		}
	}
}
