package sdk

import (
	"fmt"
	"math/bits"
	"strings"
)

// Permissions is a set of Discord's permissions: of a role, of an overwrite, or
// what a member may do (Discord's documentation, "Permissions"). disgo's bit sets
// convert: sdk.Permissions(*interaction.AppPermissions).
type Permissions uint64

// The permissions, by the names and in the order of Discord's documentation.
const (
	PermissionCreateInstantInvite              Permissions = 1 << 0
	PermissionKickMembers                      Permissions = 1 << 1
	PermissionBanMembers                       Permissions = 1 << 2
	PermissionAdministrator                    Permissions = 1 << 3 // all the others, in every channel
	PermissionManageChannels                   Permissions = 1 << 4
	PermissionManageGuild                      Permissions = 1 << 5
	PermissionAddReactions                     Permissions = 1 << 6
	PermissionViewAuditLog                     Permissions = 1 << 7
	PermissionPrioritySpeaker                  Permissions = 1 << 8
	PermissionStream                           Permissions = 1 << 9
	PermissionViewChannel                      Permissions = 1 << 10
	PermissionSendMessages                     Permissions = 1 << 11 // not in threads; in forums it begins posts
	PermissionSendTTSMessages                  Permissions = 1 << 12
	PermissionManageMessages                   Permissions = 1 << 13
	PermissionEmbedLinks                       Permissions = 1 << 14
	PermissionAttachFiles                      Permissions = 1 << 15
	PermissionReadMessageHistory               Permissions = 1 << 16
	PermissionMentionEveryone                  Permissions = 1 << 17
	PermissionUseExternalEmojis                Permissions = 1 << 18
	PermissionViewGuildInsights                Permissions = 1 << 19
	PermissionConnect                          Permissions = 1 << 20
	PermissionSpeak                            Permissions = 1 << 21
	PermissionMuteMembers                      Permissions = 1 << 22
	PermissionDeafenMembers                    Permissions = 1 << 23
	PermissionMoveMembers                      Permissions = 1 << 24
	PermissionUseVAD                           Permissions = 1 << 25
	PermissionChangeNickname                   Permissions = 1 << 26
	PermissionManageNicknames                  Permissions = 1 << 27
	PermissionManageRoles                      Permissions = 1 << 28 // in a channel: its overwrites
	PermissionManageWebhooks                   Permissions = 1 << 29
	PermissionManageGuildExpressions           Permissions = 1 << 30
	PermissionUseApplicationCommands           Permissions = 1 << 31
	PermissionRequestToSpeak                   Permissions = 1 << 32
	PermissionManageEvents                     Permissions = 1 << 33
	PermissionManageThreads                    Permissions = 1 << 34
	PermissionCreatePublicThreads              Permissions = 1 << 35
	PermissionCreatePrivateThreads             Permissions = 1 << 36
	PermissionUseExternalStickers              Permissions = 1 << 37
	PermissionSendMessagesInThreads            Permissions = 1 << 38
	PermissionUseEmbeddedActivities            Permissions = 1 << 39
	PermissionModerateMembers                  Permissions = 1 << 40 // timeouts
	PermissionViewCreatorMonetizationAnalytics Permissions = 1 << 41
	PermissionUseSoundboard                    Permissions = 1 << 42
	PermissionCreateGuildExpressions           Permissions = 1 << 43
	PermissionCreateEvents                     Permissions = 1 << 44
	PermissionUseExternalSounds                Permissions = 1 << 45
	PermissionSendVoiceMessages                Permissions = 1 << 46
	PermissionSetVoiceChannelStatus            Permissions = 1 << 48
	PermissionSendPolls                        Permissions = 1 << 49
	PermissionUseExternalApps                  Permissions = 1 << 50
	PermissionPinMessages                      Permissions = 1 << 51
	PermissionBypassSlowmode                   Permissions = 1 << 52

	// AllPermissions is what a guild's owner and its administrators have, those
	// included that are newer than this list.
	AllPermissions = ^Permissions(0)
)

// permissionNames are Discord's names by bit. A bit without one is not in its
// documentation.
func permissionNames() [64]string {
	return [64]string{
		"CREATE_INSTANT_INVITE", "KICK_MEMBERS", "BAN_MEMBERS", "ADMINISTRATOR", "MANAGE_CHANNELS", "MANAGE_GUILD", "ADD_REACTIONS", "VIEW_AUDIT_LOG",
		"PRIORITY_SPEAKER", "STREAM", "VIEW_CHANNEL", "SEND_MESSAGES", "SEND_TTS_MESSAGES", "MANAGE_MESSAGES", "EMBED_LINKS", "ATTACH_FILES",
		"READ_MESSAGE_HISTORY", "MENTION_EVERYONE", "USE_EXTERNAL_EMOJIS", "VIEW_GUILD_INSIGHTS", "CONNECT", "SPEAK", "MUTE_MEMBERS", "DEAFEN_MEMBERS",
		"MOVE_MEMBERS", "USE_VAD", "CHANGE_NICKNAME", "MANAGE_NICKNAMES", "MANAGE_ROLES", "MANAGE_WEBHOOKS", "MANAGE_GUILD_EXPRESSIONS", "USE_APPLICATION_COMMANDS",
		"REQUEST_TO_SPEAK", "MANAGE_EVENTS", "MANAGE_THREADS", "CREATE_PUBLIC_THREADS", "CREATE_PRIVATE_THREADS", "USE_EXTERNAL_STICKERS", "SEND_MESSAGES_IN_THREADS", "USE_EMBEDDED_ACTIVITIES",
		"MODERATE_MEMBERS", "VIEW_CREATOR_MONETIZATION_ANALYTICS", "USE_SOUNDBOARD", "CREATE_GUILD_EXPRESSIONS", "CREATE_EVENTS", "USE_EXTERNAL_SOUNDS", "SEND_VOICE_MESSAGES", "",
		"SET_VOICE_CHANNEL_STATUS", "SEND_POLLS", "USE_EXTERNAL_APPS", "PIN_MESSAGES", "BYPASS_SLOWMODE",
	}
}

// ParsePermissions reads a set as Discord writes it: "2112", in roles,
// overwrites, and the members of interactions. Bits above the 64th, which
// Discord does not have yet, are left out.
func ParsePermissions(s string) (Permissions, error) {
	var p Permissions
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("parse permissions %.30q: use digits", s)
		}
		p = p*10 + Permissions(c-'0') // what overflows are the bits above
	}
	if s == "" {
		return 0, fmt.Errorf("parse permissions %q: use digits", s)
	}
	return p, nil
}

// Has says whether all of these are in the set:
//
//	may.Has(sdk.PermissionSendMessages | sdk.PermissionEmbedLinks)
//
// It looks at the bits alone: ask for what a member may do with Bot.Permissions,
// which knows what owners and administrators have.
func (p Permissions) Has(all Permissions) bool { return p&all == all }

// String lists Discord's names: "VIEW_CHANNEL, SEND_MESSAGES". A bit that has none
// is "1<<47", the empty set "none", and AllPermissions "all".
func (p Permissions) String() string {
	switch p {
	case 0:
		return "none"
	case AllPermissions:
		return "all"
	}
	names := permissionNames()
	var b strings.Builder
	for rest := p; rest != 0; rest &= rest - 1 {
		if rest != p {
			b.WriteString(", ")
		}
		if bit := bits.TrailingZeros64(uint64(rest)); names[bit] != "" {
			b.WriteString(names[bit])
		} else {
			fmt.Fprintf(&b, "1<<%d", bit)
		}
	}
	return b.String()
}
