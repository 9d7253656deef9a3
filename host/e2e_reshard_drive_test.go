package host_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// driver lets a mix of everything happen. It belongs to one goroutine.
type driver struct {
	sim    *simulator.Server
	r      *rand.Rand
	guilds []*driven
	down   []uint64 // guilds in an outage
	people []uint64 // who write directly
	direct []said
	number uint64
	base   uint64
	stay   bool // the bot leaves no guild
	alone  bool // nobody calls a command
}

// driven is a guild and what the driver has made in it.
type driven struct {
	simulator.Guild

	messages []said
	channels []uint64
	roles    []uint64
	joined   []uint64
	banned   []uint64
	threads  []uint64
}

type said struct {
	channel, message, user uint64
	reacted                bool
}

func newDriver(sim *simulator.Server, seed uint64) *driver {
	d := &driver{sim: sim, r: rand.New(rand.NewPCG(seed, 7)), base: uint64(time.Now().UnixMilli()-1420070400000) << 22}
	for _, g := range sim.Guilds() {
		d.guilds = append(d.guilds, &driven{Guild: g})
	}
	d.people = slices.Clone(d.guilds[0].Members[:4])
	return d
}

// kinds are what the driver lets happen.
func kinds() []string {
	out := []string{
		"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "TYPING_START", "PRESENCE_UPDATE",
		"CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE",
		"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE",
		"GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE",
		"VOICE_STATE_UPDATE", "INTERACTION_CREATE", "USER_UPDATE",
	}
	for name := range strings.SplitSeq(numbered+" "+plain, " ") {
		out = append(out, name)
	}
	return out
}

const (
	// numbered are kinds with an id of their own.
	numbered = "GUILD_SCHEDULED_EVENT_CREATE GUILD_SCHEDULED_EVENT_UPDATE GUILD_SCHEDULED_EVENT_DELETE STAGE_INSTANCE_CREATE STAGE_INSTANCE_UPDATE " +
		"STAGE_INSTANCE_DELETE INTEGRATION_CREATE INTEGRATION_UPDATE INTEGRATION_DELETE AUTO_MODERATION_RULE_CREATE AUTO_MODERATION_RULE_UPDATE " +
		"AUTO_MODERATION_RULE_DELETE GUILD_AUDIT_LOG_ENTRY_CREATE ENTITLEMENT_CREATE ENTITLEMENT_UPDATE ENTITLEMENT_DELETE SUBSCRIPTION_CREATE"
	// plain are kinds without: one like another, every other time.
	plain = "WEBHOOKS_UPDATE GUILD_INTEGRATIONS_UPDATE GUILD_EMOJIS_UPDATE GUILD_STICKERS_UPDATE GUILD_SOUNDBOARD_SOUNDS_UPDATE INVITE_CREATE INVITE_DELETE " +
		"CHANNEL_PINS_UPDATE MESSAGE_DELETE_BULK MESSAGE_REACTION_REMOVE_ALL MESSAGE_REACTION_REMOVE_EMOJI MESSAGE_POLL_VOTE_ADD MESSAGE_POLL_VOTE_REMOVE " +
		"THREAD_LIST_SYNC THREAD_MEMBER_UPDATE THREAD_MEMBERS_UPDATE VOICE_CHANNEL_STATUS_UPDATE VOICE_CHANNEL_EFFECT_SEND AUTO_MODERATION_ACTION_EXECUTION " +
		"GUILD_SCHEDULED_EVENT_USER_ADD GUILD_SCHEDULED_EVENT_USER_REMOVE APPLICATION_COMMAND_PERMISSIONS_UPDATE"
)

