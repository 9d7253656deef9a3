package router

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// intentName is an intent's name in Discord's documentation, "" for one that is
// not in it.
func intentName(bit uint64) string {
	switch bit {
	case intentGuilds:
		return "GUILDS"
	case intentGuildMembers:
		return "GUILD_MEMBERS"
	case intentGuildModeration:
		return "GUILD_MODERATION"
	case intentGuildExpressions:
		return "GUILD_EXPRESSIONS"
	case intentGuildIntegrations:
		return "GUILD_INTEGRATIONS"
	case intentGuildWebhooks:
		return "GUILD_WEBHOOKS"
	case intentGuildInvites:
		return "GUILD_INVITES"
	case intentGuildVoiceStates:
		return "GUILD_VOICE_STATES"
	case intentGuildPresences:
		return "GUILD_PRESENCES"
	case intentGuildMessages:
		return "GUILD_MESSAGES"
	case intentGuildMessageReactions:
		return "GUILD_MESSAGE_REACTIONS"
	case intentGuildMessageTyping:
		return "GUILD_MESSAGE_TYPING"
	case intentDirectMessages:
		return "DIRECT_MESSAGES"
	case intentDirectMessageReactions:
		return "DIRECT_MESSAGE_REACTIONS"
	case intentDirectMessageTyping:
		return "DIRECT_MESSAGE_TYPING"
	case intentMessageContent:
		return "MESSAGE_CONTENT"
	case intentGuildScheduledEvents:
		return "GUILD_SCHEDULED_EVENTS"
	case intentAutoModerationConfig:
		return "AUTO_MODERATION_CONFIGURATION"
	case intentAutoModerationExecution:
		return "AUTO_MODERATION_EXECUTION"
	case intentGuildMessagePolls:
		return "GUILD_MESSAGE_POLLS"
	case intentDirectMessagePolls:
		return "DIRECT_MESSAGE_POLLS"
	}
	return ""
}

// IntentNames lists the intents by their names in Discord's documentation; one
// that is not in it is told as 1<<n.
func IntentNames(intents uint64) []string {
	var names []string
	for ; intents != 0; intents &= intents - 1 {
		bit := bits.TrailingZeros64(intents)
		name := intentName(1 << bit)
		if name == "" {
			name = fmt.Sprintf("1<<%d", bit)
		}
		names = append(names, name)
	}
	return names
}

// Intent is the intent of a name in Discord's documentation.
func Intent(name string) (intent uint64, ok bool) {
	for bit := uint64(1); bit != 0; bit <<= 1 {
		if known := intentName(bit); known != "" && known == name {
			return bit, true
		}
	}
	return 0, false
}

// KnownIntents are all that Discord's documentation names.
func KnownIntents() (all uint64) {
	for bit := uint64(1); bit != 0; bit <<= 1 {
		if intentName(bit) != "" {
			all |= bit
		}
	}
	return all
}

// PrivilegedIntents are those that a switch in Discord's developer portal allows.
func PrivilegedIntents() uint64 {
	return intentGuildMembers | intentGuildPresences | intentMessageContent
}

// Need is why a plugin needs an intent.
type Need struct {
	Plugin string
	Intent uint64 // one bit
	// Events come with the intent. None: the manifest asks for the intent itself.
	Events []string
}

// String tells it as part of a sentence.
func (n Need) String() string {
	name := strings.Join(IntentNames(n.Intent), "")
	if len(n.Events) == 0 {
		return fmt.Sprintf("%s asks for %s", n.Plugin, name)
	}
	return fmt.Sprintf("%s needs %s for %s", n.Plugin, name, strings.Join(n.Events, ", "))
}

// Needs lists who needs which of these intents, and for which events.
func Needs(manifests []*wire.Manifest, intents uint64) []Need {
	var all []Need
	for _, m := range manifests {
		for rest := intents; rest != 0; rest &= rest - 1 {
			n := Need{Plugin: m.GetName(), Intent: rest & -rest}
			for _, s := range m.GetEvents() {
				if event := s.GetEvent(); intentsOf(event)&n.Intent != 0 && !slices.Contains(n.Events, event) {
					n.Events = append(n.Events, event)
				}
			}
			if len(n.Events) > 0 || m.GetIntents()&n.Intent != 0 {
				all = append(all, n)
			}
		}
	}
	return all
}
