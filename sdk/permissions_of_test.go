package sdk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchupcb/disgo"
)

// The sections of Discord's documentation, "Permissions" and "Threads", that say
// what the table has.
const (
	ruleBase      = "compute_base_permissions"
	ruleAdmin     = "compute_base_permissions: administrator"
	ruleOrder     = "Permission Overwrites, steps 1 to 8"
	ruleEveryone  = "Permission Overwrites, steps 3 and 4: @everyone"
	ruleRoles     = "Permission Overwrites, steps 5 and 6: roles"
	ruleMember    = "Permission Overwrites, steps 7 and 8: the member"
	ruleHierarchy = "Permission Hierarchy: otherwise not obeyed"
	ruleImplicit  = "Implicit Permissions"
	ruleThreads   = "Inherited Permissions (Threads)"
	ruleTalk      = "Threads: SEND_MESSAGES has no effect in threads"
	rulePrivate   = "Threads: private threads"
	ruleSyncing   = "Permission Syncing"
	ruleTimeout   = "Permissions For Timed Out Members"
	ruleNumbers   = "permissions are a variable-length integer serialized into a string"
	ruleForum     = "Bitwise Permission Flags: SEND_MESSAGES begins threads in a forum"
)

// Short names for the table.
const (
	view    = PermissionViewChannel
	send    = PermissionSendMessages
	talk    = PermissionSendMessagesInThreads
	read    = PermissionReadMessageHistory
	embed   = PermissionEmbedLinks
	attach  = PermissionAttachFiles
	mention = PermissionMentionEveryone
	tts     = PermissionSendTTSMessages
	connect = PermissionConnect
	speak   = PermissionSpeak
	kick    = PermissionKickMembers
	manage  = PermissionManageChannels
	react   = PermissionAddReactions
	threads = PermissionManageThreads
	admin   = PermissionAdministrator
	extras  = embed | attach | mention | tts
)

const (
	voice        = disgo.FlagChannelTypeGUILD_VOICE
	category     = disgo.FlagChannelTypeGUILD_CATEGORY
	announcement = disgo.FlagChannelTypeGUILD_ANNOUNCEMENT
	stage        = disgo.FlagChannelTypeGUILD_STAGE_VOICE
	forum        = disgo.FlagChannelTypeGUILD_FORUM
	media        = disgo.Flag(16) // newer than disgo
	directory    = disgo.FlagChannelTypeGUILD_DIRECTORY
	newsThread   = disgo.FlagChannelTypeANNOUNCEMENT_THREAD
	publicThread = disgo.FlagChannelTypePUBLIC_THREAD
	privThread   = disgo.FlagChannelTypePRIVATE_THREAD
)

// The cast: guild 100 of user 1, its roles 201, 202 …, of which the member 7 has
// those that the case says, channel 300 and its thread 400.
const (
	everyone = "100"
	owner    = "1"
	member   = "7"
	roleA    = "201"
	roleB    = "202"
	roleC    = "203"
)

func allow(id string, p Permissions) *disgo.PermissionOverwrite {
	return &disgo.PermissionOverwrite{ID: id, Allow: fmt.Sprint(uint64(p)), Deny: "0"}
}

func deny(id string, p Permissions) *disgo.PermissionOverwrite {
	return &disgo.PermissionOverwrite{ID: id, Allow: "0", Deny: fmt.Sprint(uint64(p))}
}

func both(id string, allowed, denied Permissions) *disgo.PermissionOverwrite {
	return &disgo.PermissionOverwrite{ID: id, Allow: fmt.Sprint(uint64(allowed)), Deny: fmt.Sprint(uint64(denied))}
}

type overwrites = []*disgo.PermissionOverwrite

type permissionCase struct {
	name, rule string
	everyone   Permissions   // of @everyone
	roles      []Permissions // of the roles 201, 202 …
	has        []string      // the member's roles
	who        string        // default: the member
	timeout    time.Duration // from now
	atLarge    bool          // in the guild as a whole, else in the channel
	kind       disgo.Flag    // of the channel
	parent     overwrites    // of the channel's category
	overwrites overwrites    // of the channel
	thread     disgo.Flag    // not 0: in a thread of the channel
	want       Permissions
}

