package plugins

import (
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// TestNoPluginIsTheHost: the host's own requests are counted under this name, and so would be what such a plugin is
// refused, until the host could no longer defer for anybody.
func TestNoPluginIsTheHost(t *testing.T) {
	for name, well := range map[string]bool{"host": false, "hosts": true, "Host": true, "others": true} {
		if err := checkManifest(&wire.Manifest{Name: name}); (err == nil) != well {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEventNamesAreDiscords: names come to the log and to terminals.
func TestEventNamesAreDiscords(t *testing.T) {
	for name, good := range map[string]bool{
		"MESSAGE_CREATE":         true,
		"VOICE_2":                true,
		strings.Repeat("A", 255): true,
		strings.Repeat("A", 256): false,
		"":                       false,
		"message_create":         false,
		"A\x00B":                 false,
		"A\x1b[31m":              false,
		"READY\n":                false,
		"READY\u202e":            false,
	} {
		err := checkManifest(&wire.Manifest{Name: "odd", Events: []*wire.Subscription{{Event: name}}})
		if (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\x00\x1b\n\u202e") || len(err.Error()) > 500) {
			t.Errorf("%q is told as %q", name, err)
		}
	}
}
