package control

import "time"

// Status is what a host says of itself, at one moment. Counters count from the
// start of the host. Snowflakes are strings, as in Discord's JSON.
type Status struct {
	Version string `json:"version"`
	// Phase is starting, running or stopping; "" from a host that does not say.
	Phase         string    `json:"phase"`
	PID           int       `json:"pid"`
	Started       time.Time `json:"started"`
	UptimeSeconds float64   `json:"uptime_seconds"`
	StateDir      string    `json:"state_dir"`
	PluginsDir    string    `json:"plugins_dir"`
	// Bot is nil until Discord has told who the token belongs to.
	Bot *User `json:"bot"`
	// Doing is what keeps a reload waiting, or lasts, at this moment; "" for nothing.
	Doing string `json:"doing,omitempty"`
	// DoingFor is the Asker of the reload that Doing is about; "" for none.
	DoingFor string  `json:"doing_for,omitempty"`
	Shards   []Shard `json:"shards"`
	// Beside are new sessions that shall take the place of Shards, while that goes on.
	Beside  []Shard  `json:"beside,omitempty"`
	Plugins []Plugin `json:"plugins"`
	// Identifies is nil until Discord has told how many it allows.
	Identifies *Identifies `json:"identifies,omitempty"`
	REST       REST        `json:"rest"`
	Events     Events      `json:"events"`
	Process    Process     `json:"process"`
	// Journal and Cache are nil until they are open.
	Journal *Journal `json:"journal,omitempty"`
	Cache   *Cache   `json:"cache,omitempty"`
	// Interactions is nil until plugins are loaded.
	Interactions *Interactions `json:"interactions,omitempty"`
	// CommandSync is nil unless the last sync of the application commands failed.
	CommandSync *CommandSync `json:"command_sync,omitempty"`
}

// User is the bot's account and application.
type User struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	ApplicationID string `json:"application_id"`
}

// Shard is one gateway session.
type Shard struct {
	Shard int    `json:"shard"`
	State string `json:"state"`
	Seq   uint64 `json:"seq"`
	// Guilds is null while the number is not known: a session that was resumed from
	// before the host's start brings no list of them, and none may have been kept.
	Guilds *int `json:"guilds"`
	// GuildLimit is how many guilds Discord allows a shard; 0 while Guilds is below
	// four fifths of that.
	GuildLimit int `json:"guild_limit,omitempty"`
	// LatencyMS is the time from the last heartbeat to its ACK, in milliseconds; 0
	// until the first.
	LatencyMS   float64 `json:"latency_ms"`
	Connections uint64  `json:"connections"`
	Identifies  uint64  `json:"identifies"`
	Resumes     uint64  `json:"resumes"`
	Lost        uint64  `json:"lost"` // sessions that could not be resumed
	// Gaps counts events whose numbers Discord left out of a session that went on.
	Gaps uint64 `json:"gaps"`
}

// Identifies is how often the bot may still identify: Discord resets the token of
// one that has spent all of a day's IDENTIFYs. Resuming a session needs none.
type Identifies struct {
	Total     int       `json:"total"`
	Remaining int       `json:"remaining"`
	Reset     time.Time `json:"reset"` // when Remaining is Total again
	// Reserve is what the host never spends.
	Reserve int `json:"reserve"`
	// Waiting counts the shards that must identify and wait until Until.
	Waiting int       `json:"waiting"`
	Until   time.Time `json:"until,omitzero"`
}