func permissionCases() []permissionCase {
	a, ab := []string{roleA}, []string{roleA, roleB}
	return []permissionCase{
		// The base.
		{name: "what @everyone has", rule: ruleBase, everyone: view | send, atLarge: true, want: view | send},
		{name: "nothing at all", rule: ruleBase, atLarge: true, want: 0},
		{name: "a role adds", rule: ruleBase, everyone: view, roles: []Permissions{kick}, has: a, atLarge: true, want: view | kick},
		{name: "roles add up", rule: ruleBase, everyone: view, roles: []Permissions{kick, manage}, has: ab, atLarge: true, want: view | kick | manage},
		{name: "a role that the member lacks adds nothing", rule: ruleBase, everyone: view, roles: []Permissions{kick, manage}, has: a, atLarge: true, want: view | kick},
		{name: "a role without permissions takes nothing", rule: ruleBase, everyone: view | send, roles: []Permissions{0}, has: a, atLarge: true, want: view | send},
		{name: "a role that the guild does not know", rule: ruleBase, everyone: view, has: []string{"999"}, atLarge: true, want: view},
		{name: "the base in a channel without overwrites", rule: ruleOrder, everyone: view | send, roles: []Permissions{react}, has: a, want: view | send | react},
		{name: "the guild as a whole needs no VIEW_CHANNEL", rule: ruleImplicit, everyone: kick | send, atLarge: true, want: kick | send},
		{name: "the guild as a whole keeps what needs SEND_MESSAGES", rule: ruleImplicit, everyone: view | embed, atLarge: true, want: view | embed},

		// Owner and administrators.
		{name: "the owner", rule: ruleBase, who: owner, atLarge: true, want: AllPermissions},
		{name: "the owner in a channel that denies all", rule: ruleBase, who: owner, overwrites: overwrites{deny(everyone, AllPermissions), deny(owner, AllPermissions)}, want: AllPermissions},
		{name: "the owner in a thread", rule: ruleBase, who: owner, thread: publicThread, want: AllPermissions},
		{name: "an administrator through a role", rule: ruleAdmin, everyone: view, roles: []Permissions{admin}, has: a, atLarge: true, want: AllPermissions},
		{name: "an administrator through the second role", rule: ruleAdmin, roles: []Permissions{view, admin}, has: ab, want: AllPermissions},
		{name: "everyone an administrator", rule: ruleAdmin, everyone: admin, want: AllPermissions},
		{name: "an administrator in a channel that denies all", rule: ruleAdmin, roles: []Permissions{admin}, has: a, overwrites: overwrites{deny(everyone, AllPermissions), deny(roleA, AllPermissions), deny(member, AllPermissions)}, want: AllPermissions},
		{name: "a role of administrators that the member lacks", rule: ruleAdmin, everyone: view, roles: []Permissions{admin}, want: view},
		{name: "administrator denied to the role in a channel", rule: ruleAdmin, roles: []Permissions{admin}, has: a, overwrites: overwrites{deny(roleA, admin|view)}, want: AllPermissions},
		{name: "administrator allowed by an overwrite makes none", rule: ruleAdmin, everyone: view, overwrites: overwrites{allow(member, admin)}, want: view | admin},
		{name: "an administrator in a voice channel without CONNECT", rule: ruleAdmin, roles: []Permissions{admin}, has: a, kind: voice, overwrites: overwrites{deny(everyone, connect)}, want: AllPermissions},
		{name: "an administrator in a thread", rule: ruleAdmin, roles: []Permissions{admin}, has: a, overwrites: overwrites{deny(everyone, view)}, thread: privThread, want: AllPermissions},

		// Overwrites, step by step.
		{name: "@everyone denied", rule: ruleEveryone, everyone: view | send, overwrites: overwrites{deny(everyone, send)}, want: view},
		{name: "@everyone allowed", rule: ruleEveryone, everyone: view, overwrites: overwrites{allow(everyone, send)}, want: view | send},
		{name: "@everyone denied and allowed the same", rule: ruleEveryone, everyone: view, overwrites: overwrites{both(everyone, send, send)}, want: view | send},
		{name: "@everyone denied what a role gives", rule: ruleEveryone, everyone: view, roles: []Permissions{send}, has: a, overwrites: overwrites{deny(everyone, send)}, want: view},
		{name: "a role denied", rule: ruleRoles, everyone: view | send, roles: []Permissions{0}, has: a, overwrites: overwrites{deny(roleA, send)}, want: view},
		{name: "a role allowed", rule: ruleRoles, everyone: view, roles: []Permissions{0}, has: a, overwrites: overwrites{allow(roleA, send)}, want: view | send},
		{name: "a role allowed over @everyone denied", rule: ruleRoles, everyone: view | send, roles: []Permissions{0}, has: a, overwrites: overwrites{deny(everyone, send), allow(roleA, send)}, want: view | send},
		{name: "a role denied over @everyone allowed", rule: ruleRoles, everyone: view, roles: []Permissions{0}, has: a, overwrites: overwrites{allow(everyone, send), deny(roleA, send)}, want: view},
		{name: "whatever the order of the list", rule: ruleOrder, everyone: view | send, roles: []Permissions{0}, has: a, overwrites: overwrites{allow(member, react), allow(roleA, send), deny(everyone, send|react)}, want: view | send | react},
		{name: "one role allows what another denies", rule: ruleRoles, everyone: view, roles: []Permissions{0, 0}, has: ab, overwrites: overwrites{allow(roleA, send), deny(roleB, send)}, want: view | send},
		{name: "one role denies what another allows", rule: ruleHierarchy, everyone: view, roles: []Permissions{0, 0}, has: ab, overwrites: overwrites{deny(roleA, send), allow(roleB, send)}, want: view | send},
		{name: "two roles deny", rule: ruleRoles, everyone: view | send | react, roles: []Permissions{0, 0}, has: ab, overwrites: overwrites{deny(roleA, send), deny(roleB, react)}, want: view},
		{name: "two roles allow", rule: ruleRoles, everyone: view, roles: []Permissions{0, 0}, has: ab, overwrites: overwrites{allow(roleA, send), allow(roleB, react)}, want: view | send | react},
		{name: "A hides and B shows, as in Discord's example", rule: ruleHierarchy, everyone: view, roles: []Permissions{0, 0}, has: ab, overwrites: overwrites{deny(roleA, view), allow(roleB, view)}, want: view},
		{name: "overwrites of a role that the member lacks", rule: ruleRoles, everyone: view | send, roles: []Permissions{0, 0}, has: a, overwrites: overwrites{deny(roleB, send)}, want: view | send},
		{name: "allowed to a role that the member lacks", rule: ruleRoles, everyone: view, roles: []Permissions{0, 0}, has: a, overwrites: overwrites{allow(roleB, send)}, want: view},
		{name: "denied to a role of the base", rule: ruleRoles, everyone: view, roles: []Permissions{send}, has: a, overwrites: overwrites{deny(roleA, send)}, want: view},
		{name: "the member denied", rule: ruleMember, everyone: view | send, overwrites: overwrites{deny(member, send)}, want: view},
		{name: "the member allowed", rule: ruleMember, everyone: view, overwrites: overwrites{allow(member, send)}, want: view | send},
		{name: "the member allowed over a role denied", rule: ruleMember, everyone: view | send, roles: []Permissions{0}, has: a, overwrites: overwrites{deny(roleA, send), allow(member, send)}, want: view | send},
		{name: "the member denied over a role allowed", rule: ruleMember, everyone: view, roles: []Permissions{0}, has: a, overwrites: overwrites{allow(roleA, send), deny(member, send)}, want: view},
		{name: "the member allowed over @everyone and role denied", rule: ruleMember, roles: []Permissions{0}, has: a, overwrites: overwrites{deny(everyone, view), deny(roleA, view), allow(member, view)}, want: view},
		{name: "another member's overwrite", rule: ruleMember, everyone: view | send, overwrites: overwrites{deny("8", send), allow("9", react)}, want: view | send},
		{name: "all eight steps, each undoing the one before", rule: ruleOrder, everyone: view | send, roles: []Permissions{react, 0}, has: ab, overwrites: overwrites{both(everyone, send, send|react), both(roleA, react, send), both(roleB, send, react), both(member, view, react)}, want: view | send},
		{name: "nobody sees, one role does", rule: ruleOrder, everyone: view | send | read, roles: []Permissions{0}, has: a, overwrites: overwrites{deny(everyone, view), allow(roleA, view)}, want: view | send | read},

		// What goes with what is missing.
		{name: "VIEW_CHANNEL denied takes all", rule: ruleImplicit, everyone: view | send | read | react | manage, overwrites: overwrites{deny(everyone, view)}, want: 0},
		{name: "VIEW_CHANNEL missing from the base takes all", rule: ruleImplicit, everyone: send | read, want: 0},
		{name: "VIEW_CHANNEL denied takes what an overwrite allows", rule: ruleImplicit, everyone: view, overwrites: overwrites{deny(everyone, view), allow(member, send|manage)}, want: 0},
		{name: "VIEW_CHANNEL denied takes what concerns the guild", rule: ruleImplicit, everyone: view | kick, overwrites: overwrites{deny(everyone, view)}, want: 0},
		{name: "VIEW_CHANNEL denied to the member", rule: ruleImplicit, everyone: view | send, overwrites: overwrites{deny(member, view)}, want: 0},
		{name: "SEND_MESSAGES denied takes its four", rule: ruleImplicit, everyone: view | send | extras | react, overwrites: overwrites{deny(everyone, send)}, want: view | react},
		{name: "SEND_MESSAGES missing from the base takes its four", rule: ruleImplicit, everyone: view | extras | read, want: view | read},
		{name: "SEND_MESSAGES denied takes what an overwrite allows", rule: ruleImplicit, everyone: view | send, overwrites: overwrites{deny(everyone, send), allow(member, mention|embed)}, want: view},
		{name: "with SEND_MESSAGES its four stay", rule: ruleImplicit, everyone: view | send | extras, want: view | send | extras},
		{name: "without SEND_MESSAGES what threads need stays", rule: ruleImplicit, everyone: view | talk | embed, want: view | talk},
		{name: "voice with CONNECT", rule: ruleImplicit, everyone: view | connect | speak | manage, kind: voice, want: view | connect | speak | manage},
		{name: "voice without CONNECT", rule: ruleImplicit, everyone: view | connect | speak | manage | send | read, kind: voice, overwrites: overwrites{deny(everyone, connect)}, want: view},
		{name: "voice without VIEW_CHANNEL", rule: ruleImplicit, everyone: view | connect | speak, kind: voice, overwrites: overwrites{deny(everyone, view)}, want: 0},
		{name: "voice without SEND_MESSAGES", rule: ruleImplicit, everyone: view | connect | speak | extras, kind: voice, want: view | connect | speak},
		{name: "CONNECT allowed to a role", rule: ruleRoles, everyone: view | speak, roles: []Permissions{0}, has: a, kind: voice, overwrites: overwrites{deny(everyone, connect), allow(roleA, connect)}, want: view | connect | speak},
		{name: "stage with CONNECT", rule: ruleImplicit, everyone: view | connect | PermissionRequestToSpeak, kind: stage, want: view | connect | PermissionRequestToSpeak},
		{name: "stage without CONNECT", rule: ruleImplicit, everyone: view | PermissionRequestToSpeak | manage, kind: stage, want: view},
		{name: "text without CONNECT", rule: ruleImplicit, everyone: view | send | speak, want: view | send | speak},
		{name: "forum: SEND_MESSAGES begins posts", rule: ruleForum, everyone: view | send | attach, kind: forum, want: view | send | attach},
		{name: "forum without SEND_MESSAGES", rule: ruleForum, everyone: view | talk | attach, kind: forum, want: view | talk},
		{name: "media", rule: ruleForum, everyone: view | send | attach, kind: media, overwrites: overwrites{deny(everyone, attach)}, want: view | send},
		{name: "announcements", rule: ruleImplicit, everyone: view | send | read, kind: announcement, overwrites: overwrites{deny(everyone, send)}, want: view | read},
		{name: "a directory", rule: ruleImplicit, everyone: view | send, kind: directory, want: view | send},

		// Categories.
		{name: "a category's own overwrites", rule: ruleSyncing, everyone: view | manage, kind: category, overwrites: overwrites{deny(everyone, manage)}, want: view},
		{name: "a channel is not bound by its category", rule: ruleSyncing, everyone: view | send, parent: overwrites{deny(everyone, view|send)}, want: view | send},
		{name: "a channel is not helped by its category", rule: ruleSyncing, everyone: 0, parent: overwrites{allow(everyone, view)}, want: 0},
		{name: "a channel that is synced has copies", rule: ruleSyncing, everyone: view | send, parent: overwrites{deny(everyone, send)}, overwrites: overwrites{deny(everyone, send)}, want: view},
		{name: "a category without CONNECT is no voice channel", rule: ruleImplicit, everyone: view | manage, kind: category, want: view | manage},

		// Threads.
		{name: "a thread has its parent's permissions", rule: ruleThreads, everyone: view | read | react | talk, thread: publicThread, want: view | read | react | talk},
		{name: "a thread has its parent's overwrites", rule: ruleThreads, everyone: view | read | talk | react, overwrites: overwrites{deny(everyone, react), allow(member, manage)}, thread: publicThread, want: view | read | talk | manage},
		{name: "SEND_MESSAGES is not inherited", rule: ruleTalk, everyone: view | send, thread: publicThread, want: view},
		{name: "SEND_MESSAGES_IN_THREADS is what talks", rule: ruleTalk, everyone: view | talk | extras, thread: publicThread, want: view | talk | extras},
		{name: "SEND_MESSAGES does not keep the four in a thread", rule: ruleTalk, everyone: view | send | extras | read, thread: publicThread, want: view | read},
		{name: "SEND_MESSAGES denied in the parent does not bind the thread", rule: ruleTalk, everyone: view | send | talk | attach, overwrites: overwrites{deny(everyone, send)}, thread: publicThread, want: view | talk | attach},
		{name: "SEND_MESSAGES_IN_THREADS denied in the parent", rule: ruleTalk, everyone: view | send | talk | embed, overwrites: overwrites{deny(everyone, talk)}, thread: publicThread, want: view},
		{name: "a thread of a channel that is not seen", rule: ruleThreads, everyone: view | talk | read, overwrites: overwrites{deny(everyone, view)}, thread: publicThread, want: 0},
		{name: "a thread of announcements", rule: ruleThreads, everyone: view | talk, kind: announcement, overwrites: overwrites{deny(everyone, send)}, thread: newsThread, want: view | talk},
		{name: "a private thread", rule: rulePrivate, everyone: view | talk | read, thread: privThread, want: view | talk | read},
		{name: "a private thread and MANAGE_THREADS", rule: rulePrivate, everyone: view | threads, thread: privThread, want: view | threads},
		{name: "a post of a forum", rule: ruleForum, everyone: view | talk | attach, kind: forum, overwrites: overwrites{deny(everyone, send)}, thread: publicThread, want: view | talk | attach},
		{name: "a role's overwrite in the parent", rule: ruleThreads, everyone: view, roles: []Permissions{0}, has: a, overwrites: overwrites{allow(roleA, talk)}, thread: publicThread, want: view | talk},

		// Timeouts.
		{name: "timed out", rule: ruleTimeout, everyone: view | send | read | react, timeout: time.Hour, want: view | read},
		{name: "timed out in the guild as a whole", rule: ruleTimeout, everyone: view | send | read | kick, timeout: time.Hour, atLarge: true, want: view | read},
		{name: "a timeout that is over", rule: ruleTimeout, everyone: view | send, timeout: -time.Second, want: view | send},
		{name: "a timeout gives nothing", rule: ruleTimeout, everyone: view | send, timeout: time.Hour, want: view},
		{name: "timed out where nothing is seen", rule: ruleTimeout, everyone: read | send, timeout: time.Hour, want: 0},
		{name: "timed out, allowed by an overwrite", rule: ruleTimeout, everyone: view, timeout: time.Hour, overwrites: overwrites{allow(member, send|manage)}, want: view},
		{name: "timed out in a thread", rule: ruleTimeout, everyone: view | talk | read, timeout: time.Hour, thread: publicThread, want: view | read},
		{name: "timed out in a voice channel", rule: ruleTimeout, everyone: view | connect | read | speak, timeout: time.Hour, kind: voice, want: view | read},
		{name: "timed out, an administrator", rule: ruleTimeout, roles: []Permissions{admin}, has: a, timeout: time.Hour, want: AllPermissions},
		{name: "timed out, an administrator, at large", rule: ruleTimeout, roles: []Permissions{admin}, has: a, timeout: time.Hour, atLarge: true, want: AllPermissions},
		{name: "timed out, the owner", rule: ruleTimeout, who: owner, timeout: time.Hour, want: AllPermissions},
		{name: "timed out, administrator by an overwrite only", rule: ruleTimeout, everyone: view | read, timeout: time.Hour, overwrites: overwrites{allow(member, admin)}, want: view | read},

		// Numbers.
		{name: "a number with bits that nobody knows", rule: ruleNumbers, everyone: view | 1<<60, want: view | 1<<60},
		{name: "an overwrite longer than 64 bits", rule: ruleNumbers, everyone: view, overwrites: overwrites{{ID: everyone, Allow: "340282366920938463463374607431768213504", Deny: "0"}}, want: view | send},
		{name: "an overwrite that is no number", rule: ruleNumbers, everyone: view | send, overwrites: overwrites{{ID: everyone, Allow: "all", Deny: "-1"}}, want: view | send},
		{name: "an overwrite without numbers", rule: ruleNumbers, everyone: view, overwrites: overwrites{{ID: everyone}}, want: view},
		{name: "an overwrite that is null", rule: ruleNumbers, everyone: view, overwrites: overwrites{nil, allow(everyone, send)}, want: view | send},
	}
}

