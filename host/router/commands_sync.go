package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// REST sends a request to Discord's API; path is below its base.
type REST interface {
	Do(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error)
}

// SyncOptions says what may be removed. By default nothing is: foreign commands
// are carried along, and so are ours that no plugin declares any more.
type SyncOptions struct {
	// Exclusive removes commands that were never ours. (An entry point command
	// stays: Discord takes no overwrite without it.)
	Exclusive bool
	// Prune removes commands that were ours and that no plugin declares any
	// more.
	Prune bool
}

// Report says what a sync came to.
type Report struct {
	Scopes []ScopeReport
}

// ScopeReport is about one scope: a guild, or 0 for the global commands.
type ScopeReport struct {
	Guild   uint64
	Written bool // by one overwrite in bulk
	// Names of commands: new ones, changed ones, removed ones, foreign ones
	// that were carried along, and ours that no plugin declares any more and
	// that wait for a prune.
	Added, Changed, Removed, Foreign, Waiting []string
}

// SyncCommands makes Discord's commands what the set says, at the cost of one GET
// for each scope and of one PUT only where something differs. A scope that
// fails does not hold up the others; the errors come joined, and the report
// holds what succeeded. Calls must not overlap.
func SyncCommands(ctx context.Context, rest REST, store OwnedStore, application uint64, set *CommandSet, o SyncOptions) (Report, error) {
	var report Report
	ours, err := readOwned(store)
	if err != nil {
		return report, err
	}
	if set == nil {
		set = &CommandSet{}
	}
	s := &syncing{rest: rest, store: store, ours: ours, set: set, options: o, application: application}
	var faults []error
	for _, guild := range s.guilds() {
		done, err := s.scope(ctx, guild)
		if err != nil {
			faults = append(faults, err)
		} else {
			report.Scopes = append(report.Scopes, done)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return report, errors.Join(faults...)
}

// syncing is one call of SyncCommands.
type syncing struct {
	rest        REST
	store       OwnedStore
	ours        owned
	set         *CommandSet
	options     SyncOptions
	application uint64
}

// guilds are the scopes with something wanted, or something of ours.
func (s *syncing) guilds() []uint64 {
	all := make(map[uint64]bool)
	if s.options.Exclusive {
		all[0] = true
	}
	for guild := range s.set.scopes {
		all[guild] = true
	}
	for key := range s.ours {
		all[key.guild] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func (s *syncing) scope(ctx context.Context, guild uint64) (ScopeReport, error) {
	if len(s.set.scopes[guild]) == 0 && !s.options.Prune && !s.options.Exclusive {
		report := ScopeReport{Guild: guild} // nothing to ask Discord about
		for _, key := range s.ours.of(guild) {
			report.Waiting = append(report.Waiting, key.name)
		}
		slices.Sort(report.Waiting)
		return report, nil
	}
	have, err := s.read(ctx, guild)
	if err != nil {
		return ScopeReport{}, err
	}
	p := s.plan(guild, have)
	if p.write {
		if err := s.write(ctx, guild, p); err != nil {
			return ScopeReport{}, err
		}
	}
	p.report.Written = p.write
	return p.report, s.remember(guild, p.ours)
}

// remember puts what is ours in one scope into the store.
func (s *syncing) remember(guild uint64, now map[commandKey]prints) error {
	before := maps.Clone(s.ours)
	for _, key := range s.ours.of(guild) {
		delete(s.ours, key)
	}
	maps.Copy(s.ours, now)
	return s.ours.save(s.store, before)
}

func (s *syncing) read(ctx context.Context, guild uint64) ([]registered, error) {
	// Without with_localizations Discord leaves the localizations out.
	status, answer, err := s.rest.Do(ctx, http.MethodGet, s.path(guild)+"?with_localizations=true", nil)
	if err != nil {
		return nil, fmt.Errorf("read the commands %s: %w", scopeName(guild), err)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("read the commands %s: %w", scopeName(guild), refusal(status, answer, nil))
	}
	have, err := readRegistered(guild, answer)
	if err != nil {
		return nil, fmt.Errorf("read the commands %s: %w", scopeName(guild), err)
	}
	return have, nil
}

func readRegistered(guild uint64, answer []byte) ([]registered, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, err
	}
	have := make([]registered, 0, len(list))
	for _, raw := range list {
		fields, err := canonical(raw, guild != 0)
		if err != nil {
			return nil, err
		}
		have = append(have, registered{key: keyOf(guild, fields), raw: raw, fields: fields})
	}
	return have, nil
}

// write overwrites a scope. What will be ours is remembered before, so that
// nothing of ours becomes foreign if the host ends in between.
func (s *syncing) write(ctx context.Context, guild uint64, p *plan) error {
	if err := checkLimits(guild, p.owners); err != nil {
		return err
	}
	body, err := json.Marshal(p.body)
	if err != nil {
		return fmt.Errorf("write the commands %s: %w", scopeName(guild), err)
	}
	if len(p.body) == 0 {
		body = []byte("[]")
	}
	if err := s.remember(guild, s.intent(guild, p)); err != nil {
		return err
	}
	status, answer, err := s.rest.Do(ctx, http.MethodPut, s.path(guild), body)
	if err != nil {
		return fmt.Errorf("write the commands %s: %w", scopeName(guild), err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("write the commands %s: %w", scopeName(guild), refusal(status, answer, p.plugins))
	}
	made, err := readRegistered(guild, answer)
	if err != nil {
		return fmt.Errorf("read what Discord made of the commands %s: %w", scopeName(guild), err)
	}
	for _, m := range made {
		if now, ok := p.ours[m.key]; ok {
			p.ours[m.key] = prints{want: now.want, have: fingerprint(m.fields)}
		}
	}
	return nil
}

// intent is what is ours while it is not known whether the overwrite succeeds:
// all that was and all that will be, in doubt about its content.
func (s *syncing) intent(guild uint64, p *plan) map[commandKey]prints {
	both := make(map[commandKey]prints)
	for _, key := range s.ours.of(guild) {
		both[key] = s.ours[key]
	}
	for key := range p.ours {
		if _, ok := both[key]; !ok {
			both[key] = prints{}
		}
	}
	return both
}

func (s *syncing) path(guild uint64) string {
	if guild == 0 {
		return fmt.Sprintf("/applications/%d/commands", s.application)
	}
	return fmt.Sprintf("/applications/%d/guilds/%d/commands", s.application, guild)
}

func scopeName(guild uint64) string {
	if guild == 0 {
		return "(global)"
	}
	return fmt.Sprintf("of guild %d", guild)
}

// String is a line for the log: what changed.
func (r ScopeReport) String() string {
	var parts []string
	for _, p := range []struct {
		name string
		of   []string
	}{{"added", r.Added}, {"changed", r.Changed}, {"removed", r.Removed}, {"kept although no plugin declares them any more:", r.Waiting}} {
		if len(p.of) > 0 {
			parts = append(parts, p.name+" "+strings.Join(p.of, ", "))
		}
	}
	if len(parts) == 0 {
		return "commands " + scopeName(r.Guild) + " unchanged"
	}
	return "commands " + scopeName(r.Guild) + ": " + strings.Join(parts, "; ")
}
