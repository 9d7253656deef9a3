package router

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OwnedStore remembers which commands on Discord are ours, and how many were
// created. What a string says is the business of this package.
type OwnedStore interface {
	OwnedCommands() ([]string, error)
	SetOwnedCommands(keys []string) error
}

// prints are the fingerprints of a command when it was last in order: what the
// author wanted, and what Discord made of it. As long as both are unchanged there
// is nothing to do, whatever Discord fills in or rewrites.
type prints struct{ want, have string }

// owned is a command of ours on Discord.
type owned struct {
	prints

	plugin string // that declared it last; "" if an older host has written it
}

// Discord takes 200 creations of commands a day in each scope ("Registering a
// Command"), and counts those of an overwrite, too.
const (
	maxCreates = 200
	createDay  = 24 * time.Hour
)

// creation is how many commands were created at a time, in Unix seconds.
type creation struct {
	guild   uint64
	at      int64
	created int
}

// memories are what the store holds, read.
type memories struct {
	owned     map[commandKey]owned
	creations []creation
}

func readMemories(store OwnedStore) (memories, error) {
	lines, err := store.OwnedCommands()
	if err != nil {
		return memories{}, fmt.Errorf("read which commands are ours: %w", err)
	}
	m := memories{owned: make(map[commandKey]owned, len(lines))}
	for _, line := range lines {
		if key, o, ok := parseOwned(line); ok {
			m.owned[key] = o
		} else if c, ok := parseCreation(line); ok {
			m.creations = append(m.creations, c)
		}
	}
	return m, nil
}

// parseOwned reads guild/type:plugin/want/have/name; the name is last, for it may
// hold anything. Older hosts wrote no plugin.
func parseOwned(line string) (commandKey, owned, bool) {
	const parts = 5
	part := strings.SplitN(line, "/", parts)
	if len(part) != parts || part[4] == "" {
		return commandKey{}, owned{}, false
	}
	guild, err := strconv.ParseUint(part[0], 10, 64)
	if err != nil {
		return commandKey{}, owned{}, false
	}
	number, plugin, _ := strings.Cut(part[1], ":")
	kind, err := strconv.Atoi(number)
	if err != nil {
		return commandKey{}, owned{}, false
	}
	return commandKey{guild: guild, kind: kind, name: part[4]}, owned{prints{want: part[2], have: part[3]}, plugin}, true
}

// parseCreation reads created/guild/time/number.
func parseCreation(line string) (c creation, ok bool) {
	_, err := fmt.Sscanf(line, "created/%d/%d/%d", &c.guild, &c.at, &c.created)
	return c, err == nil && c.created > 0
}

func (m memories) lines() []string {
	lines := make([]string, 0, len(m.owned)+len(m.creations))
	for k, o := range m.owned {
		kind := strconv.Itoa(k.kind)
		if o.plugin != "" {
			kind += ":" + o.plugin
		}
		lines = append(lines, fmt.Sprintf("%d/%s/%s/%s/%s", k.guild, kind, o.want, o.have, k.name))
	}
	for _, c := range m.creations {
		if c.created == 0 {
			continue
		}
		lines = append(lines, fmt.Sprintf("created/%d/%d/%d", c.guild, c.at, c.created))
	}
	slices.Sort(lines)
	return lines
}

// save writes the store if it would change.
func (m memories) save(store OwnedStore, before memories) error {
	if maps.Equal(m.owned, before.owned) && slices.Equal(m.creations, before.creations) {
		return nil
	}
	if err := store.SetOwnedCommands(m.lines()); err != nil {
		return fmt.Errorf("remember which commands are ours: %w", mayPass(0, err))
	}
	return nil
}

func (m memories) clone() memories {
	return memories{maps.Clone(m.owned), slices.Clone(m.creations)}
}

func (m memories) of(guild uint64) []commandKey {
	var keys []commandKey
	for k := range m.owned {
		if k.guild == guild {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b commandKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	return keys
}

// createdIn is how many commands were created in a scope within the last day.
func (m memories) createdIn(guild uint64, now time.Time) int {
	n := 0
	for _, c := range m.creations {
		if c.guild == guild && !c.old(now) {
			n += c.created
		}
	}
	return n
}

// roomFrom is when so many more may be created in a scope.
func (m memories) roomFrom(guild uint64, more int, now time.Time) time.Time {
	from := now
	for before := m.createdIn(guild, from); before > 0 && before+more > maxCreates; before = m.createdIn(guild, from) {
		next := from.Add(createDay)
		for _, c := range m.creations {
			if until := time.Unix(c.at, 0).Add(createDay); c.guild == guild && !c.old(from) && until.Before(next) {
				next = until
			}
		}
		from = next
	}
	return from
}

// old tells what does not count any more: a day has passed, or the clock was set
// back.
func (c creation) old(now time.Time) bool {
	age := now.Sub(time.Unix(c.at, 0))
	return age >= createDay || age < -time.Minute
}

// create counts n creations, and forgets those of the day before.
func (m *memories) create(guild uint64, n int, now time.Time) {
	if n == 0 {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(m.creations), func(c creation) bool { return c.old(now) })
	for i, c := range kept {
		if c.guild == guild && c.at == now.Unix() {
			kept[i].created += n
			n = 0
		}
	}
	if n > 0 {
		kept = append(kept, creation{guild, now.Unix(), n})
	}
	m.creations = kept
}
