package router

import (
	"encoding/json"
	"slices"
)

// registered is a command as Discord has it.
type registered struct {
	key    commandKey
	id     json.RawMessage
	raw    json.RawMessage
	fields map[string]any
}

// plan is what one scope shall become.
type plan struct {
	report  ScopeReport
	body    []json.RawMessage
	plugins []*wanted // of the body's elements; nil for those carried along
	ours    map[commandKey]owned
	owners  map[int][]string // of the body's elements, by kind
}

// writes tells whether Discord must be told.
func (p *plan) writes() bool {
	return slices.ContainsFunc(p.report.Steps, func(s Step) bool {
		switch s.Action {
		case ActionAdd, ActionChange, ActionTakeOver, ActionRemove:
			return true
		default:
			return false
		}
	})
}

// plan compares. Everything that stays is in its body, because an overwrite
// removes what it does not name.
func (s *syncing) plan(guild uint64, have []registered) *plan {
	p := &plan{report: ScopeReport{Guild: guild}, ours: make(map[commandKey]owned), owners: make(map[int][]string)}
	present := make(map[commandKey]registered, len(have))
	for _, h := range have {
		present[h.key] = h
	}
	replaced := s.replacedEntryPoint(guild, present)
	for _, h := range have {
		if s.set.byKey[h.key] == nil && h.key != replaced {
			s.carry(p, h)
		}
	}
	for _, w := range s.set.scopes[guild] {
		h, ok := present[w.key]
		var id json.RawMessage
		if w.key.kind == entryPoint && !ok && replaced.kind == entryPoint {
			h, ok = present[replaced], true
			id = h.id
		}
		s.want(p, w, h, ok)
		p.add(w.key, sendable(w.raw, guild, id), w)
	}
	p.report.sort()
	return p
}

// replacedEntryPoint is the entry point that one of another name takes the place
// of. Discord makes one ("Launch") for each application with activities, has never
// two, and takes no overwrite without it: it is renamed, by its id.
func (s *syncing) replacedEntryPoint(guild uint64, present map[commandKey]registered) commandKey {
	for _, w := range s.set.scopes[guild] {
		if _, ok := present[w.key]; w.key.kind != entryPoint || ok {
			continue
		}
		for key := range present {
			if key.kind == entryPoint {
				return key
			}
		}
	}
	return commandKey{}
}

// want decides about a command that a plugin declares; h is what Discord has, if
// it is there.
func (s *syncing) want(p *plan, w *wanted, h registered, there bool) {
	now := owned{prints{want: fingerprint(w.fields)}, w.plugin}
	step := Step{Action: ActionKeep, Kind: w.key.kind, Name: w.key.name, Plugin: w.plugin}
	if there {
		now.have = fingerprint(h.fields)
		step.Differs = differences(w.fields, h.fields)
	}
	before, ours := s.memories.owned[h.key]
	switch {
	case !there:
		step.Action = ActionAdd
	case ours && before.prints == now.prints:
		step.Differs = nil // Discord has made something else of it, and did so before
	case len(step.Differs) > 0 && !ours:
		step.Action = ActionTakeOver
	case !ours:
		step.Action = ActionAdopt
	case len(step.Differs) > 0, before.want != "" && before.want != now.want:
		step.Action = ActionChange
	}
	p.ours[w.key] = now
	p.report.Steps = append(p.report.Steps, step)
}

// carry decides about a command that no plugin declares.
func (s *syncing) carry(p *plan, h registered) {
	before, ours := s.memories.owned[h.key]
	step := Step{Action: ActionForeign, Kind: h.key.kind, Name: h.key.name, Plugin: before.plugin}
	switch {
	case ours && (s.options.Prune || s.dropped(before)), !ours && s.options.Exclusive:
		step.Action = ActionRemove
	case ours:
		step.Action, step.Stopped = ActionWait, s.stopped(before.plugin)
		p.ours[h.key] = before
	}
	if step.Action == ActionRemove && h.key.kind == entryPoint {
		step.Action, step.Plugin = ActionForeign, "" // Discord takes no overwrite without it: it is nobody's now
	}
	p.report.Steps = append(p.report.Steps, step)
	if step.Action != ActionRemove {
		p.add(h.key, sendable(h.raw, h.key.guild, h.id), nil)
	}
}

// dropped says whether the plugin that declared a command is there, and does not
// declare it any more: then its author has taken it away. A plugin that is not
// there says nothing: its folder may be unmounted.
func (s *syncing) dropped(o owned) bool {
	return o.plugin != "" && slices.Contains(s.options.Present, o.plugin)
}

// stopped says whether the file of a plugin that is not there is. What an older host
// registered is of no known plugin.
func (s *syncing) stopped(plugin string) bool {
	return plugin != "" && slices.Contains(s.options.Stopped, plugin)
}

func (p *plan) add(key commandKey, raw json.RawMessage, w *wanted) {
	p.body, p.plugins = append(p.body, raw), append(p.plugins, w)
	owner := "registered already"
	if w != nil {
		owner = "of plugin " + w.plugin
	}
	p.owners[key.kind] = append(p.owners[key.kind], owner)
}

// sendable is a command without what only Discord sets, and without what it does
// not take in that scope. An id keeps the command that has it, and so its
// permissions, whatever its name is.
func sendable(raw json.RawMessage, guild uint64, id json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return raw
	}
	for _, key := range given {
		delete(fields, key)
	}
	if guild != 0 {
		for _, key := range globalOnly {
			delete(fields, key)
		}
	}
	if string(fields["description"]) == `""` { // as Discord answers for commands in context menus
		delete(fields, "description")
	}
	if id != nil {
		fields["id"] = id
	}
	written, err := json.Marshal(fields)
	if err != nil {
		return raw
	}
	return written
}
