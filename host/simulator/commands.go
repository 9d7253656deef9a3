package simulator

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// command is an application command as Discord keeps it: the form that made it, with defaults filled in.
type command struct {
	id, version, guild uint64
	kind               int
	name               string
	form               map[string]json.RawMessage
}

// commandStore keeps the commands of each scope: guild 0 is global.
type commandStore struct {
	mu      sync.Mutex
	app     uint64
	scopes  map[uint64][]*command
	creates map[uint64]*window // by scope: 200 a day
}

const (
	commandCreates = 200
	commandDay     = 24 * time.Hour
)

func newCommandStore(app uint64) commandStore {
	return commandStore{app: app, scopes: make(map[uint64][]*command), creates: make(map[uint64]*window)}
}

// commandRoutes are global and guild commands.
func commandRoutes() []route {
	var list []route
	for _, path := range [...]string{pathCommands, pathLocal} {
		one := path + "/{command}"
		list = append(list,
			route{name: "GET " + path, handle: getCommands, limit: readLimit()},
			route{name: "POST " + path, handle: postCommand, limit: commandLimit()},
			route{name: "PUT " + path, handle: putCommands, limit: commandLimit()},
			route{name: "GET " + one, handle: getCommand, limit: readLimit()},
			route{name: "PATCH " + one, handle: patchCommand, limit: commandLimit()},
			route{name: "DELETE " + one, handle: deleteCommand, limit: commandLimit()},
		)
	}
	for i := range list {
		list[i].top = "application"
	}
	return append(list, route{name: "GET " + pathLocal + "/permissions", handle: getCommandPermissions, limit: readLimit(), top: "application"})
}

// inScope runs change with the commands of the path's scope locked.
func (q *query) inScope(change func(st *commandStore, scope uint64) answer) answer {
	if q.id("application") != q.s.world.bot {
		return problem(http.StatusForbidden, 20012, "You are not authorized to perform this action on this application")
	}
	scope := uint64(0)
	if q.r.PathValue("guild") != "" {
		if scope = q.id("guild"); q.s.world.guild(scope) == nil {
			return problem(http.StatusForbidden, 50001, "Missing Access")
		}
	}
	st := &q.s.commands
	st.mu.Lock()
	defer st.mu.Unlock()
	return change(st, scope)
}

