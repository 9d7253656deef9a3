package cache

import (
	"bytes"
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
			if id := idOf(field(data, "user")); id != 0 {
				c.know(id)
			}
		}
		return 0
	}
	if _, changes := touches(name); changes && (!ofOneMember(name) || c.mayBeMe(data)) {
		return c.change(guild, event{name, data})
	}
	if e := c.store.get(guild); e != nil {
		c.active(e)
		return e.version()
	}
	return 0
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
	sh := c.shard(guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l := sh.loads[guild]
	if l != nil {
		l.remember(ev) // for the parts that are on their way
	}
	e := c.find(sh, guild)
	if e == nil {
		if l == nil {
			c.changeAbsent(sh, guild, ev)
		}
		return 0
	}
	h, changed := e.held.Load().edited(guild, c.me(), ev)
	if !changed {
		c.active(e)
		return e.version()
	}
	c.counts.applied.Add(1)
	if h.removed {
		e.left = true
		e.die()
		sh.records.fail(guild, Removed, 0, c.guard.options)
		c.keeper.enqueue(e)
		return 0
	}
	if ev.name == "GUILD_CREATE" && !h.down {
		e.failed = false // nothing is missing any more
		sh.records.forget(guild)
	}
	h.Version = c.version.Add(1)
	e.held.Store(&h)
	if !c.resized(sh, e, e.size()) {
		// It goes as a whole: the next reader loads it.
		if e.die() {
			c.store.evicted.Add(1)
		}
		c.keeper.enqueue(e)
	}
	c.active(e)
	return e.version()
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

// changeAbsent remembers what an event says of a guild that is not loaded.
func (c *Cache) changeAbsent(sh *shard, guild uint64, ev event) {
	why := Reason("")
	switch ev.name {
	case "GUILD_CREATE":
		if unavailable(ev.data) {
			why = Outage
			break
		}
		switch sh.records.byGuild[guild].reason {
		case Removed, Outage, Forbidden:
			sh.records.forget(guild)
		}
	case "GUILD_DELETE":
		if why = Removed; unavailable(ev.data) {
			why = Outage
		}
	case "GUILD_MEMBER_REMOVE":
		w := world{self: c.me()}
		if w.own(ev.data) {
			why = Removed
		}
	}
	if why != "" {
		sh.records.fail(guild, why, 0, c.guard.options)
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
