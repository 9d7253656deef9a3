package cache

import (
	"context"
	"encoding/json"
	"strings"
)

// Part is one request's worth of a guild.
type Part uint8

// The parts, and where Discord has them.
const (
	PartGuild    Part = iota // GET /guilds/{id}?with_counts=true
	PartChannels             // GET /guilds/{id}/channels
	PartThreads              // GET /guilds/{id}/threads/active
	PartMember               // GET /guilds/{id}/members/{the bot}
	parts
)

func (p Part) String() string {
	return [...]string{"guild", "channels", "threads", "member", "no part"}[min(p, parts)]
}

// Parts is a set of parts: bit n is Part n. Where parts are wanted, the zero set
// means all of them, and bits that are no part mean nothing.
type Parts uint8

// AllParts are all there are.
const AllParts Parts = 1<<parts - 1

// PartsOf is the set of these parts.
func PartsOf(some ...Part) (set Parts) {
	for _, p := range some {
		set |= 1 << p
	}
	return set
}

// Has reports whether all of these parts are in the set.
func (s Parts) Has(these Parts) bool { return these&^s == 0 }

func (s Parts) String() string {
	var names []string
	for p := range parts {
		if s.Has(PartsOf(p)) {
			names = append(names, p.String())
		}
	}
	return strings.Join(names, ",")
}

// wanted is the set that a caller means.
func (s Parts) wanted() Parts {
	if s &= AllParts; s == 0 {
		return AllParts
	}
	return s
}

// Loader gets one part of a guild, as Discord answers it. It must end when ctx
// does, and tell what Discord answered as a *LoadError. It is called from
// several goroutines at once.
type Loader func(ctx context.Context, guild uint64, part Part) (json.RawMessage, error)
