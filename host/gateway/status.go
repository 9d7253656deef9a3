package gateway

import (
	"sync/atomic"
	"time"
)

// State is what a session is doing.
type State int32

// The states of a session; doc.go draws what leads from one to the next.
const (
	StateStopped     State = iota // not running
	StateWaiting                  // between connections
	StateQueued                   // waiting for its turn to identify
	StateConnecting               // dialing, until HELLO
	StateIdentifying              // IDENTIFY sent, READY not yet here
	StateResuming                 // RESUME sent, missed events coming
	StateReady                    // READY or RESUMED received
	StateRefused                  // Discord wants more shards: closed until there are
)

func (s State) String() string {
	switch s {
	case StateStopped:
		return "stopped"
	case StateWaiting:
		return "waiting"
	case StateQueued:
		return "queued"
	case StateConnecting:
		return "connecting"
	case StateIdentifying:
		return "identifying"
	case StateResuming:
		return "resuming"
	case StateReady:
		return "ready"
	case StateRefused:
		return "refused"
	}
	return "unknown"
}

// ShardStatus is a moment of one session's life.
type ShardStatus struct {
	Shard int
	State State
	// Seq is the last event received, Handled the last that the router reported.
	Seq, Handled uint64
	// Latency is the time from the last heartbeat to its ACK, 0 while unknown.
	Latency time.Duration
	// Connections, Identifies and Resumes count websockets opened, IDENTIFYs
	// sent and sessions taken up again; Lost counts sessions that could not be. Those of an
	// earlier process count too: one that is resumed has Identifies 0.
	Connections, Identifies, Resumes, Lost uint64
	// Gaps counts sequence numbers that never came although their session went on.
	Gaps uint64
}

// gauges are a session's published numbers; it alone writes them.
type gauges struct {
	state, seq, latency                    atomic.Int64
	connections, identifies, resumes, lost atomic.Uint64
	gaps                                   atomic.Uint64
}

func (g *gauges) snapshot(shard int, handled uint64) ShardStatus {
	return ShardStatus{
		Shard: shard, State: State(g.state.Load()), Seq: uint64(g.seq.Load()), Handled: handled,
		Latency: time.Duration(g.latency.Load()), Connections: g.connections.Load(),
		Identifies: g.identifies.Load(), Resumes: g.resumes.Load(), Lost: g.lost.Load(), Gaps: g.gaps.Load(),
	}
}
