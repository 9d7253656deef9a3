package control

import (
	"context"
	"net/http"
	"time"
)

// Commands are the application commands that are registered with Discord, and
// those that plugins declare.
type Commands struct {
	// Commands are sorted by guild, type and name. Guilds in which nothing was ever
	// declared are not asked for.
	Commands []Command `json:"commands"`
	// Mode is the setting commands: merge, exclusive or off.
	Mode string `json:"mode"`
	// DevGuild is the only guild that is looked at, by the setting dev_guild; "" if
	// there is none.
	DevGuild string `json:"dev_guild,omitempty"`
	// Errors are sentences about what could not be read.
	Errors []string `json:"errors,omitempty"`
}

// Command is one of them.
type Command struct {
	Guild string `json:"guild,omitempty"` // its id; "" for a global command
	Type  int    `json:"type"`            // Discord's: 1 chat input, 2 user, 3 message, 4 entry point
	Name  string `json:"name"`
	// Plugin declares it, or did when it was registered; "" if none did.
	Plugin string `json:"plugin,omitempty"`
	// Registered says that Discord has it.
	Registered bool `json:"registered"`
	// Foreign says that it was not this host that registered it.
	Foreign bool `json:"foreign"`
	// Action is what a sync would do: keep, add, change, take over (a foreign one
	// that a plugin declares), adopt (the same, but it is registered as declared
	// already, so nothing is written), remove, foreign (nothing), unknown (see Fault) or wait (for a reload with
	// prune, because its plugin is gone or does not run).
	Action string `json:"action"`
	// Differs names the fields that a change would change.
	Differs []string `json:"differs,omitempty"`
	// Stopped says of a command that waits that its plugin's file is there: it only
	// does not run.
	Stopped bool `json:"stopped,omitempty"`
	// Fault is why Discord does not say whether it has the command: the bot is not in
	// that guild (then the action is add), or Discord could not be asked (unknown).
	Fault string `json:"fault,omitempty"`
}

// CommandSync is a sync of the application commands that has failed.
type CommandSync struct {
	Error string `json:"error"`
	// Attempts is how many have failed one after another.
	Attempts int `json:"attempts"`
	// Next is when it is tried again; nil if only the next reload or start does.
	Next *time.Time `json:"next,omitempty"`
}

// GetCommands asks the host behind the control socket for the application
// commands. The host asks Discord, once for each scope. The error wraps
// [ErrNotRunning] if there is no host. It waits as long as ctx allows.
func GetCommands(ctx context.Context, socket string) (Commands, error) {
	var commands Commands
	err := ask(ctx, socket, http.MethodGet, "/v1/commands", http.NoBody, &commands)
	return commands, err
}

// commands answers an operator who wants to see them. It ends with him, and with
// the server.
func (s *Server) commands(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	s.works.RLock()
	defer s.works.RUnlock()
	asked, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	commands, refusal := s.source.Commands(asked)
	// Discord may have taken its time: the time-out of the answer begins anew.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		s.log.Warn("answer about the commands may be cut", "error", err)
	}
	if refusal != nil {
		http.Error(w, refusal.Error(), http.StatusConflict)
		return
	}
	s.answer(w, commands)
}
