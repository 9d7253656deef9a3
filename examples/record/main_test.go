package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

func start(t *testing.T, path string) *sdktest.Host {
	p := sdk.New("record")
	sdk.OnAs(p, "MESSAGE_CREATE", recordTo(path))
	return sdktest.Start(t, p, sdktest.Options{})
}

func TestRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messages")
	h := start(t, path)
	if err := h.Send("MESSAGE_CREATE", `{"id":"2","guild_id":"1","content":"x"}`); err != nil {
		t.Fatal(err)
	}
	if err := h.Send("MESSAGE_CREATE", `{"id":"3","guild_id":"1","content":"y"}`, sdktest.Redelivered()); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(raw), "1 2 first\n1 3 again\n"; got != want {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

func TestRecordWithoutFile(t *testing.T) {
	h := start(t, "")
	err := h.Send("MESSAGE_CREATE", `{"id":"2"}`)
	if err == nil || !strings.Contains(err.Error(), "set RECORD_FILE") {
		t.Errorf("error %v, want the remedy", err)
	}
}
