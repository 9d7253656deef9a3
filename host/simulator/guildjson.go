package simulator

import (
	"slices"
	"strconv"
	"strings"
)

// guild writes what GUILD_CREATE, GUILD_UPDATE and GET /guilds/{id} share.
func (o *jsonOut) guild(g *guildState, c *content, inGateway bool) {
	o.id("id", g.id)
	o.str("name", c.name)
	o.orNull("description", c.description)
	o.id("owner_id", c.owner)
	o.num("verification_level", int64(c.verify))
	o.id("system_channel_id", c.systemRoom)
	o.strs("features", c.features)
	o.key("roles")
	o.open('[')
	for i := range c.roles {
		o.open('{')
		o.role(&c.roles[i], inGateway)
		o.shut('}')
	}
	o.shut(']')
	o.emojis(c.emojis)
	o.stickers(g.id, c.stickers)
	o.raw(guildConstants)
	if inGateway {
		o.raw(`"region":"deprecated"`)
		o.num("version", c.version)
		return
	}
	o.raw(`"region":"us-central","max_presences":null,"widget_enabled":false,"widget_channel_id":null,` +
		`"embed_enabled":false,"embed_channel_id":null`)
}

// guildConstants are the members of a guild that nothing in this world changes.
const guildConstants = `"icon":null,"banner":null,"splash":null,"discovery_splash":null,"home_header":null,` +
	`"mfa_level":0,"nsfw":false,"nsfw_level":0,"afk_timeout":300,"afk_channel_id":null,"application_id":null,` +
	`"preferred_locale":"en-US","hub_type":null,"explicit_content_filter":0,"default_message_notifications":0,` +
	`"premium_tier":0,"premium_subscription_count":0,"premium_progress_bar_enabled":false,` +
	`"premium_progress_bar_enabled_user_updated_at":null,"public_updates_channel_id":null,"rules_channel_id":null,` +
	`"safety_alerts_channel_id":null,"system_channel_flags":0,"vanity_url_code":null,"max_members":25000000,` +
	`"max_video_channel_users":25,"max_stage_video_channel_users":50,"incidents_data":null,"inventory_settings":null,` +
	`"latest_onboarding_question_id":null,"owner_configured_content_level":0`

func (o *jsonOut) role(r *role, inGateway bool) {
	o.id("id", r.id)
	o.str("name", r.name)
	o.str("permissions", strconv.FormatUint(r.permissions, 10))
	o.num("position", int64(r.position))
	o.num("color", int64(r.color))
	o.key("colors")
	o.open('{')
	o.num("primary_color", int64(r.color))
	o.raw(`"secondary_color":null,"tertiary_color":null`)
	o.shut('}')
	o.yes("hoist", r.hoist)
	o.yes("managed", r.bot != 0)
	o.yes("mentionable", r.mention)
	o.raw(`"icon":null,"unicode_emoji":null,"flags":0`)
	if !inGateway {
		o.raw(`"description":null`)
	} else {
		o.num("version", r.version)
	}
	if r.bot != 0 {
		o.key("tags")
		o.open('{')
		o.id("bot_id", r.bot)
		o.shut('}')
	} else if inGateway {
		o.raw(`"tags":{}`)
	}
}

func (o *jsonOut) emojis(list []emoji) {
	o.key("emojis")
	o.open('[')
	for _, e := range list {
		o.open('{')
		o.id("id", e.id)
		o.str("name", e.name)
		o.yes("animated", e.animated)
		o.raw(`"managed":false,"roles":[],"available":true,"require_colons":true`)
		o.shut('}')
	}
	o.shut(']')
}

func (o *jsonOut) stickers(guild uint64, list []sticker) {
	o.key("stickers")
	o.open('[')
	for _, st := range list {
		o.open('{')
		o.id("id", st.id)
		o.str("name", st.name)
		o.raw(`"tags":"wave","type":2,"format_type":1,"description":"","asset":"","available":true`)
		o.id("guild_id", guild)
		o.shut('}')
	}
	o.shut(']')
}