// world builds the guild and the member of a case.
func (c *permissionCase) world(now time.Time) (*Guild, *disgo.GuildMember) {
	role := func(id string, p Permissions) *disgo.Role {
		return &disgo.Role{ID: id, Permissions: fmt.Sprint(uint64(p))}
	}
	channel := func(id string, kind disgo.Flag, parent string, o overwrites) *disgo.Channel {
		return &disgo.Channel{ID: id, Type: &kind, ParentID: disgo.Pointer2(parent), PermissionOverwrites: o}
	}
	g := &Guild{Guild: disgo.Guild{ID: everyone, OwnerID: owner, Roles: []*disgo.Role{role(everyone, c.everyone)}}}
	for n, p := range c.roles {
		g.Roles = append(g.Roles, role(fmt.Sprint(201+n), p))
	}
	g.Channels = []*disgo.Channel{channel("299", category, "", c.parent), channel("300", c.kind, "299", c.overwrites)}
	thread := c.thread
	if thread == 0 {
		thread = publicThread
	}
	g.Threads = []*disgo.Channel{channel("400", thread, "300", overwrites{allow(member, AllPermissions)})} // a thread's own do not count
	m := new(disgo.GuildMember)
	for _, id := range c.has {
		m.Roles = append(m.Roles, &id)
	}
	if c.timeout != 0 {
		m.CommunicationDisabledUntil = disgo.Pointer2(now.Add(c.timeout))
	}
	return g, m
}

