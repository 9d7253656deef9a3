package router

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Action is what a sync does with one command.
type Action string

// The actions. Foreign commands are carried along, waiting ones are ours, were
// declared by a plugin that is not there, and stay until a prune; the command
// that is taken over was foreign until a plugin declared it, and so was the one that
// is adopted, which is registered as declared already.
const (
	ActionKeep     Action = "keep"
	ActionAdd      Action = "add"
	ActionChange   Action = "change"
	ActionTakeOver Action = "take over"
	ActionAdopt    Action = "adopt"
	ActionRemove   Action = "remove"
	ActionForeign  Action = "foreign"
	ActionWait     Action = "wait"
	ActionUnknown  Action = "unknown" // declared, but its scope could not be read
)

// Step is one command and what a sync does with it.
type Step struct {
	Action Action
	Kind   int // 1 chat input, 2 user, 3 message, 4 entry point
	Name   string
	// Plugin declares the command, or did when it was registered; "" for what is
	// foreign, and for what an older host registered.
	Plugin string
	// Differs names the fields in which a command that is changed or taken over is
	// not as declared, such as "options sides max_value".
	Differs []string
	// Stopped says of a command that waits that its plugin's file is there: it only
	// does not run.
	Stopped bool
	// Fault is why the command's scope could not be read, and so what a sync would
	// come to.
	Fault string
}

// Report says what a sync came to, or would.
type Report struct {
	Scopes []ScopeReport
}

// ScopeReport is about one scope: a guild, or 0 for the global commands. Steps
// are sorted by type and name.
type ScopeReport struct {
	Guild   uint64
	Written bool // by one overwrite in bulk
	Steps   []Step
}

// Names of the commands with which that is done.
func (r ScopeReport) Names(a Action) []string {
	return append(r.names(a, false), r.names(a, true)...)
}

func (r ScopeReport) names(a Action, stopped bool) []string {
	var names []string
	for _, step := range r.Steps {
		if step.Action == a && step.Stopped == stopped {
			names = append(names, step.Name)
		}
	}
	return names
}

func (r ScopeReport) sort() {
	slices.SortStableFunc(r.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}

// String is a line for the log: what changed.
func (r ScopeReport) String() string {
	return r.line(": ", func(p phrase) string { return p.did })
}

// Read is false for a scope that could not be read.
func (r ScopeReport) Read() bool {
	return !slices.ContainsFunc(r.Steps, func(step Step) bool { return step.Fault != "" })
}

// Planned is such a line for what would change.
func (r ScopeReport) Planned() string {
	return r.line(", planned: ", func(p phrase) string { return p.would })
}

// phrase names what is done with the commands of one action.
type phrase struct {
	of         Action
	stopped    bool
	did, would string
}

const (
	asRegistered = "as registered (by another program, or by a host whose state is lost):"
	whileGone    = "although their plugins are gone (holdfast reload --prune removes them):"
	whileStopped = "although their plugins are not running (holdfast status tells why):"
)

func (r ScopeReport) line(between string, say func(phrase) string) string {
	var parts []string
	for _, p := range []phrase{
		{of: ActionAdd, did: "added", would: "add"},
		{of: ActionChange, did: "changed", would: "change"},
		{of: ActionTakeOver, did: "taken over from another program", would: "take over from another program"},
		{of: ActionAdopt, did: "taken over " + asRegistered, would: "take over " + asRegistered},
		{of: ActionRemove, did: "removed", would: "remove"},
		{of: ActionWait, did: "kept " + whileGone, would: "keep " + whileGone},
		{of: ActionWait, stopped: true, did: "kept " + whileStopped, would: "keep " + whileStopped},
	} {
		if names := r.names(p.of, p.stopped); len(names) > 0 {
			parts = append(parts, say(p)+" "+strings.Join(names, ", "))
		}
	}
	if len(parts) == 0 {
		return "commands " + scopeName(r.Guild) + " unchanged"
	}
	return "commands " + scopeName(r.Guild) + between + strings.Join(parts, "; ")
}

func scopeName(guild uint64) string {
	if guild == 0 {
		return "(global)"
	}
	return fmt.Sprintf("of guild %d", guild)
}
