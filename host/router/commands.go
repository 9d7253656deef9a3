package router

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kinds of application commands, from Discord's documentation ("Application
// Command Types").
const (
	chatInput  = 1
	userMenu   = 2
	messageOne = 3
	entryPoint = 4
)

// commandLimits is how many commands of a kind Discord takes in one scope.
var commandLimits = map[int]int{chatInput: 100, userMenu: 15, messageOne: 15, entryPoint: 1} //nolint:gochecknoglobals // a constant that Go cannot write

// Command is one application command that a plugin declares.
type Command struct {
	Plugin string
	// Guild is the scope: a guild's id, or 0 for a global command.
	Guild uint64
	// JSON is the command as Discord's documentation has it, without ids.
	JSON json.RawMessage
}

// commandKey is what Discord wants unique.
type commandKey struct {
	guild uint64
	kind  int
	name  string
}

func (k commandKey) String() string {
	scope := "global"
	if k.guild != 0 {
		scope = fmt.Sprintf("of guild %d", k.guild)
	}
	switch k.kind {
	case chatInput:
		return fmt.Sprintf("command /%s (%s)", k.name, scope)
	case userMenu:
		return fmt.Sprintf("user command %q (%s)", k.name, scope)
	case messageOne:
		return fmt.Sprintf("message command %q (%s)", k.name, scope)
	case entryPoint:
		return fmt.Sprintf("entry point %q (%s)", k.name, scope)
	}
	return fmt.Sprintf("command %q of type %d (%s)", k.name, k.kind, scope)
}

// wanted is a command of the set, read once.
type wanted struct {
	key      commandKey
	declared commandKey // the same, but where the plugin wants it
	plugin   string
	raw      json.RawMessage
	fields   map[string]any // canonical
}

// CommandSet is what all plugins declare, merged. It does not change and is
// safe for concurrent use. A nil set is empty.
type CommandSet struct {
	scopes map[uint64][]*wanted // sorted by type and name
	byKey  map[commandKey]*wanted
	base   *CommandSet // what In was asked of
}

// Merge puts the plugins' commands together. Names are unique per scope and
// type; every conflict, unreadable command and exceeded limit (100 chat input, 15
// user, 15 message commands in a scope, one entry point; what Discord takes in one
// command) is told at once, with the plugins' and the commands' names.
func Merge(commands []Command) (*CommandSet, error) {
	set := &CommandSet{scopes: make(map[uint64][]*wanted), byKey: make(map[commandKey]*wanted)}
	var faults []error
	for _, c := range commands {
		w, err := readCommand(c)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if other := set.byKey[w.key]; other != nil {
			faults = append(faults, conflict(other, w))
			continue
		}
		set.put(w)
	}
	for guild, scope := range set.scopes {
		slices.SortFunc(scope, byKindAndName)
		if err := set.withinLimits(guild); err != nil {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return set, nil
}

func (s *CommandSet) put(w *wanted) {
	s.byKey[w.key] = w
	s.scopes[w.key.guild] = append(s.scopes[w.key.guild], w)
}

func byKindAndName(a, b *wanted) int {
	return cmp.Or(cmp.Compare(a.key.kind, b.key.kind), cmp.Compare(a.key.name, b.key.name))
}

// Owner names the plugin that registered a command. A guild's own command goes
// before a global one; guild 0 asks for the global one.
func (s *CommandSet) Owner(kind int, name string, guild uint64) (plugin string, ok bool) {
	_, plugin, ok = s.find(kind, name, guild)
	return plugin, ok
}

// find is Owner with the command's key as its plugin has declared it.
func (s *CommandSet) find(kind int, name string, guild uint64) (key commandKey, plugin string, ok bool) {
	if s == nil {
		return key, "", false
	}
	if key, plugin, ok = s.base.find(kind, name, guild); ok {
		return key, plugin, true // as declared, wherever it is registered
	}
	name = strings.TrimSpace(name)
	for _, scope := range []uint64{guild, 0} {
		key = commandKey{guild: scope, kind: kind, name: name}
		if w := s.byKey[key]; w != nil {
			return w.declared, w.plugin, true
		}
	}
	return commandKey{}, "", false
}

func readCommand(c Command) (*wanted, error) {
	fields, err := canonical(c.JSON, c.Guild != 0)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: read one of its commands: %w: correct the declaration", c.Plugin, err)
	}
	key := keyOf(c.Guild, fields)
	if key.name == "" {
		return nil, fmt.Errorf("plugin %s: one of its commands has no name: give it one", c.Plugin)
	}
	if _, known := commandLimits[key.kind]; !known {
		return nil, fmt.Errorf("plugin %s: %s: Discord has no such type: use 1 to 4", c.Plugin, key)
	}
	if err := checkCommand(c.JSON, c.Guild != 0, key.kind); err != nil {
		return nil, fmt.Errorf("plugin %s: %s: %w", c.Plugin, key, err)
	}
	return &wanted{key: key, declared: key, plugin: c.Plugin, raw: c.JSON, fields: fields}, nil
}

func conflict(a, b *wanted) error {
	if a.plugin == b.plugin {
		return fmt.Errorf("%s is declared twice by plugin %s: remove one", a.key, a.plugin)
	}
	return fmt.Errorf("%s is declared by plugin %s and by plugin %s: rename one, or take one of the plugins out of the folder", a.key, a.plugin, b.plugin)
}

func (s *CommandSet) withinLimits(guild uint64) error {
	owners := make(map[int][]string)
	for _, w := range s.scopes[guild] {
		owners[w.key.kind] = append(owners[w.key.kind], "of plugin "+w.plugin)
	}
	return checkLimits(guild, owners)
}

// checkLimits judges how many commands of each kind a scope gets; owners says
// whose each of them is.
func checkLimits(guild uint64, owners map[int][]string) error {
	names := map[int]string{chatInput: "chat input", userMenu: "user", messageOne: "message", entryPoint: "entry point"}
	scope := "globally"
	if guild != 0 {
		scope = fmt.Sprintf("in guild %d", guild)
	}
	var faults []error
	for _, kind := range []int{chatInput, userMenu, messageOne, entryPoint} {
		if n, limit := len(owners[kind]), commandLimits[kind]; n > limit {
			faults = append(faults, fmt.Errorf("%d %s commands %s (%s), Discord takes %d: remove some",
				n, names[kind], scope, counted(owners[kind]), limit))
		}
	}
	return errors.Join(faults...)
}

// counted tells how often each is there, the most frequent first.
func counted(names []string) string {
	often := make(map[string]int)
	for _, name := range names {
		often[name]++
	}
	sorted := slices.SortedFunc(maps.Keys(often), func(a, b string) int {
		return cmp.Or(cmp.Compare(often[b], often[a]), cmp.Compare(a, b))
	})
	for i, name := range sorted {
		sorted[i] = fmt.Sprintf("%d %s", often[name], name)
	}
	if more := len(sorted) - maxReasons; more > 0 {
		sorted = append(sorted[:maxReasons], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(sorted, ", ")
}