// TestPermissions holds what Discord's documentation says, case by case.
func TestPermissions(t *testing.T) {
	names := make(map[string]bool)
	for _, c := range permissionCases() {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			if names[c.name] || c.rule == "" {
				t.Error("a case needs a name of its own and a rule")
			}
			names[c.name] = true
			g, m := c.world(time.Now())
			who, where := c.who, "300"
			if who == "" {
				who = member
			}
			switch {
			case c.atLarge:
				where = ""
			case c.thread != 0:
				where = "400"
			}
			got, err := g.PermissionsOf(who, m, where)
			if err != nil || got != c.want {
				t.Errorf("%s: got %s, %v, want %s", c.rule, got, err, c.want)
			}
		})
	}
	if len(names) < 60 {
		t.Errorf("only %d cases", len(names))
	}
}

// TestTimeoutEnds at its moment, not later.
func TestTimeoutEnds(t *testing.T) {
	now := time.Now()
	c := permissionCase{everyone: view | send, timeout: time.Minute}
	g, m := c.world(now)
	for after, want := range map[time.Duration]Permissions{0: view, time.Minute - 1: view, time.Minute: view | send, time.Hour: view | send} {
		w := weighing{guild: g, userID: member, member: m, now: now.Add(after)}
		if got := w.within(g.Channels[1], g.Channels[1]); got != want {
			t.Errorf("after %s: %s, want %s", after, got, want)
		}
	}
}

