package sdk

import (
	"strings"
	"testing"

	"github.com/switchupcb/disgo"
)

// TestPermissionNames compares with disgo's constants, made by others from the
// same page, and with a few that are newer (Discord's documentation, "Bitwise
// Permission Flags").
func TestPermissionNames(t *testing.T) {
	for name, flag := range map[string]disgo.BitFlag{
		"CREATE_INSTANT_INVITE":               disgo.FlagBitwisePermissionCREATE_INSTANT_INVITE,
		"KICK_MEMBERS":                        disgo.FlagBitwisePermissionKICK_MEMBERS,
		"BAN_MEMBERS":                         disgo.FlagBitwisePermissionBAN_MEMBERS,
		"ADMINISTRATOR":                       disgo.FlagBitwisePermissionADMINISTRATOR,
		"MANAGE_CHANNELS":                     disgo.FlagBitwisePermissionMANAGE_CHANNELS,
		"MANAGE_GUILD":                        disgo.FlagBitwisePermissionMANAGE_GUILD,
		"ADD_REACTIONS":                       disgo.FlagBitwisePermissionADD_REACTIONS,
		"VIEW_AUDIT_LOG":                      disgo.FlagBitwisePermissionVIEW_AUDIT_LOG,
		"PRIORITY_SPEAKER":                    disgo.FlagBitwisePermissionPRIORITY_SPEAKER,
		"STREAM":                              disgo.FlagBitwisePermissionSTREAM,
		"VIEW_CHANNEL":                        disgo.FlagBitwisePermissionVIEW_CHANNEL,
		"SEND_MESSAGES":                       disgo.FlagBitwisePermissionSEND_MESSAGES,
		"SEND_TTS_MESSAGES":                   disgo.FlagBitwisePermissionSEND_TTS_MESSAGES,
		"MANAGE_MESSAGES":                     disgo.FlagBitwisePermissionMANAGE_MESSAGES,
		"EMBED_LINKS":                         disgo.FlagBitwisePermissionEMBED_LINKS,
		"ATTACH_FILES":                        disgo.FlagBitwisePermissionATTACH_FILES,
		"READ_MESSAGE_HISTORY":                disgo.FlagBitwisePermissionREAD_MESSAGE_HISTORY,
		"MENTION_EVERYONE":                    disgo.FlagBitwisePermissionMENTION_EVERYONE,
		"USE_EXTERNAL_EMOJIS":                 disgo.FlagBitwisePermissionUSE_EXTERNAL_EMOJIS,
		"VIEW_GUILD_INSIGHTS":                 disgo.FlagBitwisePermissionVIEW_GUILD_INSIGHTS,
		"CONNECT":                             disgo.FlagBitwisePermissionCONNECT,
		"SPEAK":                               disgo.FlagBitwisePermissionSPEAK,
		"MUTE_MEMBERS":                        disgo.FlagBitwisePermissionMUTE_MEMBERS,
		"DEAFEN_MEMBERS":                      disgo.FlagBitwisePermissionDEAFEN_MEMBERS,
		"MOVE_MEMBERS":                        disgo.FlagBitwisePermissionMOVE_MEMBERS,
		"USE_VAD":                             disgo.FlagBitwisePermissionUSE_VAD,
		"CHANGE_NICKNAME":                     disgo.FlagBitwisePermissionCHANGE_NICKNAME,
		"MANAGE_NICKNAMES":                    disgo.FlagBitwisePermissionMANAGE_NICKNAMES,
		"MANAGE_ROLES":                        disgo.FlagBitwisePermissionMANAGE_ROLES,
		"MANAGE_WEBHOOKS":                     disgo.FlagBitwisePermissionMANAGE_WEBHOOKS,
		"MANAGE_GUILD_EXPRESSIONS":            disgo.FlagBitwisePermissionMANAGE_GUILD_EXPRESSIONS,
		"USE_APPLICATION_COMMANDS":            disgo.FlagBitwisePermissionUSE_APPLICATION_COMMANDS,
		"REQUEST_TO_SPEAK":                    disgo.FlagBitwisePermissionREQUEST_TO_SPEAK,
		"MANAGE_EVENTS":                       disgo.FlagBitwisePermissionMANAGE_EVENTS,
		"MANAGE_THREADS":                      disgo.FlagBitwisePermissionMANAGE_THREADS,
		"CREATE_PUBLIC_THREADS":               disgo.FlagBitwisePermissionCREATE_PUBLIC_THREADS,
		"CREATE_PRIVATE_THREADS":              disgo.FlagBitwisePermissionCREATE_PRIVATE_THREADS,
		"USE_EXTERNAL_STICKERS":               disgo.FlagBitwisePermissionUSE_EXTERNAL_STICKERS,
		"SEND_MESSAGES_IN_THREADS":            disgo.FlagBitwisePermissionSEND_MESSAGES_IN_THREADS,
		"USE_EMBEDDED_ACTIVITIES":             disgo.FlagBitwisePermissionUSE_EMBEDDED_ACTIVITIES,
		"MODERATE_MEMBERS":                    disgo.FlagBitwisePermissionMODERATE_MEMBERS,
		"VIEW_CREATOR_MONETIZATION_ANALYTICS": disgo.FlagBitwisePermissionVIEW_CREATOR_MONETIZATION_ANALYTICS,
		"USE_SOUNDBOARD":                      disgo.FlagBitwisePermissionUSE_SOUNDBOARD,
		"USE_EXTERNAL_SOUNDS":                 disgo.FlagBitwisePermissionUSE_EXTERNAL_SOUNDS,
		"SEND_VOICE_MESSAGES":                 disgo.FlagBitwisePermissionSEND_VOICE_MESSAGES,
		"CREATE_GUILD_EXPRESSIONS":            1 << 43,
		"CREATE_EVENTS":                       1 << 44,
		"SET_VOICE_CHANNEL_STATUS":            1 << 48,
		"SEND_POLLS":                          1 << 49,
		"USE_EXTERNAL_APPS":                   1 << 50,
		"PIN_MESSAGES":                        1 << 51,
		"BYPASS_SLOWMODE":                     1 << 52,
	} {
		if got := Permissions(flag).String(); got != name {
			t.Errorf("bit %#x is %s, want %s", flag, got, name)
		}
	}
}

