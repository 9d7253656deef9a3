// Package control is the operator's door into a running host: HTTP over a unix
// socket, and the client for it.
//
//	GET  /v1/status          the [Status] as JSON
//	POST /v1/reload          takes [ReloadOptions] as JSON, answers with a [ReloadReport]
//	POST /v1/shard/restart   takes a [ShardRestart] as JSON, tells its [Progress]
//	POST /v1/reshard         takes a [Reshard] as JSON, tells its [Progress]
//
// A request that the host turns down is answered 409 with its reason as text, one
// that cannot be read 400. Progress is JSON, a line for each step as it is taken;
// the last one says that all is done, or what went wrong.
//
// Reloads, and what is done with shards, take as long as they need. They are not cut by a
// time-out here, and they go on when the operator goes away: half a plan is worse
// than a whole one that nobody watches. Then the log tells how it went.
//
// Who may open the socket may ask: it is 0600 in a private folder that the host
// gives, so that only the host's user and root can. There is no other check.
//
// Ownership: [Server.Serve] runs in its caller's goroutine and starts one that
// accepts; it returns when that one has ended and nothing lasting is under way any more. The
// package has no channel of its own but the one on which that goroutine reports
// its end.
package control
