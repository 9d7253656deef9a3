package cache

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Guilds made up after those that Discord sends: its members in its order, and
// ids, names, permissions and topics that repeat no more than real ones do.

type maker struct {
	rnd   *rand.Rand
	words []string
	b     []byte
}

func newMaker(seed uint64) *maker {
	m := &maker{rnd: rand.New(rand.NewPCG(seed, 5))}
	for range 3000 {
		word := make([]byte, 2+m.rnd.IntN(8))
		for i := range word {
			word[i] = "eeeaaoinstrrhldcumfpgwybvk"[m.rnd.IntN(26)]
		}
		m.words = append(m.words, string(word))
	}
	return m
}

// add appends; of each % the next value takes the place: a string as it is,
// a number, an id with quotes.
func (m *maker) add(form string, values ...any) {
	for i, piece := range strings.Split(form, "%") {
		if i > 0 {
			switch v := values[i-1].(type) {
			case string:
				m.b = append(m.b, v...)
			case int:
				m.b = strconv.AppendInt(m.b, int64(v), 10)
			case bool:
				m.b = strconv.AppendBool(m.b, v)
			case uint64:
				m.b = append(m.b, quoted(v)...)
			}
		}
		m.b = append(m.b, piece...)
	}
}

func (m *maker) id() uint64 {
	return 300_000_000_000_000_000 + m.rnd.Uint64N(1_000_000_000_000_000_000)
}

func (m *maker) name(words int) string {
	name := make([]string, 1+m.rnd.IntN(words))
	for i := range name {
		name[i] = m.words[min(m.rnd.IntN(len(m.words)), m.rnd.IntN(len(m.words)))]
	}
	return strings.Join(name, "-")
}

// nullable is null, or sometimes text in quotes.
func (m *maker) nullable(chance float64, words int) string {
	if m.rnd.Float64() >= chance {
		return "null"
	}
	return `"` + strings.ReplaceAll(m.name(words), "-", " ") + `"`
}

func (m *maker) hash() string {
	const hex = "0123456789abcdef"
	h := make([]byte, 32)
	for i := range h {
		h[i] = hex[m.rnd.IntN(16)]
	}
	return string(h)
}

func (m *maker) permissions() string {
	return `"` + strconv.FormatUint(m.rnd.Uint64N(1<<50)&m.rnd.Uint64N(1<<50), 10) + `"`
}

func (m *maker) version() int {
	return m.rnd.IntN(2) * (1_660_000_000_000 + m.rnd.IntN(110_000_000_000))
}

func (m *maker) taken() []byte {
	b := m.b
	m.b = nil
	return b
}

// guild makes one of about this many bytes.
func (m *maker) guild(guild, self uint64, size int) (b bodies) {
	roles := []uint64{guild}
	for range max(size/1250, 1) {
		roles = append(roles, m.id())
	}
	m.add(`{"id":%,"name":"%","icon":"%","description":%,"home_header":null,"splash":null,"discovery_splash":null,"features":["COMMUNITY","NEWS"],`+
		`"banner":null,"owner_id":%,"application_id":null,"region":"us-central","afk_channel_id":null,"afk_timeout":300,"system_channel_id":%,`+
		`"system_channel_flags":0,"widget_enabled":false,"widget_channel_id":null,"verification_level":1,"roles":[`,
		guild, m.name(3), m.hash(), m.nullable(0.5, 20), m.id(), m.id())
	for i, r := range roles {
		m.role(i, r)
	}
	m.add(`],"default_message_notifications":1,"mfa_level":0,"explicit_content_filter":2,"max_presences":null,"max_members":500000,` +
		`"max_stage_video_channel_users":50,"max_video_channel_users":25,"vanity_url_code":null,"premium_tier":1,"premium_subscription_count":3,` +
		`"preferred_locale":"en-US","rules_channel_id":null,"safety_alerts_channel_id":null,"public_updates_channel_id":null,"hub_type":null,` +
		`"premium_progress_bar_enabled":false,"nsfw":false,"nsfw_level":0,"stickers":[],"emojis":[`)
	for i := range size / 1100 {
		m.comma(i)
		m.add(`{"id":%,"name":"%","roles":[],"require_colons":true,"managed":false,"animated":%,"available":true}`, m.id(), m.name(1), m.rnd.IntN(3) == 0)
	}
	m.add(`],"incidents_data":null,"inventory_settings":null,"embed_enabled":false,"embed_channel_id":null,` +
		`"approximate_member_count":1234,"approximate_presence_count":321}`)
	b.Guild = m.taken()
	b.Channels = m.channels(guild, roles, max(size/800, 2))
	m.add(`[`)
	for i := range size / 12_000 {
		m.thread(i, guild)
	}
	m.add(`]`)
	b.Threads = m.taken()
	m.add(`{"avatar":null,"banner":null,"communication_disabled_until":null,"flags":0,"joined_at":"2024-02-08T20:17:21.018000+00:00","nick":null,`+
		`"pending":false,"premium_since":null,"roles":[%],"unusual_dm_activity_until":null,"user":{"id":%,"username":"%","avatar":"%",`+
		`"discriminator":"7281","public_flags":0,"flags":0,"bot":true,"banner":null,"accent_color":null,"global_name":null,`+
		`"avatar_decoration_data":null,"collectibles":null,"display_name_styles":null,"banner_color":null,"clan":null,"primary_guild":null},`+
		`"mute":false,"deaf":false}`, roles[len(roles)-1], self, m.name(1), m.hash())
	b.Member = m.taken()
	return b
}

