// Package host is the long-running process: it builds the rooms of the house,
// runs them, and closes them in reverse. It can be embedded: Config, New, Run.
//
//	state ─ gate ─ plugins ─ commands ─ sessions ─ router ─ control
//
// Run's goroutines are the sessions', the router's and the control server's;
// Run waits for all of them. Gateway commands of plugins have one for each
// presence and each request for members that is on its way (gatewayCalls), which
// end with the sessions. Sessions are replaced by others side by side (Reshard,
// and a reload that needs more intents): sessionSets runs the sets and lets the
// router's goroutine decide between two events which of them delivers. Events flow from the sessions through one bounded
// channel to the router, which the host closes when the last session has
// ended; then the plugins finish what they hold, and stop.
package host
