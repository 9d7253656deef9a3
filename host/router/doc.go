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
// Answers to interactions that no plugin takes are sent by at most 16 goroutines
// that Run waits for.
package router