func (m *maker) comma(i int) {
	if i > 0 {
		m.b = append(m.b, ',')
	}
}

func (m *maker) role(i int, id uint64) {
	m.comma(i)
	color := m.rnd.IntN(2) * m.rnd.IntN(1<<24)
	m.add(`{"id":%,"name":"%","description":null,"permissions":%,"position":%,"color":%,`+
		`"colors":{"primary_color":%,"secondary_color":null,"tertiary_color":null},"hoist":%,"managed":false,"mentionable":%,"icon":null,`+
		`"unicode_emoji":null,"flags":0}`, id, m.name(2), m.permissions(), i, color, color, m.rnd.IntN(3) == 0, m.rnd.IntN(4) == 0)
}

func (m *maker) channels(guild uint64, roles []uint64, n int) []byte {
	parent := m.id()
	m.add(`[`)
	for i := range n {
		m.comma(i)
		switch id := m.id(); {
		case i%8 == 0:
			parent = id
			m.add(`{"id":%,"type":4,"flags":0,"guild_id":%,"name":"%","parent_id":null,"position":%,"permission_overwrites":[`, id, guild, m.name(2), i)
		case i%5 == 0:
			m.add(`{"id":%,"type":2,"last_message_id":null,"flags":0,"guild_id":%,"name":"%","parent_id":%,"rate_limit_per_user":0,"bitrate":64000,`+
				`"user_limit":%,"rtc_region":null,"position":%,"nsfw":false,"icon_emoji":null,"theme_color":null,"permission_overwrites":[`,
				id, guild, m.name(2), parent, m.rnd.IntN(3)*5, i)
		default:
			m.add(`{"id":%,"type":0,"last_message_id":%,"flags":0,"last_pin_timestamp":null,"guild_id":%,"name":"%","parent_id":%,`+
				`"rate_limit_per_user":0,"topic":%,"version":%,"position":%,"nsfw":false,"icon_emoji":null,"theme_color":null,"permission_overwrites":[`,
				id, m.id(), guild, m.name(3), parent, m.nullable(0.4, 24), m.version(), i)
		}
		for j := range m.rnd.IntN(4) {
			m.comma(j)
			m.add(`{"id":%,"type":0,"allow":%,"deny":%}`, roles[m.rnd.IntN(len(roles))], m.permissions(), m.permissions())
		}
		m.add(`]}`)
	}
	m.add(`]`)
	return m.taken()
}

func (m *maker) thread(i int, guild uint64) {
	m.comma(i)
	m.add(`{"id":%,"type":11,"last_message_id":%,"flags":0,"guild_id":%,"name":"%","parent_id":%,"rate_limit_per_user":0,`+
		`"bitrate":64000,"user_limit":0,"rtc_region":null,"owner_id":%,"thread_metadata":{"archived":false,"archive_timestamp":"2026-02-08T19:12:55.333000+00:00",`+
		`"auto_archive_duration":4320,"locked":false,"create_timestamp":"2026-02-08T19:12:55.333000+00:00"},"message_count":%,"member_count":%,"total_message_sent":%}`,
		m.id(), m.id(), guild, m.name(4), m.id(), m.id(), m.rnd.IntN(99), m.rnd.IntN(50), m.rnd.IntN(120))
}

// noise is text of this length that can hardly be packed, and stands in JSON as
// it is.
func noise(n int) string {
	rnd := rand.New(rand.NewPCG(uint64(n), 7))
	b := make([]byte, n)
	for i := range b {
		if b[i] = byte(' ' + rnd.IntN(95)); strings.IndexByte(`"\<>&`, b[i]) >= 0 {
			b[i] = '.'
		}
	}
	return string(b)
}

func (b *bodies) total() (n int) {
	for p := range parts {
		n += len(*b.part(p))
	}
	return n
}

// realGuild is one that Discord sent, in parts, its names and ids replaced.
func realGuild(t testing.TB) (uint64, bodies) {
	t.Helper()
	frame, err := os.ReadFile("../host/testdata/captured/gateway_guild_create.json")
	if err != nil {
		t.Fatal(err)
	}
	var frames []struct{ D json.RawMessage }
	if err := json.Unmarshal(frame, &frames); err != nil {
		t.Fatal(err)
	}
	d := compact(t, frames[1].D)
	w := world{guild: idOf(d)}
	elements(field(d, "members"), func(m []byte) bool {
		w.self = idOf(field(m, "user"))
		return true
	})
	if !w.apply(event{"GUILD_CREATE", d}) || len(w.Member) < 100 {
		t.Fatalf("no guild was made of %d bytes", len(d))
	}
	return w.guild, w.bodies
}

func TestSyntheticGuildsAreAsRealOnes(t *testing.T) {
	for _, size := range []int{2_000, 25_000, 250_000, 2_000_000} {
		b := newMaker(1).guild(7, 900, size)
		checkParts(t, &b)
		if n := b.total(); n < size*9/10 || n > size*11/10+2000 {
			t.Errorf("%d bytes, want about %d", n, size)
		}
	}
}

// compact is JSON without white space, as Discord sends it.
func compact(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
