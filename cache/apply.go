package cache

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Apply takes note of an event before it is dispatched: a loaded guild becomes
// what the event says, and stays for being active. Guild is the one that the
// event belongs to, 0 for none; data is Discord's d and is never changed, but
// may be kept until a load of the guild ends. Events of a guild must come in
// their order. It returns the version that the guild has after the event, 0
// while there is none.
func (c *Cache) Apply(name string, guild uint64, data []byte) (version uint64) {
	if guild == 0 {
		if name == "READY" {
			c.ready(data)
		}
		return 0
	}
	ev := event{name, data}
	if c.asking.Load() > 0 && ofMembers(name) {
		c.meanwhile(guild, ev)
	}
	if c.concerns(name, data) {
		return c.change(guild, ev)
	}
	if e := c.store.get(guild); e != nil {
		c.active(e)
		return e.version()
	}
	return 0
}

// concerns reports whether an event may change what is kept.
func (c *Cache) concerns(name string, data []byte) bool {
	return c.concernsParts(name, data) || c.people.concerns(name)
}

// concernsParts is concerns without people: of members only the bot's own is a
// part, others' events come in masses.
func (c *Cache) concernsParts(name string, data []byte) bool {
	_, changes := touches(name)
	return changes && (!ofOneMember(name) || c.mayBeMe(data))
}

// world is a guild with nothing in it yet.
func (c *Cache) world(guild uint64) world {
	return world{guild: guild, self: c.me(), keep: c.keeps}
}

// active re-arms the expiry when an eighth of the idle time is gone: so a guild
// goes between idle and 1.125 idle after its last event, and ristretto is
// written to at most eight times in an idle time.
func (c *Cache) active(e *entry) {
	now, armed := c.now(), e.armed.Load()
	if now-armed > int64(c.idle/8) && e.armed.CompareAndSwap(armed, now) {
		c.keeper.enqueue(e)
	}
}

