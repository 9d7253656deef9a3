package gateway

import "time"

// Event is one dispatch as Discord sent it.
//
// It is a value; its Data is shared by everyone who receives a copy of it and
// must not be written to.
type Event struct {
	// Set is Config.Number of the set whose session received it.
	Set int
	// Shard is the number of the shard whose session received it.
	Shard int
	// Seq is the session's sequence number. It grows within a session and starts
	// again with the READY of a new one. Only RESUMED may repeat the last number.
	Seq uint64
	// Name is the event's name, for example MESSAGE_CREATE.
	Name string
	// Guild is the guild the event belongs to, 0 when it belongs to none: guild_id
	// at the top level of the data, or, for GUILD_CREATE, GUILD_UPDATE and
	// GUILD_DELETE, id.
	Guild uint64
	// Channel is channel_id at the top level of the data, 0 when absent.
	Channel uint64
	// ID is id at the top level of the data, 0 when absent or not a snowflake.
	ID uint64
	// Received is when the payload was complete on this machine.
	Received time.Time
	// Took is, of a READY, how long before Received its IDENTIFY was sent.
	Took time.Duration
	// Replayed is set on what a RESUME brings: it may be late by any time.
	Replayed bool
	// Data is the payload's d, byte for byte.
	Data []byte
}

// Names of the dispatches that the session itself understands.
const (
	nameReady       = "READY"
	nameResumed     = "RESUMED"
	nameGuildCreate = "GUILD_CREATE"
	nameGuildUpdate = "GUILD_UPDATE"
	nameGuildDelete = "GUILD_DELETE"
)

// names interns event names. It is filled once and then only read, so that
// every link may share it.
type names map[string]string

func newNames() names {
	n := make(names, 128)
	for _, name := range knownNames() {
		n[name] = name
	}
	return n
}

// intern returns the name without allocating when Discord documents it.
func (n names) intern(b []byte) string {
	if name, ok := n[string(b)]; ok {
		return name
	}
	return string(b)
}

// knownNames lists the dispatches that Discord documents.
func knownNames() []string {
	return []string{
		nameReady, nameResumed, nameGuildCreate, nameGuildUpdate, nameGuildDelete,
		"APPLICATION_COMMAND_PERMISSIONS_UPDATE",
		"AUTO_MODERATION_RULE_CREATE", "AUTO_MODERATION_RULE_UPDATE",
		"AUTO_MODERATION_RULE_DELETE", "AUTO_MODERATION_ACTION_EXECUTION",
		"CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "CHANNEL_PINS_UPDATE", "CHANNEL_INFO",
		"THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE", "THREAD_LIST_SYNC",
		"THREAD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE",
		"ENTITLEMENT_CREATE", "ENTITLEMENT_UPDATE", "ENTITLEMENT_DELETE",
		"GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE",
		"GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE", "GUILD_INTEGRATIONS_UPDATE",
		"GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE", "GUILD_MEMBER_UPDATE", "GUILD_MEMBERS_CHUNK",
		"GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE",
		"GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE", "GUILD_SCHEDULED_EVENT_DELETE",
		"GUILD_SCHEDULED_EVENT_USER_ADD", "GUILD_SCHEDULED_EVENT_USER_REMOVE",
		"GUILD_SOUNDBOARD_SOUND_CREATE", "GUILD_SOUNDBOARD_SOUND_UPDATE",
		"GUILD_SOUNDBOARD_SOUND_DELETE", "GUILD_SOUNDBOARD_SOUNDS_UPDATE", "SOUNDBOARD_SOUNDS",
		"INTEGRATION_CREATE", "INTEGRATION_UPDATE", "INTEGRATION_DELETE",
		"INTERACTION_CREATE", "INVITE_CREATE", "INVITE_DELETE",
		"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK",
		"MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE",
		"MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI",
		"MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE",
		"PRESENCE_UPDATE", "RATE_LIMITED",
		"STAGE_INSTANCE_CREATE", "STAGE_INSTANCE_UPDATE", "STAGE_INSTANCE_DELETE",
		"SUBSCRIPTION_CREATE", "SUBSCRIPTION_UPDATE", "SUBSCRIPTION_DELETE",
		"TYPING_START", "USER_UPDATE",
		"VOICE_CHANNEL_EFFECT_SEND", "VOICE_CHANNEL_STATUS_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE",
		"VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE", "WEBHOOKS_UPDATE",
	}
}
