// Package cache is the guild cache: guilds loaded on demand, kept true by
// events, kept while they are active, bounded in bytes, behind a guard against
// mass events.
//
// A guild is Discord's JSON in parts (the guild with roles, emojis and stickers
// inside; channels; active threads; the bot's own member), and only those that
// somebody has wanted. A [Snapshot] is immutable; an event makes the next one,
// with the next version of one counter for the whole cache, and so do parts that
// are added.
//
//	Guild ── hit: all wanted parts are there ───> Snapshot
//	  └─ miss ─> record? ─> guard ─> load (of the missing parts, at most 4 requests,
//	                │         │         │  one for all who wait)
//	                │         │         ├─ events of the meantime on top, in order
//	                └─ reason ┘         └─ entry: pinned ─> resident ─> gone
//	Apply ─┬─ changes nothing: touch
//	       └─ changes: onto the parts that are there, and into the load under way
//
// A guild has one load at a time. Who wants parts that it does not bring gets the
// next one, which begins when it has ended. What fails leaves the parts that are
// there alone.
//
// # New sessions and outages
//
// READY lists guilds that Discord then sends one by one, as GUILD_CREATE. Until
// then they are awaited: nobody asks for them, and what is held of one is not
// read, as it may be older than the session. Who wants one waits, for the timeout
// of a load at most. Its GUILD_CREATE is kept if somebody waits, if it replaces
// what is held, or if Options.Warm says so; else it costs next to nothing. A guild
// in an outage is awaited likewise. After a start that resumes sessions no READY
// comes: Resumed tells their guilds. They are not awaited, as most do not come, but
// what comes of them is kept no more than of those. Any other guild that comes
// unawaited is one that the bot has joined, and is kept.
//
//	READY, GUILD_DELETE unavailable ──> awaited ─┬─ GUILD_CREATE ──────> kept, or not there
//	                                             ├─ GUILD_DELETE ──────> removed
//	                                             └─ not in a new READY ─> removed
//
// # People and fields
//
// What Options.People names of other members hangs on an entry beside its
// snapshot, is charged to it and goes with it; it makes no new version. It comes
// from GUILD_CREATE, events and answers to Member. Options.Keep drops fields on
// every way in.
//
// # How it is held
//
// Each part is packed by itself (zstd with a dictionary): a guild of 25 KB is
// held in 6 KB with all that it costs, which is what it is charged. An event
// unpacks only the parts that it may touch. A large one that it changes stays raw
// until it has not changed for a second, so that a burst packs it once; at most an
// eightieth of the cache's bytes is raw. Events that change nothing, and reads that
// find the version they know, unpack none.
//
// # An entry's life
//
//	pinned    in the overlay; ristretto has not taken it, or not at its new size
//	resident  in ristretto, found by Get
//	gone      evicted, rejected, idle, removed: its charge is 0, everyone takes it for a miss
//
// Ristretto admits, evicts and expires; it may drop or refuse what is put, late
// and in silence. So what it holds is a pointer whose snapshot is swapped
// inside, and a new or grown entry stays in the overlay until a read has shown
// that ristretto has it. An entry is charged what it holds and a little more;
// when it outgrows that it is deleted and set anew, because an update that
// grows would break the bound. Bytes in the overlay are bounded too, so that
// all together stays below 1.05 times the bound.
//
// # The guard
//
// A load needs a token (5 a second, 10 after a quiet time) and a place (4 run
// at once). Events of kinds that come in masses leave the last tokens and a
// place to all else and never wait; what else finds no token waits a second for
// one. A guild whose load failed is backed off, twice as long each time; when
// many fail, whatever their guilds, the breaker lets none through for a while,
// then one at a time. What is refused costs no request: Guild says why at once.
// Nor does a guild that the bot is known to be outside of (Options.Membership), so
// that wrong ids from users keep no other guild away.
//
// # Goroutines and locks
//
// The keeper is the only goroutine that writes to ristretto: entries queue up
// for it (each at most once), it puts, removes and re-arms them, waits until
// ristretto has worked that off, and looks. Close waits for it. Each load has a
// goroutine and, after its first request, one for each further part; Close
// cancels and waits for them. A load closes its own done channel. Raw parts
// are packed by a timer's function; Close waits for it. Who waits for a GUILD_CREATE
// has no goroutine but a timer. Each member that is asked for has a goroutine; Close
// cancels and waits for it.
//
// A shard's lock guards its loads, its overlay, its records, what is awaited and
// asked for, and the people of its entries. It is held for
// every change, so that an event meets the load, the overlay or ristretto and
// never falls between them; a hit and a touch take no lock. Ristretto's
// callbacks take none of these: they run while others wait for ristretto. They
// take the index's, which is held for a moment and by nobody who waits. Order:
// shard, then guard, keeper or raws, then index.
package cache