func (st *commandStore) find(scope, id uint64) *command {
	for _, c := range st.scopes[scope] {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (st *commandStore) named(scope uint64, kind int, name string) *command {
	for _, c := range st.scopes[scope] {
		if c.kind == kind && c.name == name {
			return c
		}
	}
	return nil
}

// registered finds a command that users of a guild see: the guild's own before the global one.
func (st *commandStore) registered(guild uint64, kind int, name string) *command {
	st.mu.Lock()
	defer st.mu.Unlock()
	if guild != 0 {
		if c := st.named(guild, kind, name); c != nil {
			return c
		}
	}
	return st.named(0, kind, name)
}

// newCommand makes the command of a form.
func (q *query) newCommand(scope uint64, m map[string]json.RawMessage) *command {
	c := &command{id: q.s.mint.id(), version: q.s.mint.id(), guild: scope, kind: typeChat, name: strings.TrimSpace(textOf(m["name"])), form: m}
	setNumber(&c.kind, m["type"])
	return c
}

// spend counts the creation of a command; false: there were 200 today.
func (q *query) spend(st *commandStore, scope uint64) bool {
	w := st.creates[scope]
	if w == nil {
		w = newWindow(commandCreates, commandDay)
		st.creates[scope] = w
	}
	if w.take(q.now) {
		return true
	}
	q.s.breach(RuleCommandCreates, -1, q.rt.name)
	return false
}

func tooManyCreates() answer {
	return problem(400, 30034, "Max number of daily application command creates has been reached (200)")
}

// getCommands leaves the localizations out unless it is asked for them.
func getCommands(q *query) answer {
	localized := q.r.URL.Query().Get("with_localizations") == "true"
	return q.inScope(func(st *commandStore, scope uint64) answer { return q.commands(st.scopes[scope], localized) })
}

func (q *query) commands(list []*command, localized bool) answer {
	return q.done(func(o *jsonOut) {
		o.open('[')
		for _, c := range list {
			o.command(q.s, c, localized)
		}
		o.shut(']')
	})
}

func (q *query) command(status int, c *command) answer {
	a := q.done(func(o *jsonOut) { o.command(q.s, c, true) })
	a.status = status
	return a
}

func getCommand(q *query) answer {
	return q.inScope(func(st *commandStore, scope uint64) answer {
		if c := st.find(scope, q.id("command")); c != nil {
			return q.command(http.StatusOK, c)
		}
		return unknown(10063, "application command")
	})
}

// postCommand creates a command, or replaces the one of the same type and name.
func postCommand(q *query) answer {
	data, bad := q.payload()
	if data == nil {
		return bad
	}
	m, bad := q.commandForm(data)
	if m == nil {
		return bad
	}
	return q.inScope(func(st *commandStore, scope uint64) answer {
		c := q.newCommand(scope, m)
		if old := st.named(scope, c.kind, c.name); old != nil {
			c.id = old.id
			*old = *c
			return q.command(http.StatusOK, old)
		}
		if a := q.checkCount(append(slices.Clone(st.scopes[scope]), c)); a.status != 0 {
			return a
		}
		if !q.spend(st, scope) {
			return tooManyCreates()
		}
		st.scopes[scope] = append(st.scopes[scope], c)
		return q.command(http.StatusCreated, c)
	})
}

// putCommands replaces everything in the scope. A command of the same type and name, or with the id of one, keeps
// its id, and its version when nothing changes. An Entry Point command cannot be left out.
func putCommands(q *query) answer {
	forms, bad := q.commandForms()
	if forms == nil {
		return bad
	}
	return q.inScope(func(st *commandStore, scope uint64) answer {
		list := make([]*command, len(forms))
		for i, m := range forms {
			list[i] = q.newCommand(scope, m)
		}
		if a := q.checkCount(list); a.status != 0 {
			return a
		}
		if slices.ContainsFunc(st.scopes[scope], isEntryPoint) && !slices.ContainsFunc(list, isEntryPoint) {
			q.s.breach(RuleForm, -1, q.rt.name+": without the Entry Point command")
			return problem(400, 50240, "You cannot remove this app's Entry Point command in a bulk update operation. Please include the Entry Point command in your update request or delete it separately.")
		}
		for _, c := range list {
			old := st.find(scope, snowflake(c.form["id"]))
			delete(c.form, "id")
			if old == nil || old.kind != c.kind {
				old = st.named(scope, c.kind, c.name)
			}
			if old == nil {
				if !q.spend(st, scope) {
					return tooManyCreates()
				}
				continue
			}
			c.id = old.id
			if sameForm(c.form, old.form) {
				c.version = old.version
			}
		}
		st.scopes[scope] = list
		return q.commands(list, true)
	})
}

func isEntryPoint(c *command) bool { return c.kind == typeEntryPoint }

func sameForm(a, b map[string]json.RawMessage) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func patchCommand(q *query) answer {
	data, bad := q.payload()
	if data == nil {
		return bad
	}
	change, ok := object(data)
	if !ok {
		q.s.breach(RuleBody, -1, q.rt.name)
		return problem(400, 50109, "The request body contains invalid JSON.")
	}
	return q.inScope(func(st *commandStore, scope uint64) answer {
		c := st.find(scope, q.id("command"))
		if c == nil {
			return unknown(10063, "application command")
		}
		merged := maps.Clone(c.form)
		maps.Copy(merged, change)
		whole, err := json.Marshal(merged)
		if err != nil {
			return problem(400, 50109, "The request body contains invalid JSON.")
		}
		m, bad := q.commandForm(whole)
		if m == nil {
			return bad
		}
		c.form, c.name, c.version = m, strings.TrimSpace(textOf(m["name"])), q.s.mint.id()
		return q.command(http.StatusOK, c)
	})
}

func deleteCommand(q *query) answer {
	return q.inScope(func(st *commandStore, scope uint64) answer {
		c := st.find(scope, q.id("command"))
		if c == nil {
			return unknown(10063, "application command")
		}
		st.scopes[scope] = slices.DeleteFunc(st.scopes[scope], func(o *command) bool { return o == c })
		return empty()
	})
}

func getCommandPermissions(q *query) answer {
	return q.inScope(func(*commandStore, uint64) answer { return answer{http.StatusOK, []byte("[]")} })
}

// Command is an application command that is registered.
type Command struct {
	ID    uint64
	Guild uint64 // 0: global
	Type  int
	Name  string
	JSON  json.RawMessage // as Discord answers with it
}

// Commands lists the registered commands: global ones with guild 0.
func (s *Server) Commands(guild uint64) []Command {
	s.commands.mu.Lock()
	defer s.commands.mu.Unlock()
	var out []Command
	for _, c := range s.commands.scopes[guild] {
		var o jsonOut
		o.command(s, c, true)
		out = append(out, Command{ID: c.id, Guild: c.guild, Type: c.kind, Name: c.name, JSON: o.b})
	}
	return out
}

// Register adds a command as another program of the same application would: a foreign one, without any check.
// It returns the command's id.
func (s *Server) Register(guild uint64, form json.RawMessage) uint64 {
	m, ok := object(form)
	if !ok {
		return 0
	}
	q := &query{s: s}
	s.commands.mu.Lock()
	defer s.commands.mu.Unlock()
	c := q.newCommand(guild, m)
	s.commands.scopes[guild] = append(s.commands.scopes[guild], c)
	return c.id
}