// TestPermissionConstants compares each constant with the name of its bit.
func TestPermissionConstants(t *testing.T) {
	for name, p := range map[string]Permissions{
		"CreateInstantInvite": PermissionCreateInstantInvite, "KickMembers": PermissionKickMembers, "BanMembers": PermissionBanMembers,
		"Administrator": PermissionAdministrator, "ManageChannels": PermissionManageChannels, "ManageGuild": PermissionManageGuild,
		"AddReactions": PermissionAddReactions, "ViewAuditLog": PermissionViewAuditLog, "PrioritySpeaker": PermissionPrioritySpeaker,
		"Stream": PermissionStream, "ViewChannel": PermissionViewChannel, "SendMessages": PermissionSendMessages,
		"SendTTSMessages": PermissionSendTTSMessages, "ManageMessages": PermissionManageMessages, "EmbedLinks": PermissionEmbedLinks,
		"AttachFiles": PermissionAttachFiles, "ReadMessageHistory": PermissionReadMessageHistory, "MentionEveryone": PermissionMentionEveryone,
		"UseExternalEmojis": PermissionUseExternalEmojis, "ViewGuildInsights": PermissionViewGuildInsights, "Connect": PermissionConnect,
		"Speak": PermissionSpeak, "MuteMembers": PermissionMuteMembers, "DeafenMembers": PermissionDeafenMembers,
		"MoveMembers": PermissionMoveMembers, "UseVAD": PermissionUseVAD, "ChangeNickname": PermissionChangeNickname,
		"ManageNicknames": PermissionManageNicknames, "ManageRoles": PermissionManageRoles, "ManageWebhooks": PermissionManageWebhooks,
		"ManageGuildExpressions": PermissionManageGuildExpressions, "UseApplicationCommands": PermissionUseApplicationCommands,
		"RequestToSpeak": PermissionRequestToSpeak, "ManageEvents": PermissionManageEvents, "ManageThreads": PermissionManageThreads,
		"CreatePublicThreads": PermissionCreatePublicThreads, "CreatePrivateThreads": PermissionCreatePrivateThreads,
		"UseExternalStickers": PermissionUseExternalStickers, "SendMessagesInThreads": PermissionSendMessagesInThreads,
		"UseEmbeddedActivities": PermissionUseEmbeddedActivities, "ModerateMembers": PermissionModerateMembers,
		"ViewCreatorMonetizationAnalytics": PermissionViewCreatorMonetizationAnalytics, "UseSoundboard": PermissionUseSoundboard,
		"CreateGuildExpressions": PermissionCreateGuildExpressions, "CreateEvents": PermissionCreateEvents,
		"UseExternalSounds": PermissionUseExternalSounds, "SendVoiceMessages": PermissionSendVoiceMessages,
		"SetVoiceChannelStatus": PermissionSetVoiceChannelStatus, "SendPolls": PermissionSendPolls, "UseExternalApps": PermissionUseExternalApps,
		"PinMessages": PermissionPinMessages, "BypassSlowmode": PermissionBypassSlowmode,
	} {
		if !strings.EqualFold(strings.ReplaceAll(p.String(), "_", ""), name) {
			t.Errorf("Permission%s is %s", name, p)
		}
	}
}

func TestPermissionsInWords(t *testing.T) {
	for want, p := range map[string]Permissions{
		"none": 0,
		"all":  AllPermissions,
		"KICK_MEMBERS, VIEW_CHANNEL, BYPASS_SLOWMODE": PermissionViewChannel | PermissionBypassSlowmode | PermissionKickMembers,
		"1<<47, 1<<63": 1<<63 | 1<<47,
	} {
		if got := p.String(); got != want {
			t.Errorf("%#x is %q, want %q", uint64(p), got, want)
		}
	}
	may := PermissionViewChannel | PermissionSendMessages
	if !may.Has(PermissionViewChannel) || !may.Has(may) || !may.Has(0) || may.Has(PermissionSendMessages|PermissionSpeak) || Permissions(0).Has(PermissionSpeak) {
		t.Error("Has")
	}
}

// TestParsePermissions reads numbers as Discord writes them, of any length.
func TestParsePermissions(t *testing.T) {
	for s, want := range map[string]Permissions{
		"0": 0, "8": PermissionAdministrator, "2112": PermissionAddReactions | PermissionSendMessages, "002112": 2112,
		"18446744073709551615": AllPermissions, "18446744073709551616": 0, "18446744073709551624": PermissionAdministrator,
		"340282366920938463463374607431768211456": 0, "340282366920938463463374607431768212480": PermissionViewChannel, // 2^128 and 2^128 + 2^10
	} {
		if got, err := ParsePermissions(s); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", " 8", "8 ", "-8", "+8", "0x8", "8.0", "1e3", "eight", "８"} {
		if got, err := ParsePermissions(s); err == nil || got != 0 {
			t.Errorf("%q is %s, %v", s, got, err)
		}
	}
}
