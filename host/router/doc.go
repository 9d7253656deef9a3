// Package router takes events from the gateway's sessions to the plugins that
// ask for them, interactions to the plugin that owns them, and the plugins'
// application commands to Discord.
//
// One goroutine, the caller of Run, routes all events, so that each plugin
// gets a shard's events in the order in which Discord sent them. The router
// blocks only where a plugin's Deliver does; when its own channel is full the
// sessions stop reading and go on beating. Answers to interactions that no
// plugin takes are sent by at most 16 goroutines that Run waits for.
package router
