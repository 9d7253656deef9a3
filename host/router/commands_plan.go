package router

import "encoding/json"

// registered is a command as Discord has it.
type registered struct {
	key    commandKey
	raw    json.RawMessage
	fields map[string]any
}

// plan is what one scope shall become.
type plan struct {
	report  ScopeReport
	write   bool
	body    []json.RawMessage
	plugins []*wanted // of the body's elements; nil for those carried along
	ours    map[commandKey]prints
	owners  map[int][]string // of the body's elements, by kind
}

// plan compares. Everything that stays is in its body, because an overwrite
// removes what it does not name.
func (s *syncing) plan(guild uint64, have []registered) *plan {
	p := &plan{report: ScopeReport{Guild: guild}, ours: make(map[commandKey]prints), owners: make(map[int][]string)}
	present := make(map[commandKey]registered, len(have))
	for _, h := range have {
		present[h.key] = h
		if s.set.byKey[h.key] == nil {
			s.carry(p, h)
		}
	}
	for _, w := range s.set.scopes[guild] {
		now := prints{want: fingerprint(w.fields)}
		h, ok := present[w.key]
		if ok {
			now.have = fingerprint(h.fields)
		}
		switch before := s.ours[w.key]; {
		case !ok:
			p.report.Added, p.write = append(p.report.Added, w.key.name), true
		case before == now:
		case !sameCommand(w.fields, h.fields), before.want != "" && before.want != now.want:
			p.report.Changed, p.write = append(p.report.Changed, w.key.name), true
		}
		p.ours[w.key] = now
		p.add(w.key, sendable(w.raw, false), w)
	}
	return p
}

// carry decides about a command that no plugin declares.
func (s *syncing) carry(p *plan, h registered) {
	before, ours := s.ours[h.key]
	switch {
	case ours && s.options.Prune, !ours && s.options.Exclusive && h.key.kind != entryPoint:
		p.report.Removed, p.write = append(p.report.Removed, h.key.name), true
		return
	case ours:
		p.report.Waiting = append(p.report.Waiting, h.key.name)
		p.ours[h.key] = before
	default:
		p.report.Foreign = append(p.report.Foreign, h.key.name)
	}
	p.add(h.key, sendable(h.raw, true), nil)
}

func (p *plan) add(key commandKey, raw json.RawMessage, w *wanted) {
	p.body, p.plugins = append(p.body, raw), append(p.plugins, w)
	owner := "registered already"
	if w != nil {
		owner = "of plugin " + w.plugin
	}
	p.owners[key.kind] = append(p.owners[key.kind], owner)
}

// sendable is a command without what only Discord sets. The id of one that is
// carried along stays, so that the command keeps its permissions.
func sendable(raw json.RawMessage, withID bool) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return raw
	}
	for _, key := range given {
		if key != "id" || !withID {
			delete(fields, key)
		}
	}
	written, err := json.Marshal(fields)
	if err != nil {
		return raw
	}
	return written
}
