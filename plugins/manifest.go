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

// checkManifest says what is wrong with a manifest, all at once.
func checkManifest(m *wire.Manifest) error {
	var errs []error
	if !pluginName.MatchString(m.GetName()) {
		errs = append(errs, fmt.Errorf("name %q: use 1 to 64 letters, digits, '-' or '_'", m.GetName()))
	}
	for _, s := range m.GetEvents() {
		if n := len(s.GetEvent()); n == 0 || n > 255 {
			errs = append(errs, fmt.Errorf("event name of %d bytes: name a dispatch such as MESSAGE_CREATE", n))
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
	return errors.Join(errs...)
}