// guildCreate writes GUILD_CREATE as a session with these intents sees it; the caller holds the guild's lock.
// Without GUILD_PRESENCES only the bot itself and who is in voice are among the members.
func (o *jsonOut) guildCreate(s *Server, g *guildState, intents uint64, large int) {
	c := g.view()
	o.open('{')
	o.guild(g, c, true)
	o.raw(`"unavailable":false,"lazy":true`)
	o.time("joined_at", g.joined)
	o.num("member_count", int64(g.count))
	o.yes("large", g.count > large)
	o.key("channels")
	o.open('[')
	for i := range c.channels {
		o.open('{')
		o.channel(&c.channels[i], g.lastMessage(c.channels[i].id), true)
		o.shut('}')
	}
	o.shut(']')
	o.key("threads")
	o.open('[')
	for i := range c.threads {
		if !c.threads[i].archived {
			o.open('{')
			o.channel(&c.threads[i], g.lastMessage(c.threads[i].id), true)
			if th := &c.threads[i]; th.botSince != 0 { // there without "id" and "user_id"
				o.key("member")
				o.open('{')
				o.threadMembership(th)
				o.shut('}')
			}
			o.shut('}')
		}
	}
	o.shut(']')
	o.present(s, g, intents, large)
	o.raw(`"stage_instances":[],"guild_scheduled_events":[],"soundboard_sounds":[],"embedded_activities":[],` +
		`"activity_instances":[],"application_command_counts":{},"moderator_reporting":null,"premium_features":null,"profile":null`)
	o.shut('}')
}

// present writes who is there: members, voice states and presences.
func (o *jsonOut) present(s *Server, g *guildState, intents uint64, large int) {
	shown := []*member{g.someone(s.world.bot)}
	if intents&intentPresences != 0 {
		shown = g.members(0, large)
	}
	talking := make([]uint64, 0, len(g.voice))
	for user := range g.voice {
		talking = append(talking, user)
	}
	slices.Sort(talking)
	o.key("members")
	o.open('[')
	for _, m := range shown {
		o.memberObject(s, m)
	}
	for _, user := range talking {
		if !slices.ContainsFunc(shown, func(m *member) bool { return m.user == user }) {
			o.memberObject(s, g.someone(user))
		}
	}
	o.shut(']')
	o.key("voice_states")
	o.open('[')
	for _, user := range talking {
		if intents&intentVoice != 0 {
			o.open('{')
			o.voice(user, g.voice[user])
			o.shut('}')
		}
	}
	o.shut(']')
	o.raw(`"presences":[]`)
}

func (o *jsonOut) voice(user uint64, v voiceState) {
	o.id("channel_id", v.channel)
	o.id("user_id", user)
	o.str("session_id", v.session)
	o.yes("self_mute", v.selfMute)
	o.yes("self_deaf", v.selfDeaf)
	o.raw(`"self_video":false,"suppress":false,"mute":false,"deaf":false,"discoverable":true,"request_to_speak_timestamp":null`)
}

// topicRoom is how long a topic may be (Discord: 1024 characters).
const topicRoom = 1024

// pad lengthens topics, then the description, until GUILD_CREATE has about the planned size.
func (g *guildState) pad(c *content) {
	g.kept = c
	var o jsonOut
	o.guildCreate(&Server{world: &world{bot: g.bot}}, g, 0, 50)
	g.kept = nil
	missing := g.plan.bytes - len(o.b)
	for i := range c.channels {
		if missing <= 0 {
			return
		}
		if ch := &c.channels[i]; ch.kind == kindText {
			n := min(missing, topicRoom)
			ch.topic = strings.Repeat("about this room. ", n/17+1)[:n]
			missing -= n
		}
	}
	if missing > 0 {
		c.description = strings.Repeat("about this guild. ", missing/18+1)[:missing]
	}
}
