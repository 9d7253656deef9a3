package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// REST sends a request to Discord's API; path is below its base.
type REST interface {
	Do(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error)
}

// SyncOptions says what may be removed. By default foreign commands are carried
// along, and so are ours whose plugins are not there.
type SyncOptions struct {
	// Present names the plugins that are there, whether they declare anything or
	// not: what one of them declared once and does no more is removed.
	Present []string
	// Stopped names plugins whose files are there and that do not run, besides others
	// that do: what waits for one of them is told apart.
	Stopped []string
	// Exclusive removes commands that were never ours. (An entry point command
	// stays: Discord takes no overwrite without it.)
	Exclusive bool
	// Prune removes commands that were ours and whose plugins are not there.
	Prune bool
	// Only, if not 0, is the one guild that is looked at.
	Only uint64
}

// SyncCommands makes Discord's commands what the set says, at the cost of one GET
// for each scope and of one PUT only where something differs. A scope that
// fails does not hold up the others; the errors come joined, and the report
// holds what succeeded. Calls must not overlap.
func SyncCommands(ctx context.Context, rest REST, store OwnedStore, application uint64, set *CommandSet, o SyncOptions) (Report, error) {
	s, err := newSyncing(rest, store, application, set, o)
	if err != nil {
		return Report{}, err
	}
	return s.each(ctx, s.guilds(), s.scope)
}

// LookAtCommands tells for each scope with something declared or of ours, and for
// the global one, what is registered and what a sync would do, at the cost of one
// GET each. It changes nothing. What is declared in a scope that cannot be read is
// in the report, too, with the reason.
func LookAtCommands(ctx context.Context, rest REST, store OwnedStore, application uint64, set *CommandSet, o SyncOptions) (Report, error) {
	s, err := newSyncing(rest, store, application, set, o)
	if err != nil {
		return Report{}, err
	}
	guilds := s.guilds()
	if o.Only == 0 && !slices.Contains(guilds, 0) {
		guilds = append([]uint64{0}, guilds...)
	}
	return s.each(ctx, guilds, func(ctx context.Context, guild uint64) (ScopeReport, error) {
		have, gone, err := s.read(ctx, guild)
		if err != nil && (!gone || len(s.set.scopes[guild]) > 0) { // where the bot is not, nothing is registered
			return s.unread(guild, gone, err), err
		}
		return s.plan(guild, have).report, nil
	})
}

// unread tells of what is declared in a scope that cannot be read. Where the bot is
// not, nothing is registered.
func (s *syncing) unread(guild uint64, gone bool, reason error) ScopeReport {
	action := ActionUnknown
	if gone {
		action = ActionAdd
	}
	report := ScopeReport{Guild: guild}
	for _, w := range s.set.scopes[guild] {
		report.Steps = append(report.Steps, Step{Action: action, Kind: w.key.kind, Name: w.key.name, Plugin: w.plugin, Fault: reason.Error()})
	}
	report.sort()
	return report
}

// syncing is one call of SyncCommands or LookAtCommands.
type syncing struct {
	rest        REST
	store       OwnedStore
	memories    memories
	set         *CommandSet
	options     SyncOptions
	application uint64
}

func newSyncing(rest REST, store OwnedStore, application uint64, set *CommandSet, o SyncOptions) (*syncing, error) {
	m, err := readMemories(store)
	if err != nil {
		return nil, err
	}
	if set == nil {
		set = &CommandSet{}
	}
	return &syncing{rest: rest, store: store, memories: m, set: set, options: o, application: application}, nil
}

