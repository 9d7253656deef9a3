package simulator

// Gateway intents.
const (
	intentGuilds            = 1 << 0
	intentMembers           = 1 << 1
	intentModeration        = 1 << 2
	intentExpressions       = 1 << 3
	intentIntegrations      = 1 << 4
	intentWebhooks          = 1 << 5
	intentInvites           = 1 << 6
	intentVoice             = 1 << 7
	intentPresences         = 1 << 8
	intentMessages          = 1 << 9
	intentReactions         = 1 << 10
	intentTyping            = 1 << 11
	intentDirectMessages    = 1 << 12
	intentDirectReactions   = 1 << 13
	intentDirectTyping      = 1 << 14
	intentContent           = 1 << 15
	intentScheduled         = 1 << 16
	intentModerationConfig  = 1 << 20
	intentModerationActions = 1 << 21
	intentPolls             = 1 << 24
	intentDirectPolls       = 1 << 25
	knownIntents            = 1<<17 - 1 | 1<<20 | 1<<21 | 1<<24 | 1<<25
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
	return guildIntent(name)
}

func either(inGuild bool, guild, direct uint64) uint64 {
	if inGuild {
		return guild
	}
	return direct
}

// guildIntent is the rest of the table: events that only guilds have.
func guildIntent(name string) uint64 {
	switch name {
	case "GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE",
		"CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE",
		"THREAD_LIST_SYNC", "THREAD_MEMBER_UPDATE", "STAGE_INSTANCE_CREATE", "STAGE_INSTANCE_UPDATE", "STAGE_INSTANCE_DELETE",
		"VOICE_CHANNEL_STATUS_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE":
		return intentGuilds
	case "THREAD_MEMBERS_UPDATE":
		return intentGuilds | intentMembers
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE":
		return intentMembers
	case "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE":
		return intentModeration
	case "GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE", "GUILD_SOUNDBOARD_SOUND_CREATE", "GUILD_SOUNDBOARD_SOUND_UPDATE",
		"GUILD_SOUNDBOARD_SOUND_DELETE", "GUILD_SOUNDBOARD_SOUNDS_UPDATE":
		return intentExpressions
	case "GUILD_INTEGRATIONS_UPDATE", "INTEGRATION_CREATE", "INTEGRATION_UPDATE", "INTEGRATION_DELETE":
		return intentIntegrations
	case "WEBHOOKS_UPDATE":
		return intentWebhooks
	case "INVITE_CREATE", "INVITE_DELETE":
		return intentInvites
	case "VOICE_STATE_UPDATE", "VOICE_CHANNEL_EFFECT_SEND":
		return intentVoice
	case "PRESENCE_UPDATE":
		return intentPresences
	case "MESSAGE_DELETE_BULK":
		return intentMessages
	case "GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE", "GUILD_SCHEDULED_EVENT_DELETE",
		"GUILD_SCHEDULED_EVENT_USER_ADD", "GUILD_SCHEDULED_EVENT_USER_REMOVE":
		return intentScheduled
	case "AUTO_MODERATION_RULE_CREATE", "AUTO_MODERATION_RULE_UPDATE", "AUTO_MODERATION_RULE_DELETE":
		return intentModerationConfig
	case "AUTO_MODERATION_ACTION_EXECUTION":
		return intentModerationActions
	}
	return 0
}
