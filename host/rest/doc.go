// Package rest is the gate: the one way by which Holdfast and its plugins send requests to Discord.
//
// The gate holds the bot's token and puts it on requests to one base URL only. It learns Discord's buckets from the
// headers of the answers, spends the global budget ahead of time, lets interactions pass first, waits 429s out,
// repeats what may be repeated, and is fair between callers (a plugin, or the host itself).
//
// # How a request travels
//
//	Do ─ check ─ admit ─> lane ──grant──> attempt ──> settle ─┬─> answer
//	                       ^                                  │
//	                       └───────── once more ──────────────┘
//
// A bucket is what Discord counts together: the value of X-RateLimit-Bucket and the top-level resource (a channel, a
// guild, or a webhook with its token). As long as the value is unknown, the route's template stands for it. A lane is
// what one caller has waiting in one bucket, oldest first; writes of a lane are under way one at a time, so that they
// arrive in the order in which they were asked for. A bucket is in one of three conditions:
//
//	            answer with limits
//	probing ──────────────────────────> counted (remaining, reset)
//	   ^ │                                 │
//	   │ └─ answer without limits ─> free  │
//	   └──────────── reset passed ─────────┘
//
// While probing, one request at a time goes through: a new window begins with one request whose answer tells where the
// bucket stands, which is why a limit that Discord lowers costs one 429 and not as many as the old limit allowed.
//
// # The ledger of invalid requests
//
// Discord bans an address for 10,000 answers of 401, 403 or 429 (but for scope shared) in ten minutes. The ledger counts
// them for all and for each caller, and takes away what may be sent step by step:
//
//	of the limit    one caller                         all callers
//	10 %            no repeats of what was refused
//	25 %            only interactions and fresh reads
//	45 %            nothing
//	50 %                                               only interactions and fresh reads
//	90 %                                               nothing
//
// What is under way counts as if it were refused when it is asked whether one more may go: it never brings a ban by itself.
// A fresh read is one whose path was not refused within the window. A caller has half of what all have, so that one that
// goes wrong is stopped before it stops the others. What counts is handed to [Config.Remember], and so are webhooks that
// are gone and Cloudflare's ban: a gate that gets it back goes on as if it were the same.
//
// # Goroutines and channels
//
// The gate has no goroutine of its own. Waiting happens in the goroutine that called Do, under its context. What is
// granted is decided in schedule, which runs under the gate's lock whenever something changed: a request came, an
// answer came, or the gate's one timer fired. A ticket's ready channel is sent to by schedule only; the gate's halt
// channel is closed once, by Close or by the first answer that says that the token is refused.
package rest
