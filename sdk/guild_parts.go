package sdk

import "strings"

// Part is a part of a guild, or several: PartChannels | PartThreads. Each is one
// request to Discord when the guild is loaded, and one piece on its way to the
// plugin.
type Part uint32

// The parts.
const (
	PartGuild    Part = 1 << iota // the guild itself with roles, emojis and stickers
	PartChannels                  // its channels, without threads
	PartThreads                   // its active threads
	PartMember                    // the bot's own member

	wholeGuild = PartGuild | PartChannels | PartThreads | PartMember
)

// String lists the parts: "guild, channels".
func (p Part) String() string {
	var names []string
	for n, name := range [...]string{"guild", "channels", "threads", "member"} {
		if p&(1<<n) != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// union is all that is named, or everything if nothing is.
func union(parts []Part) (all Part) {
	for _, p := range parts {
		all |= p & wholeGuild
	}
	if all == 0 {
		return wholeGuild
	}
	return all
}

// Has says whether the guild was read with all of these parts. One that is a
// value of your own, as in a test, has all.
func (g *Guild) Has(parts Part) bool { return g.missing&parts == 0 }

func (g *Guild) parts() Part { return wholeGuild &^ g.missing }

// joined has the parts of two reads of the same version.
func joined(a, b *Guild) *Guild {
	if a.Has(b.parts()) {
		return a
	}
	g := *a
	if !a.Has(PartGuild) {
		g.Guild, g.Raw.Guild = b.Guild, b.Raw.Guild
	}
	if !a.Has(PartChannels) {
		g.Channels, g.Raw.Channels = b.Channels, b.Raw.Channels
	}
	if !a.Has(PartThreads) {
		g.Threads, g.Raw.Threads = b.Threads, b.Raw.Threads
	}
	if !a.Has(PartMember) {
		g.Member, g.Raw.Member = b.Member, b.Raw.Member
	}
	g.missing = a.missing & b.missing
	return &g
}
