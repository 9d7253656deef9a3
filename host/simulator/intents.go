package simulator

// Gateway intents.
const (
	intentGuilds                   = 1 << 0
	intentMembers                  = 1 << 1
	intentModeration               = 1 << 2
	intentExpressions              = 1 << 3
	intentIntegrations             = 1 << 4
	intentWebhooks                 = 1 << 5
	intentInvites                  = 1 << 6
	intentVoice                    = 1 << 7
	intentPresences                = 1 << 8
	intentMessages                 = 1 << 9
	intentReactions                = 1 << 10
	intentTyping                   = 1 << 11
	intentDirectMessages           = 1 << 12
	intentDirectReactions          = 1 << 13
	intentDirectTyping             = 1 << 14
	intentContent                  = 1 << 15
	intentScheduled                = 1 << 16
	intentModerationConfig         = 1 << 20
	intentModerationActions        = 1 << 21
	intentPolls                    = 1 << 24
	intentDirectPolls              = 1 << 25
	knownIntents                   = 1<<17 - 1 | 1<<20 | 1<<21 | 1<<24 | 1<<25
	privilegedIntents       uint64 = intentMembers | intentPresences | intentContent
)

// needed tells which intents bring an event, any one of them, and whether it comes in a guild or directly.
// Zero: it always comes. (Discord's documentation, "List of Intents".)
func needed(name string, inGuild bool) uint64 {
	switch name {
	case "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE":
		return either(inGuild, intentMessages, intentDirectMessages)
	case "MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI":
		return either(inGuild, intentReactions, intentDirectReactions)
	case "TYPING_START":
		return either(inGuild, intentTyping, intentDirectTyping)
	case "MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE":
		return either(inGuild, intentPolls, intentDirectPolls)
	case "CHANNEL_PINS_UPDATE":
		return either(inGuild, intentGuilds, intentDirectMessages)
	}
	return guildIntents[name]
}

func either(inGuild bool, guild, direct uint64) uint64 {
	if inGuild {
		return guild
	}
	return direct
}

// guildIntents is the rest of the table: events that only guilds have. It is never written to.
var guildIntents = map[string]uint64{
	"GUILD_CREATE": intentGuilds, "GUILD_UPDATE": intentGuilds, "GUILD_DELETE": intentGuilds,
	"GUILD_ROLE_CREATE": intentGuilds, "GUILD_ROLE_UPDATE": intentGuilds, "GUILD_ROLE_DELETE": intentGuilds,
	"CHANNEL_CREATE": intentGuilds, "CHANNEL_UPDATE": intentGuilds, "CHANNEL_DELETE": intentGuilds,
	"THREAD_CREATE": intentGuilds, "THREAD_UPDATE": intentGuilds, "THREAD_DELETE": intentGuilds,
	"THREAD_LIST_SYNC": intentGuilds, "THREAD_MEMBER_UPDATE": intentGuilds,
	"THREAD_MEMBERS_UPDATE": intentGuilds | intentMembers,
	"STAGE_INSTANCE_CREATE": intentGuilds, "STAGE_INSTANCE_UPDATE": intentGuilds, "STAGE_INSTANCE_DELETE": intentGuilds,
	"VOICE_CHANNEL_STATUS_UPDATE": intentGuilds, "VOICE_CHANNEL_START_TIME_UPDATE": intentGuilds,
	"GUILD_MEMBER_ADD": intentMembers, "GUILD_MEMBER_UPDATE": intentMembers, "GUILD_MEMBER_REMOVE": intentMembers,
	"GUILD_AUDIT_LOG_ENTRY_CREATE": intentModeration, "GUILD_BAN_ADD": intentModeration, "GUILD_BAN_REMOVE": intentModeration,
	"GUILD_EMOJIS_UPDATE": intentExpressions, "GUILD_STICKERS_UPDATE": intentExpressions,
	"GUILD_SOUNDBOARD_SOUND_CREATE": intentExpressions, "GUILD_SOUNDBOARD_SOUND_UPDATE": intentExpressions,
	"GUILD_SOUNDBOARD_SOUND_DELETE": intentExpressions, "GUILD_SOUNDBOARD_SOUNDS_UPDATE": intentExpressions,
	"GUILD_INTEGRATIONS_UPDATE": intentIntegrations, "INTEGRATION_CREATE": intentIntegrations,
	"INTEGRATION_UPDATE": intentIntegrations, "INTEGRATION_DELETE": intentIntegrations,
	"WEBHOOKS_UPDATE": intentWebhooks,
	"INVITE_CREATE":   intentInvites, "INVITE_DELETE": intentInvites,
	"VOICE_STATE_UPDATE": intentVoice, "VOICE_CHANNEL_EFFECT_SEND": intentVoice,
	"PRESENCE_UPDATE":              intentPresences,
	"MESSAGE_DELETE_BULK":          intentMessages,
	"GUILD_SCHEDULED_EVENT_CREATE": intentScheduled, "GUILD_SCHEDULED_EVENT_UPDATE": intentScheduled,
	"GUILD_SCHEDULED_EVENT_DELETE": intentScheduled, "GUILD_SCHEDULED_EVENT_USER_ADD": intentScheduled,
	"GUILD_SCHEDULED_EVENT_USER_REMOVE": intentScheduled,
	"AUTO_MODERATION_RULE_CREATE":       intentModerationConfig, "AUTO_MODERATION_RULE_UPDATE": intentModerationConfig,
	"AUTO_MODERATION_RULE_DELETE":      intentModerationConfig,
	"AUTO_MODERATION_ACTION_EXECUTION": intentModerationActions,
}
