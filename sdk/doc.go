// Package sdk is what authors of Holdfast plugins import. A plugin is a program
// of its own: it registers handlers for events and commands, and runs.
//
//	func main() {
//		p := sdk.New("hello")
//		p.Command(&disgo.CreateGlobalApplicationCommand{Name: "ping", Description: disgo.Pointer("Replies with pong.")}, ping)
//		sdk.On(p, greet)
//		p.Run()
//	}
//
// On takes disgo's event types, OnAs any type, OnRaw none: Discord's bytes.
// Requests are disgo's, sent with bot.Client, or with Send and SendOnly under a
// context of their own; Bot.Do sends what disgo does not know. They travel
// through the host, which alone holds the token and keeps the rate limits.
//
// # Order and concurrency
//
// Events of one guild are handled one after another in Discord's order; so are
// those of one channel in direct messages, and those of a shard that belong to
// neither. Different guilds are handled in parallel, and interactions at once,
// beside everything. What handlers of different guilds share needs a mutex.
// Handlers of one event run in the order of their registration, and only when
// all have returned is the event acknowledged. A handler has 30 s (the host's
// setting): then its context ends, and 5 s later its event is given up as
// failed and its guild goes on without it. Work that may take longer belongs
// into a goroutine with a detached bot (Bot.Detach).
//
// An event whose acknowledgement is missing when the plugin ends is delivered
// again to the next process, with Bot.Redelivered set.
//
// # Interactions
//
// Command, Component and Modal register who answers commands, buttons and select
// menus, and modals; Autocomplete who suggests values. The answer is what the
// handler returns: Text, Embeds, ShowModal or RawReply. Discord wants one within
// 3 s. Authors need not care: at 2 s the host defers, and sends what comes later as
// the edit or follow-up that Discord takes then (Deferral says what users see
// meanwhile). An answer is given once: a second one is an error. An error of a
// handler becomes a short apology with a reference that is in the log, too.
//
// # Guilds
//
// The host keeps the guilds that are active: roles, emojis, channels, active
// threads and the bot's own member, kept true by Discord's events. Bot.Guild
// reads one; WithGuild has it loaded before the handler runs. A guild is as it
// was at the event that is being handled, or newer. When thousands join or
// leave, guilds are not loaded for that: Bot.Guild returns a *GuildError, and
// the handler goes on without the guild. Guilds are shared by all handlers:
// they are read, never changed.
//
// A guild has four parts (Part), and only those that somebody names are loaded:
// Bot.Role takes the guild itself, Bot.Channel its channels and threads,
// Bot.Permissions all that Discord's algorithm needs, Bot.Guild everything if
// nothing is named. The plugin keeps copies, by parts and versions: what has not
// changed is neither sent nor decoded again. Bot.Member reads one member: the
// bot's own and those that the host keeps from its cache, others by a request.
//
// # The gateway
//
// Bot.SetPresence sets what users see of the bot, Bot.SetVoiceState lets it join
// voice channels, Bot.RequestMembers asks for a guild's members. The host sends
// them on the right session and keeps Discord's limits.
//
// # Reloads
//
// A new build of a plugin takes over while its host runs on: the old process
// gets nothing more and its handlers return, the new one starts and gets what
// follows. What the old one has in memory goes along if the plugin says what:
// Plugin.State, or Plugin.SaveRestore for a form of its own.
//
//	old: SaveState ──> new: RestoreState ──> old: Stop ──> new: Start, OnStart, events
//
// No handler runs while the state is saved or restored. What else a plugin has
// running is its own to stop or to lock out. When the host itself is stopped in
// order the state is kept, and restored in the first process after its next
// start.
//
// # Inside
//
//	stream ── receive ── push ──> lane ── handle ──> acks ── send ── stream
//	            (Events)           │ run, one goroutine a busy lane
//	                               └ watch gives up on handlers that hang
//
// Events's own goroutine receives frames and puts each event into its lane. A
// lane has a goroutine (delivery.run) while it has events; an interaction is a
// lane of its own. One goroutine sends acknowledgements (acks.send), one looks
// for handlers that hang (delivery.watch); Events waits for these two, Stop and
// Close wait for the lanes. The channels: acks.wake and the idle and flushed
// channels of those who wait, each closed by the one who empties what it
// guards; Server.ended is closed by Events. A read of a guild that must ask the
// host has a goroutine (guildReader.join), which closes the channel of those who
// wait for it; it ends with the last of them or with the line, whose close waits
// for it. How much is in flight is bounded by the host's credit. SaveState and
// RestoreState run the plugin's functions on the goroutines of their calls, one
// at a time. Run adds a goroutine that ends the process when the stream has
// ended or the parent is gone.
package sdk
