package host

import (
	"os"
	"strconv"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/state"
	"github.com/holdfast-bot/holdfast/plugins"
)

// Status is what the host does now; it is for any goroutine, also while Run
// is still building.
func (h *Host) Status() control.Status {
	h.mu.Lock()
	owner, gate, set, route, sessions, dir, phase := h.bot, h.gate, h.plugins, h.router, h.sessions, h.stateDir, h.phase
	guilds, kept, budget, answers, doing, doingFor := h.guilds, h.kept, h.budget, h.answers, h.doing, h.doingFor
	h.mu.Unlock()
	out := control.Status{
		Version:       Version(),
		Phase:         phase,
		Doing:         doing,
		DoingFor:      doingFor,
		PID:           os.Getpid(),
		Started:       h.started,
		UptimeSeconds: time.Since(h.started).Seconds(),
		StateDir:      dir,
		PluginsDir:    h.config.Settings.PluginsDir,
		Process:       processStatus(),
		CommandSync:   h.syncs.status(),
		Shards:        []control.Shard{},
		Plugins:       []control.Plugin{},
	}
	if owner != nil {
		out.Bot = &control.User{
			ID: strconv.FormatUint(owner.id, 10), Name: owner.name,
			ApplicationID: strconv.FormatUint(owner.applicationID, 10),
		}
	}
	if sessions != nil {
		out.Shards = shards(sessions.delivering())
		if next := sessions.beside(); next != nil {
			out.Beside = shards(next)
		}
	}
	if budget != nil {
		out.Identifies = budget.status()
	}
	if route != nil {
		counts := route.Status()
		out.Events.Received, out.Events.Delivered = counts.Received, counts.Delivered
	}
	if set != nil {
		for _, p := range set.Status() {
			out.Plugins = append(out.Plugins, pluginStatus(p))
			for name, n := range p.Dropped {
				if out.Events.DroppedByName == nil {
					out.Events.DroppedByName = make(map[string]uint64)
				}
				out.Events.DroppedByName[name] += n
				out.Events.Dropped += n
			}
		}
	}
	if kept != nil {
		events := kept.journal.events
		out.Journal = &control.Journal{Bytes: events.Bytes(), LimitBytes: int64(h.config.Settings.JournalBytes), Oldest: events.Oldest()}
		switch {
		case h.config.Settings.Journal != "disk":
			out.Journal.InMemory = control.MemoryAsSet
		case events.Fallen():
			out.Journal.InMemory = control.MemoryForNow
		}
	}
	if answers != nil {
		out.Interactions = interactionsStatus(answers.Status())
	}
	if guilds != nil {
		out.Cache = guilds.Status()
	}
	if gate != nil {
		out.REST = restStatus(gate)
	}
	return out
}

func shards(set *sessionSet) []control.Shard {
	out := []control.Shard{}
	for _, s := range set.set.Status() {
		out = append(out, shardStatus(s, set.saved.guilds.count(s.Shard)))
	}
	return out
}

func shardStatus(s gateway.ShardStatus, guilds *int) control.Shard {
	limit := 0
	if guilds != nil && *guilds >= manyShardGuilds {
		limit = maxShardGuilds
	}
	return control.Shard{
		Shard: s.Shard, State: s.State.String(), Seq: s.Seq, Guilds: guilds, GuildLimit: limit,
		LatencyMS:   float64(s.Latency.Microseconds()) / 1000,
		Connections: s.Connections, Identifies: s.Identifies, Resumes: s.Resumes, Lost: s.Lost, Gaps: s.Gaps,
	}
}

func pluginStatus(p plugins.Status) control.Plugin {
	out := control.Plugin{
		Name: p.Name, Version: p.Version, File: p.File, State: string(p.State), Generation: int(p.Generation), PID: p.PID,
		Events: p.Events, Queued: p.Queued, QueuedBytes: p.QueuedBytes, Behind: p.Behind, InFlight: p.InFlight,
		Delivered: p.Delivered, Acked: p.Acked, Redelivered: p.Redelivered,
		Errors: p.Errors + p.Deadlines + p.Unreadable, Restarts: p.Restarts,
		DeadLetters: p.DeadLetters, Unlogged: p.Unlogged, ReloadResult: string(p.ReloadResult), ReloadDetail: p.ReloadDetail, ReloadAt: p.ReloadAt,
		Commands: p.Commands, LastError: p.LastError, LastErrorAt: p.LastErrorAt,
	}
	for _, n := range p.Dropped {
		out.Dropped += n
	}
	return out
}

func runtimeOf(socket string, started time.Time) state.Runtime {
	return state.Runtime{PID: os.Getpid(), Socket: socket, Started: started}
}
