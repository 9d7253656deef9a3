package router

import (
	"cmp"
	"fmt"
	"slices"
)

// In is the set with everything in one guild, where Discord shows a change at
// once: a bot in development. Of commands of one name and type the guild's own goes
// before the global one, and that before other guilds'; left says which of them
// are left out, and that entry points are, which no guild has. Owners of commands
// that are registered elsewhere stay what they were.
func (s *CommandSet) In(guild uint64) (in *CommandSet, left []string) {
	in = &CommandSet{scopes: make(map[uint64][]*wanted), byKey: make(map[commandKey]*wanted), base: s}
	if s == nil {
		return in, nil
	}
	var all []*wanted
	for _, w := range s.byKey {
		all = append(all, w)
	}
	rank := func(w *wanted) int {
		switch w.key.guild {
		case guild:
			return 0
		case 0:
			return 1
		default:
			return 2
		}
	}
	slices.SortFunc(all, func(a, b *wanted) int {
		return cmp.Or(byKindAndName(a, b), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.key.guild, b.key.guild))
	})
	for _, w := range all {
		key := w.key
		key.guild = guild
		switch other := in.byKey[key]; {
		case key.kind == entryPoint:
			left = append(left, w.key.String()+": no guild has one")
		case other != nil:
			left = append(left, fmt.Sprintf("%s: there is one of plugin %s already", w.key, other.plugin))
		default:
			in.put(&wanted{key: key, declared: w.declared, plugin: w.plugin, raw: w.raw, fields: withoutGlobal(w.fields)})
		}
	}
	return in, left
}

// withoutGlobal are the canonical fields of a guild's command.
func withoutGlobal(fields map[string]any) map[string]any {
	kept := make(map[string]any, len(fields))
	for key, value := range fields {
		if !slices.Contains(globalOnly, key) {
			kept[key] = value
		}
	}
	return kept
}
