package router

import (
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Intents of the gateway, as Discord's documentation numbers them
// ("Gateway", List of Intents).
const (
	intentGuilds                  uint64 = 1 << 0
	intentGuildMembers            uint64 = 1 << 1
	intentGuildModeration         uint64 = 1 << 2
	intentGuildExpressions        uint64 = 1 << 3
	intentGuildIntegrations       uint64 = 1 << 4
	intentGuildWebhooks           uint64 = 1 << 5
	intentGuildInvites            uint64 = 1 << 6
	intentGuildVoiceStates        uint64 = 1 << 7
	intentGuildPresences          uint64 = 1 << 8
	intentGuildMessages           uint64 = 1 << 9
	intentGuildMessageReactions   uint64 = 1 << 10
	intentGuildMessageTyping      uint64 = 1 << 11
	intentDirectMessages          uint64 = 1 << 12
	intentDirectMessageReactions  uint64 = 1 << 13
	intentDirectMessageTyping     uint64 = 1 << 14
	intentMessageContent          uint64 = 1 << 15
	intentGuildScheduledEvents    uint64 = 1 << 16
	intentAutoModerationConfig    uint64 = 1 << 20
	intentAutoModerationExecution uint64 = 1 << 21
	intentGuildMessagePolls       uint64 = 1 << 24
	intentDirectMessagePolls      uint64 = 1 << 25
)

// intentsOf says which intents make Discord send an event. A message without
// its content is of little use, so messages ask for MESSAGE_CONTENT as well.
// Events that are not here come without an intent.
func intentsOf(event string) uint64 {
	switch event {
	case "MESSAGE_CREATE", "MESSAGE_UPDATE":
		return intentGuildMessages | intentDirectMessages | intentMessageContent
	case "MESSAGE_DELETE":
		return intentGuildMessages | intentDirectMessages
	case "MESSAGE_DELETE_BULK":
		return intentGuildMessages
	case "CHANNEL_PINS_UPDATE":
		return intentGuilds | intentDirectMessages
	case "MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI":
		return intentGuildMessageReactions | intentDirectMessageReactions
	case "MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE":
		return intentGuildMessagePolls | intentDirectMessagePolls
	case "TYPING_START":
		return intentGuildMessageTyping | intentDirectMessageTyping
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "THREAD_MEMBERS_UPDATE":
		return intentGuilds | intentGuildMembers
	case "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE":
		return intentGuildModeration
	case "GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE", "GUILD_SOUNDBOARD_SOUND_CREATE", "GUILD_SOUNDBOARD_SOUND_UPDATE",
		"GUILD_SOUNDBOARD_SOUND_DELETE", "GUILD_SOUNDBOARD_SOUNDS_UPDATE":
		return intentGuildExpressions
	case "GUILD_INTEGRATIONS_UPDATE", "INTEGRATION_CREATE", "INTEGRATION_UPDATE", "INTEGRATION_DELETE":
		return intentGuildIntegrations
	case "WEBHOOKS_UPDATE":
		return intentGuildWebhooks
	case "INVITE_CREATE", "INVITE_DELETE":
		return intentGuildInvites
	case "VOICE_STATE_UPDATE", "VOICE_CHANNEL_EFFECT_SEND":
		return intentGuildVoiceStates
	case "PRESENCE_UPDATE":
		return intentGuildPresences
	case "GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE", "GUILD_SCHEDULED_EVENT_DELETE",
		"GUILD_SCHEDULED_EVENT_USER_ADD", "GUILD_SCHEDULED_EVENT_USER_REMOVE":
		return intentGuildScheduledEvents
	case "AUTO_MODERATION_RULE_CREATE", "AUTO_MODERATION_RULE_UPDATE", "AUTO_MODERATION_RULE_DELETE":
		return intentAutoModerationConfig
	case "AUTO_MODERATION_ACTION_EXECUTION":
		return intentAutoModerationExecution
	}
	return 0
}

// Brings says whether Discord sends an event to a session with these intents.
func Brings(intents uint64, event string) bool {
	need := intentsOf(event) &^ intentMessageContent
	switch event {
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE":
		need &^= intentGuilds // with GUILDS come those of the bot itself, which are none of these
	}
	return need == 0 || intents&need != 0
}

// Intents is the union of what the manifests' events need, of what the
// manifests ask for besides, and of GUILDS, without which there are no guilds.
func Intents(manifests []*wire.Manifest) uint64 {
	intents := intentGuilds
	for _, m := range manifests {
		intents |= m.GetIntents()
		for _, s := range m.GetEvents() {
			intents |= intentsOf(s.GetEvent())
		}
	}
	return intents
}
