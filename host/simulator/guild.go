package simulator

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"
)

// guildState is one guild. What it contains follows from the seed and is made anew for every look at it until
// something changes it: only then is it kept. Members are an overlay over the seeded ones for the same reason.
type guildState struct {
	mu sync.Mutex

	id     uint64
	seed   uint64
	bot    uint64
	plan   guildPlan
	joined time.Time // when the bot joined

	kept    *content           // nil until something changes
	fewer   map[uint64]bool    // roles that were deleted
	changed map[uint64]*member // joined or changed; nil: left
	count   int                // members, the bot included
	bans    map[uint64]string
	rooms   map[uint64]*room // what is being said, by channel
	voice   map[uint64]voiceState
	down    bool   // an outage
	emitted uint64 // how many events of it there were
}

// guildPlan is how much a seeded guild contains.
type guildPlan struct {
	text, roles, emojis, threads, overwrites, members int

	bytes int // size of its GUILD_CREATE, 0: as it comes
}

// content is what GUILD_CREATE carries beside members.
type content struct {
	name        string
	description string
	owner       uint64
	features    []string
	channels    []channel
	threads     []channel
	roles       []role
	emojis      []emoji
	stickers    []sticker
	verify      int
	systemRoom  uint64
	version     int64
}

type role struct {
	id          uint64
	name        string
	permissions uint64
	color       int
	position    int
	hoist       bool
	mention     bool
	bot         uint64 // managed by this bot
	version     int64
}

type emoji struct {
	id       uint64
	name     string
	animated bool
}

type sticker struct {
	id   uint64
	name string
}

type voiceState struct {
	channel            uint64
	session            string
	selfMute, selfDeaf bool
}

const everyonePermissions = 2248473465835073

func newGuild(w *world, index int) *guildState {
	id := w.first + uint64(index)*guildStep<<lowBits
	plan := guildPlan{
		text: w.plan.ChannelsPerGuild, roles: w.plan.RolesPerGuild, members: w.plan.MembersPerGuild, emojis: 2, threads: 1,
	}
	if w.plan.GuildBytes != nil {
		plan = planFor(w.plan.GuildBytes(index), plan.members)
	}
	return &guildState{
		id: id, seed: mix(w.seed, id), bot: w.bot, plan: plan, count: plan.members + 1,
		joined: createdAt(id).Add(time.Hour),
	}
}

// planFor chooses how much a guild of this size in bytes contains: at most 500 channels, 250 roles, 250 emojis
// and 1,000 threads, as at Discord; what is still missing comes as permission overwrites and topics.
func planFor(bytes, members int) guildPlan {
	p := guildPlan{members: members, bytes: bytes}
	rest := max(0, bytes-3000)
	p.text = 1 + min(490, rest/3/420)
	p.roles = 1 + min(249, rest/4/330)
	p.emojis = min(250, rest/10/160)
	p.threads = min(1000, rest/20/420)
	rest -= p.text*420 + p.roles*330 + p.emojis*160 + p.threads*420
	p.overwrites = max(0, min(100, rest*4/5/p.text/75))
	return p
}

func (g *guildState) owner() uint64 { return g.id + memberBase }
func (g *guildState) seeded(user uint64) bool {
	return home(user) == g.id && user-g.id-memberBase < uint64(g.plan.members)
}

// view gives the content to look at; the caller holds the lock and changes nothing.
func (g *guildState) view() *content {
	if g.kept != nil {
		return g.kept
	}
	return g.make()
}

// keep gives the content to change.
func (g *guildState) keep() *content {
	if g.kept == nil {
		g.kept = g.make()
	}
	g.kept.version = time.Now().UnixMilli()
	return g.kept
}

// find gives a channel or thread of the guild by id; the caller holds the lock.
func (c *content) find(id uint64) *channel {
	for _, list := range [...][]channel{c.channels, c.threads} {
		if i := slices.IndexFunc(list, func(ch channel) bool { return ch.id == id }); i >= 0 {
			return &list[i]
		}
	}
	return nil
}

func (c *content) role(id uint64) *role {
	if i := slices.IndexFunc(c.roles, func(r role) bool { return r.id == id }); i >= 0 {
		return &c.roles[i]
	}
	return nil
}

// member gives what the guild knows of a user, nil when he is not in it; the caller holds the lock.
func (g *guildState) member(user uint64) *member {
	m := g.memberWas(user)
	if m != nil && slices.ContainsFunc(m.roles, func(id uint64) bool { return g.fewer[id] }) {
		now := *m
		now.roles = slices.DeleteFunc(slices.Clone(m.roles), func(id uint64) bool { return g.fewer[id] })
		return &now
	}
	return m
}

