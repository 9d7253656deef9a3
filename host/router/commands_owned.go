package router

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// OwnedStore remembers which commands on Discord are ours. What a string says is
// the business of this package.
type OwnedStore interface {
	OwnedCommands() ([]string, error)
	SetOwnedCommands(keys []string) error
}

// prints are the fingerprints of a command when it was last in order: what the
// author wanted, and what Discord made of it. As long as both are unchanged there
// is nothing to do, whatever Discord fills in or rewrites.
type prints struct{ want, have string }

// owned is what the store holds, read.
type owned map[commandKey]prints

func readOwned(store OwnedStore) (owned, error) {
	lines, err := store.OwnedCommands()
	if err != nil {
		return nil, fmt.Errorf("read which commands are ours: %w", err)
	}
	all := make(owned, len(lines))
	for _, line := range lines {
		if key, p, ok := parseOwned(line); ok {
			all[key] = p
		}
	}
	return all, nil
}

// parseOwned reads guild/type/want/have/name; the name is last, for it may hold
// anything.
func parseOwned(line string) (commandKey, prints, bool) {
	const parts = 5
	part := strings.SplitN(line, "/", parts)
	if len(part) != parts || part[4] == "" {
		return commandKey{}, prints{}, false
	}
	guild, err := strconv.ParseUint(part[0], 10, 64)
	if err != nil {
		return commandKey{}, prints{}, false
	}
	kind, err := strconv.Atoi(part[1])
	if err != nil {
		return commandKey{}, prints{}, false
	}
	return commandKey{guild: guild, kind: kind, name: part[4]}, prints{want: part[2], have: part[3]}, true
}

func (o owned) lines() []string {
	lines := make([]string, 0, len(o))
	for k, p := range o {
		lines = append(lines, fmt.Sprintf("%d/%d/%s/%s/%s", k.guild, k.kind, p.want, p.have, k.name))
	}
	slices.Sort(lines)
	return lines
}

// save writes the store if it would change.
func (o owned) save(store OwnedStore, before owned) error {
	if maps.Equal(o, before) {
		return nil
	}
	if err := store.SetOwnedCommands(o.lines()); err != nil {
		return fmt.Errorf("remember which commands are ours: %w", err)
	}
	return nil
}

func (o owned) of(guild uint64) []commandKey {
	var keys []commandKey
	for k := range o {
		if k.guild == guild {
			keys = append(keys, k)
		}
	}
	return keys
}