func (s *syncing) each(ctx context.Context, guilds []uint64, do func(context.Context, uint64) (ScopeReport, error)) (report Report, err error) {
	var faults []error
	for _, guild := range guilds {
		done, err := do(ctx, guild)
		if err != nil {
			faults = append(faults, err)
		}
		if err == nil || len(done.Steps) > 0 {
			report.Scopes = append(report.Scopes, done)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return report, errors.Join(faults...)
}

// guilds are the scopes with something wanted, or something of ours.
func (s *syncing) guilds() []uint64 {
	if s.options.Only != 0 {
		return []uint64{s.options.Only}
	}
	all := make(map[uint64]bool)
	if s.options.Exclusive {
		all[0] = true
	}
	for guild := range s.set.scopes {
		all[guild] = true
	}
	for key := range s.memories.owned {
		all[key.guild] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func (s *syncing) scope(ctx context.Context, guild uint64) (ScopeReport, error) {
	if s.idle(guild) {
		report := ScopeReport{Guild: guild} // nothing to ask Discord about
		for _, key := range s.memories.of(guild) {
			plugin := s.memories.owned[key].plugin
			report.Steps = append(report.Steps, Step{Action: ActionWait, Kind: key.kind, Name: key.name, Plugin: plugin, Stopped: s.stopped(plugin)})
		}
		return report, nil
	}
	have, gone, err := s.read(ctx, guild)
	if gone && len(s.set.scopes[guild]) == 0 {
		return ScopeReport{Guild: guild}, s.remember(guild, nil) // the bot is not there, and nothing of ours is
	}
	if err != nil {
		return ScopeReport{}, err
	}
	s.memories.notCreated(guild, have)
	p := s.plan(guild, have)
	if p.writes() {
		if err := s.write(ctx, guild, p); err != nil {
			return ScopeReport{}, err
		}
		p.report.Written = true
	}
	return p.report, s.remember(guild, p.ours)
}

// idle says that nothing is wanted in a scope and nothing may be removed.
func (s *syncing) idle(guild uint64) bool {
	return len(s.set.scopes[guild]) == 0 && !s.options.Prune && !s.options.Exclusive &&
		!slices.ContainsFunc(s.memories.of(guild), func(key commandKey) bool { return s.dropped(s.memories.owned[key]) })
}

// remember puts what is ours in one scope into the store.
func (s *syncing) remember(guild uint64, now map[commandKey]owned) error {
	before := s.memories.clone()
	s.own(guild, now)
	return s.memories.save(s.store, before)
}

func (s *syncing) own(guild uint64, now map[commandKey]owned) {
	for _, key := range s.memories.of(guild) {
		delete(s.memories.owned, key)
	}
	maps.Copy(s.memories.owned, now)
}

// read asks Discord; gone says that the bot has no business in that guild.
func (s *syncing) read(ctx context.Context, guild uint64) (have []registered, gone bool, err error) {
	// Without with_localizations Discord leaves the localizations out.
	status, answer, err := s.rest.Do(ctx, http.MethodGet, s.path(guild)+"?with_localizations=true", nil)
	err = mayPass(status, err)
	if err == nil && status != http.StatusOK {
		gone = guild != 0 && (status == http.StatusForbidden || status == http.StatusNotFound)
		err = mayPass(status, refusal(status, answer, nil))
	}
	if err == nil {
		have, err = readRegistered(guild, answer)
		err = mayPass(0, err)
	}
	if err != nil {
		return nil, gone, fmt.Errorf("read the commands %s: %w", scopeName(guild), err)
	}
	return have, false, nil
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
		var kept struct {
			ID json.RawMessage `json:"id"`
		}
		if err := json.Unmarshal(raw, &kept); err != nil {
			return nil, err
		}
		have = append(have, registered{key: keyOf(guild, fields), id: kept.ID, raw: raw, fields: fields})
	}
	return have, nil
}

// write overwrites a scope. What will be ours, and what is created, is remembered
// before, so that nothing of it is forgotten if the host ends in between.
func (s *syncing) write(ctx context.Context, guild uint64, p *plan) error {
	created, now := len(p.report.Names(ActionAdd)), time.Now()
	if err := errors.Join(checkLimits(guild, p.owners), s.checkCreates(guild, created, now)); err != nil {
		return err
	}
	body, err := json.Marshal(p.body)
	if err != nil {
		return fmt.Errorf("write the commands %s: %w", scopeName(guild), err)
	}
	if len(p.body) == 0 {
		body = []byte("[]")
	}
	before := s.memories.clone()
	s.own(guild, s.intent(guild, p))
	s.memories.create(guild, created, now)
	if err := s.memories.save(s.store, before); err != nil {
		return err
	}
	status, answer, err := s.rest.Do(ctx, http.MethodPut, s.path(guild), body)
	if err != nil {
		return fmt.Errorf("write the commands %s: %w", scopeName(guild), mayPass(0, err))
	}
	if status != http.StatusOK {
		refused := mayPass(status, refusal(status, answer, p.plugins))
		return errors.Join(fmt.Errorf("write the commands %s: %w", scopeName(guild), refused), s.takeBack(status, before))
	}
	made, err := readRegistered(guild, answer)
	if err != nil {
		return fmt.Errorf("read what Discord made of the commands %s: %w", scopeName(guild), mayPass(0, err))
	}
	for _, m := range made {
		if now, ok := p.ours[m.key]; ok {
			now.have = fingerprint(m.fields)
			p.ours[m.key] = now
		}
	}
	return nil
}

// checkCreates keeps to the 200 that Discord lets be created in a scope a day.
func (s *syncing) checkCreates(guild uint64, created int, now time.Time) error {
	before := s.memories.createdIn(guild, now)
	if created == 0 || before+created <= maxCreates {
		return nil
	}
	return fmt.Errorf("write the commands %s: %d are new and %d were created in the last 24 hours, Discord takes %d a day: reload after %s, when there is room",
		scopeName(guild), created, before, maxCreates, s.memories.roomFrom(guild, created, now).UTC().Format(time.RFC3339))
}

// takeBack forgets what was to be, if Discord has refused it for certain: an
// answer of 5xx may have come after the fact.
func (s *syncing) takeBack(status int, before memories) error {
	if status >= http.StatusInternalServerError {
		return nil
	}
	intended := s.memories
	s.memories = before
	return s.memories.save(s.store, intended)
}

// intent is what is ours while it is not known whether the overwrite succeeds:
// all that was and all that will be, in doubt about its content.
func (s *syncing) intent(guild uint64, p *plan) map[commandKey]owned {
	both := make(map[commandKey]owned)
	for _, key := range s.memories.of(guild) {
		both[key] = s.memories.owned[key]
	}
	for key, will := range p.ours {
		if _, ok := both[key]; !ok {
			both[key] = owned{plugin: will.plugin}
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
