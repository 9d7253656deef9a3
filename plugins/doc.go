// Package plugins runs the plugins of a folder: it stages their files, starts
// their processes, carries events to them and takes their acknowledgements,
// and starts them again when they crash.
//
// Three sizes of noun: a Set is all plugins of the folder, a Plugin is one
// program over all its processes, an instance is one of those processes.
//
//	Set ── Plugin ── instance ── link ── process   (go-plugin: launch.go)
//	          │          ├────── services          (host services: services.go)
//	          └─ queue ──┘ event stream            (queue.go, instance.go)
//
// A Plugin's states:
//
//	starting ──> running ──> waiting ──> starting …   (crash, pause, again)
//	    │           └──────> stopped                  (Close)
//	    └──> failed                                   (first start, or refused)
//
// Goroutines: Set.Run starts one a plugin (Plugin.run), which owns the plugin's
// instances one after another and one goroutine that reads the journal
// (queue.refill); each instance has four while it is served (instance.serve waits
// for them), one that waits for its process (process.reap) and its services'
// server. A lane, or an interaction, that waits for its guild has one for at most
// 3 s (queue.park, queue.hold; queue.close ends and waits for them). All processes
// are started by one goroutine that keeps its thread (starter), and watched by a
// small shell that outlives the host by a moment (guardian). Set.Close waits for
// all of them.
//
// An event's way through a queue:
//
//	push ─┬─ room ───────────────> lane ─ guild? ─ credit ─> in flight ─ ack ─> cursor
//	      └─ none ─> journal ─ refill ─┘                        │
//	                                        redeliver <─ crash ─┘
//
// The queue outlives instances: what a crashed one had not acknowledged goes
// first to the next, marked, one at a time. The journal and the cursor outlive
// the host: what is not acknowledged is read again by the next one, and marked if
// it had been handed to a process. Locks: the queue's is taken before those of
// cache and cursor; refill calls nobody with it but the cursor.
package plugins
