package router

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// maxCustomID is how many characters a custom ID has at most (Discord's
// documentation, "Component Reference").
const maxCustomID = 100

// Owners says which plugin answers which interaction, and how the host defers it.
// It does not change and is safe for concurrent use. A nil one owns nothing.
type Owners struct {
	commands  *CommandSet
	deferrals map[commandKey]wire.Deferral
	prefixes  map[int][]prefix // by interaction type, the longest first
	plugins   map[string]wire.Deferral
}

// prefix is the beginning of custom IDs.
type prefix struct {
	text     string
	plugin   string
	deferral wire.Deferral
}

// MergeOwners puts together what the plugins answer. Every conflict is told at
// once, with the names of both owners: commands as in [Merge], and custom IDs
// that would be of two plugins.
func MergeOwners(manifests []*wire.Manifest) (*Owners, error) {
	var commands []Command
	for _, m := range manifests {
		for _, c := range m.GetCommands() {
			commands = append(commands, Command{Plugin: m.GetName(), Guild: c.GetGuild(), JSON: c.GetJson()})
		}
	}
	o := &Owners{
		deferrals: make(map[commandKey]wire.Deferral), prefixes: make(map[int][]prefix), plugins: make(map[string]wire.Deferral),
	}
	var err error
	o.commands, err = Merge(commands)
	faults := []error{err}
	for _, m := range manifests {
		o.plugins[m.GetName()] = m.GetDeferral()
		if err == nil {
			o.readDeferrals(m)
		}
		faults = append(faults,
			o.claim(interactionComponent, "components", m.GetName(), m.GetComponents()),
			o.claim(interactionModal, "modals", m.GetName(), m.GetModals()))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	for _, list := range o.prefixes {
		slices.SortFunc(list, func(a, b prefix) int {
			return cmp.Or(cmp.Compare(len(b.text), len(a.text)), cmp.Compare(a.text, b.text))
		})
	}
	return o, nil
}

// In are the owners where all commands are registered in one guild: see [CommandSet.In].
func (o *Owners) In(guild uint64) *Owners {
	if o == nil {
		return nil
	}
	in := *o
	in.commands, _ = o.commands.In(guild)
	return &in
}

// Commands are the plugins' commands.
func (o *Owners) Commands() *CommandSet {
	if o == nil {
		return nil
	}
	return o.commands
}

func (o *Owners) readDeferrals(m *wire.Manifest) {
	for _, c := range m.GetCommands() {
		if w, err := readCommand(Command{Guild: c.GetGuild(), JSON: c.GetJson()}); err == nil {
			o.deferrals[w.key] = c.GetDeferral()
		}
	}
}

// claim takes a plugin's custom IDs of one kind.
func (o *Owners) claim(kind int, what, plugin string, ids []*wire.CustomIDs) error {
	var faults []error
	for _, id := range ids {
		p := prefix{text: id.GetPrefix(), plugin: plugin, deferral: id.GetDeferral()}
		if n := utf8.RuneCountInString(p.text); n < 1 || n > maxCustomID {
			faults = append(faults, fmt.Errorf("plugin %s: %s whose custom IDs begin with %.20q: use 1 to %d characters", plugin, what, p.text, maxCustomID))
			continue
		}
		for _, other := range o.prefixes[kind] {
			if err := overlap(what, other, p); err != nil {
				faults = append(faults, err)
			}
		}
		o.prefixes[kind] = append(o.prefixes[kind], p)
	}
	return errors.Join(faults...)
}

// overlap refuses custom IDs that would be of both.
func overlap(what string, a, b prefix) error {
	switch {
	case a.plugin == b.plugin && a.text == b.text:
		return fmt.Errorf("%s whose custom IDs begin with %q are registered twice by plugin %s: remove one", what, a.text, a.plugin)
	case a.plugin == b.plugin || !strings.HasPrefix(a.text, b.text) && !strings.HasPrefix(b.text, a.text):
		return nil
	case a.text == b.text:
		return fmt.Errorf("%s whose custom IDs begin with %q are registered by plugin %s and by plugin %s: rename one, or take one of the plugins out of the folder",
			what, a.text, a.plugin, b.plugin)
	}
	return fmt.Errorf("%s whose custom IDs begin with %q (plugin %s) and %q (plugin %s) overlap: rename one, or take one of the plugins out of the folder",
		what, a.text, a.plugin, b.text, b.plugin)
}

// of names the plugin that an interaction is for, and how it is to be deferred.
func (o *Owners) of(i *interaction, guild uint64) (plugin string, d wire.Deferral, ok bool) {
	if o == nil {
		return "", 0, false
	}
	switch i.Type {
	case interactionCommand, interactionAutocomplete:
		if i.Data.GuildID == "" {
			guild = 0
		}
		key, plugin, ok := o.commands.find(max(i.Data.Type, chatInput), i.Data.Name, guild)
		return plugin, o.deferral(o.deferrals[key], plugin), ok
	case interactionComponent, interactionModal:
		for _, p := range o.prefixes[i.Type] {
			if strings.HasPrefix(i.Data.CustomID, p.text) {
				return p.plugin, o.deferral(p.deferral, p.plugin), true
			}
		}
	}
	return "", 0, false
}

// deferral is what a command or a custom ID says, or else its plugin.
func (o *Owners) deferral(own wire.Deferral, plugin string) wire.Deferral {
	if own != wire.Deferral_DEFERRAL_DEFAULT || o == nil {
		return own
	}
	return o.plugins[plugin]
}
