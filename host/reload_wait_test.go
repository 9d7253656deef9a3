package host

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"
)

// TestAReloadThatWaitsSaysWhatFor, and the status does.
func TestAReloadThatWaitsSaysWhatFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		h, err := New(Config{Settings: Settings{}, Token: "x", Log: hclog.New(&hclog.LoggerOptions{Output: &out})})
		if err != nil {
			t.Fatal(err)
		}
		first, err := h.claimReload(t.Context(), "one")
		if err != nil || out.Len() != 0 {
			t.Fatalf("%v, %s", err, out.String())
		}
		h.does("new sessions are coming up")
		if got := h.Status(); got.Doing != "new sessions are coming up" || got.DoingFor != "one" {
			t.Errorf("status: %q for %q", got.Doing, got.DoingFor)
		}
		claimed := make(chan func(), 1)
		go func() {
			second, err := h.claimReload(t.Context(), "another")
			if err != nil {
				t.Error(err)
			}
			claimed <- second
		}()
		synctest.Wait()
		if want := `a reload waits: for="new sessions are coming up"`; !strings.Contains(out.String(), want) || len(claimed) != 0 {
			t.Errorf("log %s, claimed %d times", out.String(), len(claimed))
		}
		stopping, stop := context.WithCancel(t.Context())
		stop()
		if _, err := h.claimReload(stopping, "late"); err == nil {
			t.Error("the host stops, and a reload begins")
		}
		first()
		second := <-claimed
		if got := h.Status(); got.Doing != "" || got.DoingFor != "another" {
			t.Errorf("status: %q for %q", got.Doing, got.DoingFor)
		}
		second()
		if got := h.Status(); got.Doing != "" || got.DoingFor != "" {
			t.Errorf("status: %q for %q", got.Doing, got.DoingFor)
		}
	})
}