func (c *Cache) change(guild uint64, ev event) (version uint64) {
	if c.books.transit.Load() > 0 { // else there is room, and no need to look at the guild
		c.makeRoom(c.growth(guild, ev))
	}
	sh := c.shard(guild)
	if ev.name == membersChunk && !c.readsChunk(sh, guild, ev.data) {
		ev.data = nil // it says nothing, but that the guild is active
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l := sh.loads[guild]
	changes := c.concernsParts(ev.name, ev.data)
	if l != nil && changes {
		l.remember(ev) // for the parts that are on their way
	}
	e := c.find(sh, guild)
	if e == nil {
		c.changeAbsent(sh, guild, l, ev)
		return 0
	}
	h, changed := *e.held.Load(), false
	if changes {
		from := c.rawFrom
		if ev.name == "GUILD_CREATE" {
			from = rawNever
		}
		h, changed = h.edited(c.world(guild), ev, from)
	}
	moved := c.populate(e.people, ev)
	if changed {
		c.counts.applied.Add(1)
	}
	if h.removed {
		e.left = true
		e.die()
		c.keeper.enqueue(e)
		c.isMissing(sh, guild, Removed)
		return 0
	}
	if changed {
		h.Version = c.version.Add(1)
		c.leaveRaw(e, &h)
		e.held.Store(&h)
	}
	if changed || moved {
		c.fit(sh, e)
	}
	c.active(e)
	switch {
	case h.down && ofAvailability(ev.name) && unavailable(ev.data):
		e.failed = false
		c.isMissing(sh, guild, Outage)
	case ev.name == "GUILD_CREATE" && !h.down:
		e.failed = false // nothing is missing any more
		sh.records.forget(guild)
		sh.settle(guild, &e.held.Load().Snapshot, nil)
	}
	return e.version()
}

// populate applies an event to people, and reports whether it may have changed
// them.
func (c *Cache) populate(p *people, ev event) bool {
	if p == nil || !c.people.concerns(ev.name) || ev.name != membersChunk && !json.Valid(ev.data) {
		return false
	}
	p.apply(ev, c.me())
	return true
}

// readsChunk checks a chunk before the lock is taken, as that takes milliseconds, if
// its guild is there to keep something of it.
func (c *Cache) readsChunk(sh *shard, guild uint64, data []byte) bool {
	sh.mu.Lock()
	there := sh.loads[guild] != nil || c.find(sh, guild) != nil
	sh.mu.Unlock()
	return there && json.Valid(data)
}

// ofAvailability are the names whose events say whether a guild is available.
func ofAvailability(name string) bool { return name == "GUILD_CREATE" || name == "GUILD_DELETE" }

// fit brings an entry's charge up to date after a change. For what does not fit
// people go, or, if that does not help, the guild as a whole: the next reader
// loads it.
func (c *Cache) fit(sh *shard, e *entry) {
	few := func(bytes int64) bool {
		e.people.shed(bytes)
		e.beside = e.people.size()
		return c.resized(sh, e, e.size())
	}
	if few(c.roomFor(e.size()-e.beside)) || e.beside > 0 && few(e.beside-(e.size()-e.charge.Load())) {
		return
	}
	if e.die() {
		c.store.evicted.Add(1)
	}
	c.keeper.enqueue(e)
}

// roomFor is how many bytes of people a guild of this size may have: half of
// what an entry may at most, and no more than leaves room for the guild.
func (c *Cache) roomFor(size int64) int64 {
	return max(0, min(c.books.limit/2, c.books.limit-c.books.limit/16-size))
}

// resized brings an entry's charge up to date. False: it would grow beyond what
// is free on the way to ristretto, and is charged as before.
func (c *Cache) resized(sh *shard, e *entry, size int64) bool {
	charge, want := e.charge.Load(), chargeFor(size)
	switch {
	case charge == 0:
		return true
	case size > charge:
		if want > c.books.limit || !c.books.enter(want-charge) {
			return false
		}
		if !e.recharge(want) {
			c.books.transit.Add(charge - want)
			return true
		}
		e.transit += want - charge
		sh.pin(e)
	case size < charge/4*3:
		e.recharge(want)
	default:
		return true
	}
	c.keeper.enqueue(e)
	return true
}

// changeAbsent remembers what an event says of a guild that is not there, or
// makes it be there.
func (c *Cache) changeAbsent(sh *shard, guild uint64, l *load, ev event) {
	switch {
	case ev.name == "GUILD_CREATE" && unavailable(ev.data):
		c.isMissing(sh, guild, Outage)
	case ev.name == "GUILD_CREATE":
		switch sh.records.of(guild).reason {
		case Removed, Outage, Forbidden:
			sh.records.forget(guild)
		}
		c.created(sh, guild, l, ev)
	case ev.name == "GUILD_DELETE" && unavailable(ev.data):
		c.isMissing(sh, guild, Outage)
	case ev.name == "GUILD_DELETE":
		c.isMissing(sh, guild, Removed)
	case ev.name == "GUILD_MEMBER_REMOVE" && new(c.world(guild)).own(ev.data):
		c.isMissing(sh, guild, Removed)
	case l != nil && c.people.concerns(ev.name):
		c.populate(l.others(c), ev)
	}
}

// unavailableTo is more than an unavailable guild object has: an id, and that it
// is unavailable (https://docs.discord.com/developers/resources/guild#unavailable-guild-object).
const unavailableTo = 1 << 10

// unavailable reads that of GUILD_CREATE and GUILD_DELETE. A start brings
// thousands of whole guilds that nobody keeps: those are not looked through.
func unavailable(data []byte) bool {
	return len(data) <= unavailableTo && isTrue(field(data, "unavailable"))
}

// me is the bot's user id, 0 if it is not known yet.
func (c *Cache) me() uint64 {
	if me := c.self.Load(); me != nil {
		return me.id
	}
	return 0
}

// mayBeMe tells most events of other members from those of the bot, without
// reading them. As long as the bot does not know itself, any may be.
func (c *Cache) mayBeMe(data []byte) bool {
	me := c.self.Load()
	return me == nil || bytes.Contains(data, me.text)
}

func (c *Cache) know(self uint64) {
	if c.me() != self {
		c.self.Store(&identity{id: self, text: strconv.AppendUint(nil, self, 10)})
	}
}