// Plugin is one plugin and its running instance.
type Plugin struct {
	Name       string   `json:"name"`
	Version    string   `json:"version,omitempty"`
	File       string   `json:"file"`
	State      string   `json:"state"`
	Generation int      `json:"generation"`
	PID        int      `json:"pid"`      // 0 while no instance runs
	Events     []string `json:"events"`   // the event names it asks for
	Commands   int      `json:"commands"` // how many application commands it has
	// Queued events wait in the host, InFlight ones are with the plugin and not yet
	// acknowledged.
	Queued int `json:"queued"`
	// Behind counts the events that wait in the journal, beside those.
	Behind      uint64 `json:"behind,omitempty"`
	QueuedBytes int    `json:"queued_bytes"`
	InFlight    int    `json:"in_flight"`
	Delivered   uint64 `json:"delivered"`
	Acked       uint64 `json:"acked"`
	Redelivered uint64 `json:"redelivered"`
	// Dropped events were away from the plugin for too long, DeadLetters crashed it each
	// time that they were alone with it.
	Dropped     uint64 `json:"dropped"`
	DeadLetters uint64 `json:"dead_letters"`
	Errors      uint64 `json:"errors"` // handlers that returned an error
	Restarts    int    `json:"restarts"`
	// Unlogged counts the lines that it printed or logged beyond what the host's log
	// takes of a plugin.
	Unlogged uint64 `json:"unlogged,omitempty"`
	// ReloadResult and ReloadDetail are those of the plugin's last reload while that was
	// not done, and ReloadAt is when; empty after one that was.
	ReloadResult string    `json:"reload_result,omitempty"`
	ReloadDetail string    `json:"reload_detail,omitempty"`
	ReloadAt     time.Time `json:"reload_at,omitzero"`
	// LastError stays after the plugin has recovered from it; LastErrorAt tells
	// how old it is.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

// REST counts what passed the gate.
type REST struct {
	Requests uint64 `json:"requests"`
	Limited  uint64 `json:"limited"` // answers 429
	// Invalid counts the answers that Discord counts against the bot's address
	// within the last ten minutes.
	Invalid uint64 `json:"invalid"`
	Queued  int    `json:"queued"`
	// InvalidLimit is the number of Invalid at which Discord bans; 0 before the gate is open.
	InvalidLimit int `json:"invalid_limit,omitempty"`
	// Standing says what all callers together may still do: good; repeats stopped (what
	// Discord has refused is not sent again); writes stopped (only interactions, and reads
	// that were not refused, go on); stopped.
	Standing string   `json:"standing,omitempty"`
	Callers  []Caller `json:"callers,omitempty"`
	// PausedUntil is when requests go on, zero if they do; Banned says that it is
	// Cloudflare who makes them wait.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	Banned      bool      `json:"banned,omitempty"`
	// Stopped says why nothing is sent any more, "" if it is not so.
	Stopped string `json:"stopped,omitempty"`
}

// Caller is who sends requests: a plugin by its name, "host", "guild cache", or what
// uses the REST proxy.
type Caller struct {
	Name     string `json:"name"`
	Requests uint64 `json:"requests"` // that Discord answered
	Limited  uint64 `json:"limited"`
	Invalid  int    `json:"invalid"` // of the last ten minutes
	// Stopped counts the requests that were not sent because so many were invalid.
	Stopped uint64 `json:"stopped"`
	Queued  int    `json:"queued"`
	// Standing is what this one may still do, as in REST.
	Standing string `json:"standing"`
	// Route is that of the last invalid request, without ids.
	Route string `json:"route,omitempty"`
}

// Process is what the host itself takes of its machine; its plugins are
// processes of their own.
type Process struct {
	Goroutines int `json:"goroutines"`
	// OpenFiles counts files, sockets and pipes, the one of whoever asks among
	// them; 0 where the system does not tell.
	OpenFiles int `json:"open_files"`
	// MemoryBytes is the resident memory, shared pages included; 0 where the
	// system does not tell.
	MemoryBytes int64 `json:"memory_bytes"`
}

// Events counts what came from the gateway and what became of it.
type Events struct {
	Received  uint64 `json:"received"`
	Delivered uint64 `json:"delivered"`
	Dropped   uint64 `json:"dropped"` // by all plugins together
	// DroppedByName splits Dropped by event name.
	DroppedByName map[string]uint64 `json:"dropped_by_name,omitempty"`
}

// Journal is the events that are kept until they are handled.
type Journal struct {
	Bytes      int64 `json:"bytes"`
	LimitBytes int64 `json:"limit_bytes"`
	// Oldest is when the oldest of them came; zero: there is none.
	Oldest time.Time `json:"oldest,omitzero"`
	// InMemory is "" while the journal is on the disk, else one of the Memory constants.
	InMemory string `json:"in_memory,omitempty"`
}

// Why the journal is in memory.
const (
	MemoryAsSet  = "as set"
	MemoryForNow = "the disk takes nothing" // all that is not handled is lost if the host ends
)

// Cache is the guild cache.
type Cache struct {
	Guilds     int64  `json:"guilds"`
	Bytes      int64  `json:"bytes"`
	LimitBytes int64  `json:"limit_bytes"`
	Hits       uint64 `json:"hits"`
	Misses     uint64 `json:"misses"`
	Loads      uint64 `json:"loads"`
	Failed     uint64 `json:"failed"` // of these loads
	// Missing is how often a guild was not to be had, by reason: removed, outage,
	// forbidden, failed, backing off, guard open, refused, timeout, memory, closed.
	Missing map[string]uint64 `json:"missing,omitempty"`
	Evicted uint64            `json:"evicted"` // gone for room
	Expired uint64            `json:"expired"` // gone for want of activity
	// Rejected counts the guilds that were loaded and not kept for want of room.
	Rejected uint64 `json:"rejected,omitempty"`

	Loading    int `json:"loading,omitempty"`    // loads under way or in line
	Awaited    int `json:"awaited,omitempty"`    // guilds that Discord is still to send
	Remembered int `json:"remembered,omitempty"` // guilds whose failures are remembered
	// Guard is closed while all is well, open while too many loads fail or requests
	// are held back, and half-open while one tries.
	Guard      string    `json:"guard"`
	GuardUntil time.Time `json:"guard_until,omitzero"` // while it is open; zero: while requests are held back
	Tokens     float64   `json:"tokens"`               // loads that may begin now
}
