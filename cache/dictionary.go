package cache

// dictionary is what small parts are packed with: what repeats in all guilds, in
// the order in which Discord writes it, the most frequent last. A part is never
// unpacked with another dictionary than it was packed with: both end with the
// process.
const dictionary = `{"user":{"username":"","bot":true,"global_name":null,"display_name_styles":null,"primary_guild":null,` +
	`"collectibles":null,"id":"","public_flags":0,"discriminator":"0000","avatar_decoration_data":null,"display_name":null,"avatar":null,` +
	`"flags":0,"banner":null,"accent_color":null,"banner_color":null,"clan":null},"pending":false,"banner":null,"mute":false,"flags":0,` +
	`"communication_disabled_until":null,"roles":[""],"premium_since":null,"nick":null,"joined_at":"2025-01-01T00:00:00.000000+00:00",` +
	`"unusual_dm_activity_until":null,"deaf":false,"avatar":null}` +
	`{"id":"","name":"","icon":null,"description":null,"home_header":null,"splash":null,"discovery_splash":null,` +
	`"features":["COMMUNITY","NEWS","SOUNDBOARD","TIERLESS_BOOSTING","GUESTS_ENABLED","AUTO_MODERATION","ANIMATED_ICON","INVITE_SPLASH"],` +
	`"approximate_member_count":0,"approximate_presence_count":0,"banner":null,"owner_id":"","application_id":null,` +
	`"region":"deprecated","afk_channel_id":null,"afk_timeout":300,"system_channel_id":null,"system_channel_flags":0,"widget_enabled":false,` +
	`"widget_channel_id":null,"verification_level":1,"default_message_notifications":1,"mfa_level":0,"explicit_content_filter":2,` +
	`"max_presences":null,"max_members":25000000,"max_stage_video_channel_users":50,"max_video_channel_users":25,"vanity_url_code":null,` +
	`"premium_tier":0,"premium_subscription_count":0,"preferred_locale":"en-US","rules_channel_id":null,"safety_alerts_channel_id":null,` +
	`"public_updates_channel_id":null,"hub_type":null,"premium_progress_bar_enabled":false,` +
	`"premium_progress_bar_enabled_user_updated_at":null,"latest_onboarding_question_id":null,"nsfw":false,"nsfw_level":0,` +
	`"stickers":[{"name":"","tags":"","type":2,"format_type":1,"description":"","asset":"","available":true,"guild_id":""}],` +
	`"incidents_data":null,"inventory_settings":null,"embed_enabled":false,"embed_channel_id":null,"moderator_reporting":null,` +
	`"owner_configured_content_level":0,"application_command_counts":{},"premium_features":{"features":["TIERLESS_BOOSTING"],` +
	`"additional_emoji_slots":0,"additional_sticker_slots":0,"additional_sound_slots":0},"profile":null,"lazy":true,"large":false,` +
	`"member_count":0,"version":0,"emojis":[{"id":"","name":"","roles":[],"require_colons":true,"managed":false,"animated":false,"available":true},` +
	`{"require_colons":true,"name":"","animated":false,"managed":false,"id":"","roles":[],"available":true},` +
	`{"guild_id":"","parent_id":"","total_message_sent":0,"message_count":0,"owner_id":"","name":"","id":"","last_message_id":"",` +
	`"thread_metadata":{"locked":false,"invitable":true,"archived":false,"create_timestamp":"2026-01-01T00:00:00.000000+00:00",` +
	`"archive_timestamp":"2026-01-01T00:00:00.000000+00:00","auto_archive_duration":4320},"member_count":1,"rate_limit_per_user":0,"flags":0,` +
	`"type":11,"member":{"id":"","user_id":"","join_timestamp":"2026-01-01T00:00:00.000000+00:00","flags":0}},` +
	`{"id":"","type":0,"last_message_id":"","flags":0,"last_pin_timestamp":null,"guild_id":"","name":"","parent_id":"","rate_limit_per_user":0,` +
	`"topic":null,"position":0,"permission_overwrites":[],"nsfw":false,"icon_emoji":{"id":null,"name":""},"theme_color":null,` +
	`"default_sort_order":null,"available_tags":[{"name":"","moderated":false,"emoji_id":null,"id":"","emoji_name":null}],` +
	`"default_tag_setting":"match_some","default_reaction_emoji":{"emoji_id":null,"emoji_name":""},"default_forum_layout":0,"template":"",` +
	`"voice_background_display":null},` +
	`{"parent_id":"","bitrate":64000,"name":"","user_limit":0,"status":null,"last_message_id":null,"id":"","position":0,` +
	`"permission_overwrites":[],"version":0,"rate_limit_per_user":0,"flags":0,"guild_id":"","nsfw":false,"rtc_region":null,"type":2},` +
	`{"name":"","flags":0,"id":"","position":0,"permission_overwrites":[],"version":0,"guild_id":"","type":4},` +
	`{"topic":null,"parent_id":"","name":"","last_pin_timestamp":"2025-01-01T00:00:00+00:00","last_message_id":"","id":"","position":1,` +
	`"permission_overwrites":[{"id":"","allow":"0","deny":"1049600","type":1},{"id":"","allow":"0","deny":"1024","type":0}],` +
	`"version":0,"rate_limit_per_user":0,"flags":0,"guild_id":"","type":0},` +
	`{"id":"","name":"","description":null,"permissions":"0","position":0,"color":0,"colors":{"primary_color":0,"secondary_color":null,` +
	`"tertiary_color":null},"hoist":false,"managed":false,"mentionable":false,"icon":null,"unicode_emoji":null,"flags":0},` +
	`{"colors":{"secondary_color":null,"tertiary_color":null,"primary_color":0},"name":"","icon":null,"id":"","position":0,"hoist":false,` +
	`"version":0,"permissions":"0","unicode_emoji":null,"mentionable":false,"managed":true,"flags":0,"color":0,"tags":{"bot_id":""}},` +
	`{"colors":{"secondary_color":null,"tertiary_color":null,"primary_color":0},"name":"","icon":null,"id":"","position":1,"hoist":false,` +
	`"description":null,"permissions":"0","unicode_emoji":null,"mentionable":false,"managed":false,"flags":0,"color":0,"tags":{}}]`
