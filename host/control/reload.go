package control

// What a reload does with one plugin.
const (
	ActionAdd     = "add"     // a new file
	ActionReplace = "replace" // a changed file
	ActionRestart = "restart" // an unchanged file, asked for by name
	ActionRemove  = "remove"  // a file that is gone
	ActionKeep    = "keep"    // an unchanged file: nothing is done
)

// What became of a step. A step to keep a plugin may have no result.
const (
	ResultDone      = "done"
	ResultCalledOff = "called off" // the old generation goes on: it did not drain in time
	ResultRefused   = "refused"    // the old generation goes on: the new one did not pass a check
	ResultFailed    = "failed"     // the plugin may be down
	ResultPlanned   = "planned"    // a dry run: nothing was done
)

// ReloadOptions says what to reload, and how. The zero value reloads what has
// changed.
type ReloadOptions struct {
	// Names restricts the reload to these plugins; those that have not changed are
	// restarted. None stands for all that have changed.
	Names []string `json:"names"`
	// Force cancels handlers that do not end in time, where a reload is called off
	// without it; what they had not acknowledged is delivered again, marked.
	Force bool `json:"force"`
	// DryRun tells the plan and does nothing.
	DryRun bool `json:"dry_run"`
	// Prune removes from Discord the commands of plugins whose files are gone.
	Prune bool `json:"prune"`
	// Reidentify lets sessions with further intents take the place of those that
	// run, where a plugin's new events need them; that costs an IDENTIFY a shard.
	Reidentify bool `json:"reidentify"`
	// Asker is any word by which who asks finds the own reload in Status.DoingFor.
	// It goes beside the body, which older hosts would refuse for it.
	Asker string `json:"-"`
}

// ReloadReport is what a reload has done, or would do.
type ReloadReport struct {
	Steps []ReloadStep `json:"steps"`
	// Commands is a sentence on what became of the application commands, or would
	// after a dry run; "" if nothing did.
	Commands string `json:"commands,omitempty"`
	// Sessions is a sentence on what became of the gateway sessions, SessionsError
	// why they could not be replaced; "" if there was no need.
	Sessions      string `json:"sessions,omitempty"`
	SessionsError string `json:"sessions_error,omitempty"`
}

// ReloadStep is what a reload does with one plugin.
type ReloadStep struct {
	// Plugin is the manifest's name; "" if the file has never told it.
	Plugin string `json:"plugin"`
	File   string `json:"file"`   // its path
	Action string `json:"action"` // one of the Action constants
	Result string `json:"result"` // one of the Result constants, or ""
	// Detail is the reason with its remedy, for a person.
	Detail string `json:"detail,omitempty"`
	// PauseMS is how long the plugin's events waited between the two generations,
	// in milliseconds; 0 if they did not.
	PauseMS float64 `json:"pause_ms"`
	// Generation is the one that runs after the step; 0 if none does.
	Generation int `json:"generation"`
}

// OK tells whether the step is done, or had nothing to do. A result that only a
// newer host knows is none of both.
func (s ReloadStep) OK() bool {
	switch s.Result {
	case "", ResultDone, ResultPlanned:
		return true
	default:
		return false
	}
}
