// Package control is the operator's door into a running host: HTTP over a unix
// socket, and the client for it.
//
//	GET /v1/status   the [Status] as JSON
//
// Who may open the socket may ask: it is 0600 in a private folder that the host
// gives, so that only the host's user and root can. There is no other check.
//
// Ownership: [Server.Serve] runs in its caller's goroutine and starts one that
// accepts; it returns when that one and all requests have ended. The package
// has no channel of its own but the one on which that goroutine reports its end.
package control