// TestPermissionsThatCannotBeComputed says why.
func TestPermissionsThatCannotBeComputed(t *testing.T) {
	c := permissionCase{everyone: view}
	whole, m := c.world(time.Now())
	hidden := *whole
	hidden.Channels = []*disgo.Channel{{ID: "300", Type: disgo.Pointer(forum), Flags: disgo.Pointer(flagObfuscated), PermissionOverwrites: overwrites{deny(everyone, view)}}}
	lone := *whole
	lone.Channels = nil
	only := func(parts Part) *Guild {
		g := *whole
		g.missing = wholeGuild &^ parts
		return &g
	}
	for name, test := range map[string]struct {
		guild   *Guild
		member  *disgo.GuildMember
		channel string
		want    string
	}{
		"no such channel":         {whole, m, "301", "guild 100 has no channel 301 that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's"},
		"a hidden channel":        {&hidden, m, "300", "guild 100 has no channel 300 that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's"},
		"a hidden parent":         {&hidden, m, "400", "find the parent of thread 400: guild 100 has no channel 300 that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's"},
		"no parent":               {&lone, m, "400", "find the parent of thread 400: guild 100 has no channel 300 that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's"},
		"no member":               {whole, nil, "300", "compute permissions: the member 7 is nil"},
		"without the guild":       {only(PartChannels | PartThreads), m, "300", "compute permissions: they take guild, channels, threads, and the guild was read with channels, threads only"},
		"without channels":        {only(PartGuild | PartThreads), m, "300", "compute permissions: they take guild, channels, threads, and the guild was read with guild, threads only"},
		"without the guild alone": {only(PartMember), m, "", "compute permissions: they take guild, and the guild was read with member only"},
	} {
		if p, err := test.guild.PermissionsOf(member, test.member, test.channel); err == nil || err.Error() != test.want || p != 0 {
			t.Errorf("%s: got %s, %v", name, p, err)
		}
	}
	if p, err := only(PartGuild).PermissionsOf(member, m, ""); err != nil || p != view {
		t.Errorf("the guild alone: %s, %v", p, err)
	}
	if p, err := whole.PermissionsOf(owner, nil, "300"); err != nil || p != AllPermissions {
		t.Errorf("the owner: %s, %v", p, err)
	}
}
