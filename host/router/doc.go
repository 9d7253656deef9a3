// Package router takes events from the gateway's sessions to the plugins that
// ask for them, interactions to the plugin that owns them, and the plugins'
// application commands to Discord.
//
// One goroutine, the caller of Run, routes all events, so that each plugin
// gets a shard's events in the order in which Discord sent them:
//
//	sessions ─> batch ─> cache (Apply) ─> journal ─> plugins (Deliver)
//	                                         └─> sessions (Ready, Handled)
//
// A batch is what has come while the last one was routed; its events are
// journaled with one write. Plugins never make the router wait. Only the disk
// can; then its channel fills, and the sessions stop reading and go on beating.
//
// [Interactions] has every interaction in hand, from its arrival on: timers of its
// own defer what no plugin answers within 2 s, and the plugins' answers pass it on
// their way to Discord. What it sends by itself has a goroutine each, at most 64
// under way, which Interactions.Close waits for.
package router