// step lets one thing happen.
func (d *driver) step(int) bool {
	g := d.guilds[d.r.IntN(len(d.guilds))]
	switch n := d.r.IntN(100); {
	case n < 30:
		d.say(g)
	case n < 48:
		d.change(g)
	case n < 55:
		d.directly()
	case n < 60:
		d.fleet(g)
	case n < 70:
		d.furnish(g)
	case n < 77:
		d.populate(g)
	case n < 79:
		d.call(g.ID, g.Channels[0], pick(d.r, g.Members))
	case n < 81:
		d.thread(g)
	case n < 98:
		d.invent(g)
	case n < 99:
		d.sim.Dispatch(0, "USER_UPDATE", fmt.Appendf(nil, `{"id":"%d","discriminator":"%d"}`, d.sim.Bot(), d.next()))
	default:
		d.comeAndGo(g)
	}
	return true
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (d *driver) next() uint64 {
	d.number++
	return d.number
}

// id is a new snowflake for what the simulator does not make.
func (d *driver) id() uint64 { return d.base + d.next() }

func (d *driver) say(g *driven) {
	s := said{channel: pick(d.r, g.Channels), user: pick(d.r, g.Members)}
	s.message = d.sim.Say(g.ID, s.channel, s.user, fmt.Sprint("message ", d.next()))
	g.messages = append(g.messages, s)
}

// change does something to what was said; the same reaction comes and goes, and comes again.
func (d *driver) change(g *driven) { g.messages = d.changeOf(g.ID, g.messages) }

func (d *driver) changeOf(guild uint64, messages []said) []said {
	if len(messages) == 0 {
		return messages
	}
	at := d.r.IntN(len(messages))
	m := &messages[at]
	switch d.r.IntN(6) {
	case 0, 1:
		d.sim.Edit(guild, m.channel, m.message, fmt.Sprint("edit ", d.next()))
	case 2:
		d.sim.Delete(guild, m.channel, m.message)
		return slices.Delete(messages, at, at+1)
	default:
		if m.reacted {
			d.sim.Unreact(guild, m.channel, m.message, m.user, "👍")
		} else {
			d.sim.React(guild, m.channel, m.message, m.user, "👍")
		}
		m.reacted = !m.reacted
		if d.r.IntN(2) == 0 {
			return d.changeOf(guild, messages)
		}
	}
	return messages
}

func (d *driver) directly() {
	if d.r.IntN(2) == 0 {
		d.direct = d.changeOf(0, d.direct)
		return
	}
	s := said{user: pick(d.r, d.people)}
	s.channel, s.message = d.sim.DirectMessage(s.user, fmt.Sprint("direct ", d.next()))
	d.direct = append(d.direct, s)
	if d.r.IntN(20) == 0 {
		d.call(0, s.channel, s.user)
	}
}

func (d *driver) call(guild, channel, user uint64) {
	if !d.alone {
		d.sim.Slash(guild, channel, user, "none")
	}
}

func (d *driver) fleet(g *driven) {
	if d.r.IntN(2) == 0 {
		d.sim.Typing(g.ID, g.Channels[0], pick(d.r, g.Members))
		return
	}
	d.emitf(g, "PRESENCE_UPDATE", `"user":{"id":"%d"},"status":"%s"`, pick(d.r, g.Members), pick(d.r, []string{"idle", "online"}))
}

// furnish makes, changes and removes channels and roles, and renames the guild.
func (d *driver) furnish(g *driven) {
	switch d.r.IntN(5) {
	case 0:
		g.channels = append(g.channels, d.sim.CreateChannel(g.ID, "room"))
	case 1:
		g.roles = append(g.roles, d.sim.CreateRole(g.ID, "role", 8))
	case 2:
		if len(g.channels) > 0 {
			d.emitf(g, "CHANNEL_UPDATE", `"id":"%d","type":0,"name":"room","position":%d`, pick(d.r, g.channels), d.r.IntN(3))
			d.removeOne(&g.channels, func(id uint64) { d.sim.DeleteChannel(g.ID, id) })
		}
	case 3:
		if len(g.roles) > 0 {
			d.emitf(g, "GUILD_ROLE_UPDATE", `"role":{"id":"%d","name":"role %d"}`, pick(d.r, g.roles), d.r.IntN(3))
			d.removeOne(&g.roles, func(id uint64) { d.sim.DeleteRole(g.ID, id) })
		}
	default:
		d.sim.RenameGuild(g.ID, fmt.Sprint("name ", d.next()))
	}
}

// removeOne takes one from a list half of the times.
func (d *driver) removeOne(list *[]uint64, remove func(uint64)) {
	if len(*list) == 0 || d.r.IntN(2) == 0 {
		return
	}
	at := d.r.IntN(len(*list))
	remove((*list)[at])
	*list = slices.Delete(*list, at, at+1)
}

// populate lets people come, change, speak, leave, be banned and be forgiven.
func (d *driver) populate(g *driven) {
	switch d.r.IntN(6) {
	case 0, 1:
		g.joined = append(g.joined, d.sim.Join(g.ID, 0))
	case 2:
		d.sim.ChangeMember(g.ID, pick(d.r, g.Members), fmt.Sprint("nick ", d.r.IntN(2)), nil)
	case 3:
		d.removeOne(&g.joined, func(user uint64) { d.sim.Leave(g.ID, user) })
	case 4:
		d.removeOne(&g.joined, func(user uint64) {
			d.sim.Ban(g.ID, user)
			g.banned = append(g.banned, user)
		})
		d.removeOne(&g.banned, func(user uint64) { d.sim.Unban(g.ID, user) })
	default:
		d.sim.Voice(g.ID, g.Voice[0], pick(d.r, g.Members))
	}
}

// thread makes one, changes it, adds the bot (the same event as when it was made), and deletes it.
func (d *driver) thread(g *driven) {
	const body = `"id":"%d","parent_id":"%d","type":11,"name":"thread"`
	if len(g.threads) < 2 {
		g.threads = append(g.threads, d.id())
		d.emitf(g, "THREAD_CREATE", body+`,"newly_created":true`, g.threads[len(g.threads)-1], g.Channels[0])
		return
	}
	d.emitf(g, "THREAD_UPDATE", body+`,"version":%d`, g.threads[0], g.Channels[0], d.next())
	d.emitf(g, "THREAD_CREATE", body+`,"member":{"id":"%d"}`, g.threads[0], g.Channels[0], d.sim.Bot())
	d.emitf(g, "THREAD_DELETE", `"id":"%d","parent_id":"%d","type":11`, g.threads[0], g.Channels[0])
	g.threads = g.threads[1:]
}

// invent dispatches a kind that the simulator does not make by itself.
func (d *driver) invent(g *driven) {
	if names := strings.Fields(numbered); d.r.IntN(2) == 0 {
		name := pick(d.r, names)
		if strings.HasSuffix(name, "_UPDATE") {
			d.emitf(g, name, `"id":"%d","n":%d`, g.ID+1+d.r.Uint64N(3), d.r.IntN(4))
		} else {
			d.emitf(g, name, `"id":"%d"`, d.id())
		}
		return
	}
	name := pick(d.r, strings.Fields(plain))
	if d.r.IntN(2) == 0 {
		d.emitf(g, name, `"channel_id":"%d"`, g.Channels[0])
	} else {
		d.emitf(g, name, `"channel_id":"%d","n":%d`, g.Channels[0], d.next())
	}
}

func (d *driver) emitf(g *driven, name, format string, args ...any) {
	data := fmt.Appendf([]byte("{"), format, args...)
	data = fmt.Appendf(data, `,"guild_id":"%d"}`, g.ID)
	d.sim.Dispatch(g.ID, name, json.RawMessage(data))
}

// comeAndGo lets guilds fall out, come back, throw the bot out and take it in.
func (d *driver) comeAndGo(g *driven) {
	switch d.r.IntN(4) {
	case 0:
		d.sim.Outage(g.ID)
		d.down = append(d.down, g.ID)
		d.forget(g)
	case 1:
		d.restore()
	case 2:
		if len(d.guilds) > 20 && !d.stay {
			d.sim.Remove(g.ID)
			d.forget(g)
		}
	default:
		d.take(d.sim.Invite())
	}
}

// restore ends the oldest outage.
func (d *driver) restore() {
	if len(d.down) == 0 {
		return
	}
	d.sim.Restore(d.down[0])
	d.take(d.down[0])
	d.down = d.down[1:]
}

func (d *driver) forget(g *driven) {
	d.guilds = slices.DeleteFunc(d.guilds, func(o *driven) bool { return o == g })
}

func (d *driver) take(guild uint64) {
	for _, g := range d.sim.Guilds() {
		if g.ID == guild {
			d.guilds = append(d.guilds, &driven{Guild: g})
		}
	}
}

// end restores what is down, so that every guild has a last word.
func (d *driver) end() {
	for len(d.down) > 0 {
		d.restore()
	}
	for _, g := range d.guilds {
		d.say(g)
	}
}