// memberWas is member, with roles that were deleted since: whose role is deleted is not told, as at Discord.
func (g *guildState) memberWas(user uint64) *member {
	if m, ok := g.changed[user]; ok {
		return m
	}
	if user != g.bot && !g.seeded(user) {
		return nil
	}
	m := &member{user: user, joined: g.joined}
	switch {
	case user == g.bot:
		m.roles = []uint64{g.id + roleBase}
	case g.plan.roles > 1:
		m.joined = createdAt(g.id).Add(time.Duration(mix(user, 5)%(200*24)) * time.Hour)
		m.roles = []uint64{g.id + roleBase + 1 + mix(user, 6)%uint64(g.plan.roles-1)}
	}
	return m
}

// someone is a member, or what a stranger looks like who speaks without having joined.
func (g *guildState) someone(user uint64) *member {
	if m := g.member(user); m != nil {
		return m
	}
	return &member{user: user, joined: g.joined}
}

func (g *guildState) setMember(user uint64, m *member) {
	if g.changed == nil {
		g.changed = make(map[uint64]*member)
	}
	was := g.member(user) != nil
	g.changed[user] = m
	switch {
	case was && m == nil:
		g.count--
	case !was && m != nil:
		g.count++
	}
}

// members lists up to limit members with ids above after, in the order of ids, as GET …/members does.
func (g *guildState) members(after uint64, limit int) []*member {
	var ids []uint64
	for user, m := range g.changed {
		if m != nil && user > after && !g.seeded(user) && user != g.bot {
			ids = append(ids, user)
		}
	}
	if g.bot > after {
		ids = append(ids, g.bot)
	}
	first := g.id + memberBase
	start := max(first, after+1)
	for user := start; user < first+uint64(g.plan.members) && len(ids) < limit+len(g.changed)+1; user++ {
		ids = append(ids, user)
	}
	slices.Sort(ids)
	list := make([]*member, 0, min(limit, len(ids)))
	for _, user := range ids {
		if m := g.member(user); m != nil && len(list) < limit {
			list = append(list, m)
		}
	}
	return list
}

// make builds the content from the seed.
func (g *guildState) make() *content {
	r := rand.New(rand.NewPCG(g.seed, g.id))
	n := strconv.FormatUint(g.id>>lowBits%100_000, 10)
	c := &content{
		name: firstName(r.Uint64()) + " " + n, owner: g.owner(), version: createdAt(g.id).UnixMilli(),
		features: []string{"AUTO_MODERATION", "COMMUNITY"},
	}
	g.makeRoles(c, r)
	g.makeChannels(c, r)
	for i := range g.plan.emojis {
		c.emojis = append(c.emojis, emoji{id: g.id + emojiBase + uint64(i), name: "emoji_" + strconv.Itoa(i), animated: r.IntN(8) == 0})
	}
	if g.plan.bytes > 0 {
		g.pad(c)
	}
	return c
}

func (g *guildState) makeRoles(c *content, r *rand.Rand) {
	c.roles = append(c.roles, role{id: g.id, name: "@everyone", permissions: everyonePermissions, version: c.version})
	for i := range g.plan.roles {
		ro := role{
			id: g.id + roleBase + uint64(i), name: "role " + strconv.Itoa(i), position: i + 1, version: c.version,
			permissions: r.Uint64() & (1<<46 - 1) &^ 8, color: r.IntN(1 << 24), hoist: r.IntN(3) == 0, mention: r.IntN(3) == 0,
		}
		if i == 0 {
			ro.name, ro.bot, ro.permissions, ro.color = "holdfast", g.bot, everyonePermissions, 0
		}
		c.roles = append(c.roles, ro)
	}
}

func (g *guildState) makeChannels(c *content, r *rand.Rand) {
	category := g.id + channelBase
	next := category
	add := func(ch channel) {
		ch.id, ch.guild, ch.version = next, g.id, c.version
		next++
		c.channels = append(c.channels, ch)
	}
	add(channel{kind: kindCategory, name: "rooms"})
	for i := range g.plan.text {
		ch := channel{kind: kindText, name: "room-" + strconv.Itoa(i), parent: category, position: i}
		for j := range g.plan.overwrites {
			target := c.roles[j%len(c.roles)].id
			if j >= len(c.roles) {
				target = g.id + memberBase + uint64(j)
			}
			ch.overwrites = append(ch.overwrites, overwrite{target, j >= len(c.roles), r.Uint64() & 0xffffff, r.Uint64() & 0xffffff})
		}
		add(ch)
	}
	add(channel{kind: kindVoice, name: "voice", parent: category, position: 1})
	c.systemRoom = category + 1
	for i := range g.plan.threads {
		c.threads = append(c.threads, channel{
			id: g.id + threadBase + uint64(i), guild: g.id, kind: kindThread, name: "thread " + strconv.Itoa(i),
			parent: category + 1 + uint64(i%g.plan.text), owner: g.owner(), version: c.version,
		})
	}
}
