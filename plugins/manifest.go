package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// pluginName is what a manifest may call its plugin: the name is a key in
// settings and in the state folder.
var pluginName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// eventName is how Discord names its dispatches. What is named otherwise never
// comes, and does not belong on an operator's terminal.
var eventName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,254}$`)

// hostName is under what the gate counts the host's own requests: what Discord
// refuses of a plugin's must not be taken for them.
const hostName = "host"

const (
	// maxEvents and maxCommands are far beyond what Discord has and takes.
	maxEvents   = 1000
	maxCommands = 10_000
	maxVersion  = 100
	// toldFaults is how many faults of a manifest are told in full.
	toldFaults = 5
)

// checkManifest says what is wrong with a manifest, all at once, in a bounded
// number of words.
func checkManifest(m *wire.Manifest) error {
	if e, c, v := len(m.GetEvents()), len(m.GetCommands()), len(m.GetVersion()); e > maxEvents || c > maxCommands || v > maxVersion {
		return fmt.Errorf("%d events, %d commands, a version of %d bytes: at most %d, %d and %d are taken", e, c, v, maxEvents, maxCommands, maxVersion)
	}
	errs := manifestFaults(m)
	if more := len(errs) - toldFaults; more > 0 {
		errs = append(errs[:toldFaults:toldFaults], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

func manifestFaults(m *wire.Manifest) (errs []error) {
	if !pluginName.MatchString(m.GetName()) {
		errs = append(errs, fmt.Errorf("name %q: use 1 to 64 letters, digits, '-' or '_'", m.GetName()))
	}
	if m.GetName() == hostName {
		errs = append(errs, fmt.Errorf("name %q is the host's own: give another", hostName))
	}
	for _, s := range m.GetEvents() {
		if name := s.GetEvent(); !eventName.MatchString(name) {
			errs = append(errs, fmt.Errorf("event name %.60q of %d bytes: name a dispatch such as MESSAGE_CREATE", name, len(name)))
		}
	}
	for n, c := range m.GetCommands() {
		var command struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(c.GetJson(), &command); err != nil {
			errs = append(errs, fmt.Errorf("command %d: %w", n+1, err))
		} else if command.Name == "" {
			errs = append(errs, fmt.Errorf("command %d has no name", n+1))
		}
	}
	return errs
}
