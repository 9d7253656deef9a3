package cache

import (
	"encoding/json"
	"testing"
)

// What most libraries keep of a guild: structs with all of Discord's members,
// ids as strings, what may be null as pointers.

type parsedGuild struct {
	ID                          string   `json:"id"`
	Name                        string   `json:"name"`
	Icon                        *string  `json:"icon"`
	Description                 *string  `json:"description"`
	Splash                      *string  `json:"splash"`
	DiscoverySplash             *string  `json:"discovery_splash"`
	Features                    []string `json:"features"`
	Banner                      *string  `json:"banner"`
	OwnerID                     string   `json:"owner_id"`
	ApplicationID               *string  `json:"application_id"`
	Region                      *string  `json:"region"`
	AFKChannelID                *string  `json:"afk_channel_id"`
	AFKTimeout                  int      `json:"afk_timeout"`
	SystemChannelID             *string  `json:"system_channel_id"`
	SystemChannelFlags          int      `json:"system_channel_flags"`
	WidgetEnabled               *bool    `json:"widget_enabled"`
	WidgetChannelID             *string  `json:"widget_channel_id"`
	VerificationLevel           int      `json:"verification_level"`
	DefaultMessageNotifications int      `json:"default_message_notifications"`
	MFALevel                    int      `json:"mfa_level"`
	ExplicitContentFilter       int      `json:"explicit_content_filter"`
	MaxPresences                *int     `json:"max_presences"`
	MaxMembers                  int      `json:"max_members"`
	VanityURLCode               *string  `json:"vanity_url_code"`
	PremiumTier                 int      `json:"premium_tier"`
	PremiumSubscriptionCount    *int     `json:"premium_subscription_count"`
	PreferredLocale             string   `json:"preferred_locale"`
	RulesChannelID              *string  `json:"rules_channel_id"`
	PublicUpdatesChannelID      *string  `json:"public_updates_channel_id"`
	SafetyAlertsChannelID       *string  `json:"safety_alerts_channel_id"`
	ApproximateMemberCount      *int     `json:"approximate_member_count"`
	ApproximatePresenceCount    *int     `json:"approximate_presence_count"`
	NSFWLevel                   int      `json:"nsfw_level"`
	PremiumProgressBarEnabled   bool     `json:"premium_progress_bar_enabled"`

	Roles  []*parsedRole  `json:"roles"`
	Emojis []*parsedEmoji `json:"emojis"`
}

type parsedRole struct {
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	Permissions  string  `json:"permissions"`
	Position     int     `json:"position"`
	Color        int     `json:"color"`
	Hoist        bool    `json:"hoist"`
	Managed      bool    `json:"managed"`
	Mentionable  bool    `json:"mentionable"`
	Icon         *string `json:"icon"`
	UnicodeEmoji *string `json:"unicode_emoji"`
	Flags        int     `json:"flags"`
	Tags         *struct {
		BotID         string `json:"bot_id"`
		IntegrationID string `json:"integration_id"`
	} `json:"tags"`
}

type parsedEmoji struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Roles         []string `json:"roles"`
	RequireColons bool     `json:"require_colons"`
	Managed       bool     `json:"managed"`
	Animated      bool     `json:"animated"`
	Available     bool     `json:"available"`
}

type parsedChannel struct {
	ID                   string             `json:"id"`
	Type                 int                `json:"type"`
	GuildID              string             `json:"guild_id"`
	Position             int                `json:"position"`
	PermissionOverwrites []*parsedOverwrite `json:"permission_overwrites"`
	Name                 string             `json:"name"`
	Topic                *string            `json:"topic"`
	NSFW                 bool               `json:"nsfw"`
	LastMessageID        *string            `json:"last_message_id"`
	Bitrate              *int               `json:"bitrate"`
	UserLimit            *int               `json:"user_limit"`
	RateLimitPerUser     *int               `json:"rate_limit_per_user"`
	OwnerID              *string            `json:"owner_id"`
	ParentID             *string            `json:"parent_id"`
	LastPinTimestamp     *string            `json:"last_pin_timestamp"`
	RTCRegion            *string            `json:"rtc_region"`
	MessageCount         *int               `json:"message_count"`
	MemberCount          *int               `json:"member_count"`
	ThreadMetadata       *struct {
		Archived            bool   `json:"archived"`
		AutoArchiveDuration int    `json:"auto_archive_duration"`
		ArchiveTimestamp    string `json:"archive_timestamp"`
		Locked              bool   `json:"locked"`
		CreateTimestamp     string `json:"create_timestamp"`
	} `json:"thread_metadata"`
	Flags            *int `json:"flags"`
	TotalMessageSent *int `json:"total_message_sent"`
}

type parsedOverwrite struct {
	ID    string `json:"id"`
	Type  int    `json:"type"`
	Allow string `json:"allow"`
	Deny  string `json:"deny"`
}

type parsedMember struct {
	User struct {
		ID            string  `json:"id"`
		Username      string  `json:"username"`
		Discriminator string  `json:"discriminator"`
		GlobalName    *string `json:"global_name"`
		Avatar        *string `json:"avatar"`
		Bot           bool    `json:"bot"`
		PublicFlags   int     `json:"public_flags"`
	} `json:"user"`
	Nick                       *string  `json:"nick"`
	Avatar                     *string  `json:"avatar"`
	Roles                      []string `json:"roles"`
	JoinedAt                   string   `json:"joined_at"`
	PremiumSince               *string  `json:"premium_since"`
	Deaf                       bool     `json:"deaf"`
	Mute                       bool     `json:"mute"`
	Flags                      int      `json:"flags"`
	Pending                    bool     `json:"pending"`
	CommunicationDisabledUntil *string  `json:"communication_disabled_until"`
}

// parsedWhole is a guild as such a library keeps it, found by id.
type parsedWhole struct {
	guild             parsedGuild
	channels, threads map[string]*parsedChannel
	member            parsedMember
}

func parse(t testing.TB, b *bodies) *parsedWhole {
	t.Helper()
	w := &parsedWhole{channels: map[string]*parsedChannel{}, threads: map[string]*parsedChannel{}}
	var channels, threads []*parsedChannel
	for p, to := range map[Part]any{PartGuild: &w.guild, PartChannels: &channels, PartThreads: &threads, PartMember: &w.member} {
		if err := json.Unmarshal(*b.part(p), to); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range channels {
		w.channels[c.ID] = c
	}
	for _, c := range threads {
		w.threads[c.ID] = c
	}
	return w
}
