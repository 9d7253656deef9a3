package sdk

import (
	"container/list"
	"sync"
	"unsafe"

	"github.com/switchupcb/disgo"
)

// maxCopies bounds the guilds that a plugin keeps, in bytes of memory: their
// JSON and what was decoded from it.
const maxCopies = 16 << 20

// guildCopies are the guilds that the plugin has read: those read last, of each
// the newest version with all parts that were read of it.
type guildCopies struct {
	limit int

	mu     sync.Mutex
	bytes  int
	recent list.List // of *guildCopy, the last read first
	byID   map[uint64]*list.Element
}

type guildCopy struct {
	id    uint64
	guild *Guild
	size  int
}

func newGuildCopies(limit int) *guildCopies {
	return &guildCopies{limit: limit, byID: make(map[uint64]*list.Element)}
}

// get returns the copy of a guild, nil if there is none.
func (c *guildCopies) get(id uint64) *Guild {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.byID[id]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(at)
	return copyAt(at).guild
}

// put keeps a guild and returns it, or the copy that is as new and has all its
// parts. Parts of one version come together. A guild that is larger than all
// copies may be is not kept.
func (c *guildCopies) put(id uint64, guild *Guild) *Guild {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.byID[id]; ok {
		have := copyAt(at).guild
		switch {
		case have.Version >= guild.Version && have.Has(guild.parts()):
			c.recent.MoveToFront(at)
			return have
		case have.Version > guild.Version:
			return guild // who asked for these parts gets them; the newer ones stay
		case have.Version == guild.Version:
			guild = joined(have, guild)
		}
		c.remove(at)
	}
	size := sizeOf(guild)
	if size > c.limit {
		return guild
	}
	c.byID[id] = c.recent.PushFront(&guildCopy{id: id, guild: guild, size: size})
	for c.bytes += size; c.bytes > c.limit; {
		c.remove(c.recent.Back())
	}
	return guild
}

func (c *guildCopies) remove(at *list.Element) {
	c.recent.Remove(at)
	delete(c.byID, copyAt(at).id)
	c.bytes -= copyAt(at).size
}

func copyAt(at *list.Element) *guildCopy {
	return at.Value.(*guildCopy) //nolint:forcetypeassert // put pushes nothing else
}

// sizeOf is what a guild costs in memory, roughly (TestSizeOfGuilds): its JSON,
// as much again for the strings, roles and overwrites decoded from it, and the
// structs that are large whatever the JSON is.
func sizeOf(g *Guild) int {
	const (
		fixed      = int(unsafe.Sizeof(Guild{}) + unsafe.Sizeof(disgo.GuildMember{}))
		eachObject = int(unsafe.Sizeof(disgo.Channel{}) + unsafe.Sizeof(&disgo.Channel{}))
	)
	text := len(g.Raw.Guild) + len(g.Raw.Channels) + len(g.Raw.Threads) + len(g.Raw.Member)
	return fixed + 2*text + eachObject*(len(g.Channels)+len(g.Threads))
}
