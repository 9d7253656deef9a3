package cache

import "strings"

// KeepKinds are the kinds of objects that have a keep-list.
func KeepKinds() []string {
	return []string{"guild", "channel", "thread", "role", "emoji", "sticker", "member", "voice_state", "presence"}
}

// alwaysKept are the fields of a kind that no keep-list drops: what events are
// told apart by, what permissions are made of ("Permissions", Permission
// Overwrites and Timeouts), and the flags, one of which says that the bot may not
// see a channel. The user's id of members and presences is kept, too.
func alwaysKept(kind string) []string {
	switch kind {
	case "guild":
		return []string{"id", "owner_id", "roles"}
	case "channel":
		return []string{"id", "guild_id", "type", "flags", "position", "parent_id", "permission_overwrites"}
	case "thread":
		return []string{"id", "guild_id", "type", "flags", "parent_id"}
	case "role":
		return []string{"id", "permissions", "position"}
	case "member":
		return []string{"roles", "communication_disabled_until"}
	case "voice_state":
		return []string{"user_id", "channel_id"}
	case "presence":
		return []string{"status"}
	default:
		return []string{"id"}
	}
}

// KeepFields are the fields of a kind's objects as Discord documents them
// ("Guild", "Channel", "Emoji", "Sticker", "Voice", and Gateway Events for what
// only GUILD_CREATE and PRESENCE_UPDATE carry), in their alphabetical order.
func KeepFields(kind string) (all []string, known bool) {
	var names string
	switch kind {
	case "guild":
		names = `afk_channel_id afk_timeout application_id approximate_member_count approximate_presence_count banner
			default_message_notifications description discovery_splash emojis explicit_content_filter features
			guild_scheduled_events home_header icon id incidents_data joined_at large max_members max_presences
			max_stage_video_channel_users max_video_channel_users member_count mfa_level name nsfw nsfw_level owner_id
			preferred_locale premium_progress_bar_enabled premium_subscription_count premium_tier
			public_updates_channel_id region roles rules_channel_id safety_alerts_channel_id soundboard_sounds splash
			stage_instances stickers system_channel_flags system_channel_id vanity_url_code verification_level
			welcome_screen widget_channel_id widget_enabled`
	case "channel":
		names = `available_tags bitrate default_auto_archive_duration default_forum_layout default_reaction_emoji
			default_sort_order default_thread_rate_limit_per_user flags guild_id icon_emoji id last_message_id
			last_pin_timestamp name nsfw parent_id permission_overwrites permissions position rate_limit_per_user
			rtc_region status topic type user_limit video_quality_mode voice_start_time`
	case "thread":
		names = `applied_tags bitrate flags guild_id id last_message_id last_pin_timestamp member member_count
			message_count name owner_id parent_id permissions rate_limit_per_user rtc_region thread_metadata
			total_message_sent type user_limit video_quality_mode`
	case "role":
		names = `color colors flags hoist icon id managed mentionable name permissions position tags unicode_emoji`
	case "emoji":
		names = `animated available id managed name require_colons roles user`
	case "sticker":
		names = `available description format_type guild_id id name pack_id sort_value tags type user`
	case "member":
		names = `avatar avatar_decoration_data banner collectibles communication_disabled_until deaf flags joined_at
			mute nick pending permissions premium_since roles unusual_dm_activity_until user`
	case "voice_state":
		names = `channel_id deaf mute request_to_speak_timestamp self_deaf self_mute self_stream self_video session_id
			suppress user_id`
	case "presence":
		names = `activities client_status status user`
	default:
		return nil, false
	}
	return strings.Fields(names), true
}
