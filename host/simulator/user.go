package simulator

import (
	"strconv"
	"strings"
	"time"
)

// A user is nothing but an id: name and avatar follow from it, so that a world of millions costs nothing.

// firstNames are 26 names in fields of eight.
const firstNames = "alga    brook   cedar   dune    ember   fjord   gale    heron   iris    juniper kelp    lark    maple   " +
	"nettle  otter   pebble  quill   reed    sorrel  thistle umber   vesper  willow  xenia   yarrow  zephyr  "

func firstName(n uint64) string {
	at := n % (uint64(len(firstNames)) / 8) * 8
	return strings.TrimRight(firstNames[at:at+8], " ")
}

// userName is unique within a guild: a name and the number of the member.
func userName(id uint64) string {
	number := id & (1<<lowBits - 1)
	if number >= memberBase {
		number -= memberBase
	}
	return firstName(mix(id, 1)) + "_" + strconv.FormatUint(number, 10)
}

func globalName(id uint64) string {
	name := firstName(mix(id, 1))
	return string(name[0]-'a'+'A') + name[1:]
}

func appendHash(b []byte, h uint64) []byte {
	b = append(b, '"')
	for range 2 {
		for shift := 60; shift >= 0; shift -= 4 {
			b = append(b, hexDigits[h>>shift&15])
		}
		h = mix(h, 2)
	}
	return append(b, '"')
}

// user writes the members of a user object.
func (o *jsonOut) user(s *Server, id uint64) {
	if o.rest {
		o.raw(`"flags":0,"banner":null,"banner_color":null,"accent_color":null`)
	}
	if id == s.world.bot {
		o.bot(id)
		return
	}
	o.str("username", userName(id))
	o.str("global_name", globalName(id))
	o.raw(`"display_name_styles":null,"collectibles":null,"primary_guild":null,"clan":null`)
	o.id("id", id)
	o.raw(`"public_flags":0,"discriminator":"0","avatar_decoration_data":null`)
	o.key("avatar")
	o.b = appendHash(o.b, mix(id, 3))
}

func (o *jsonOut) bot(id uint64) {
	o.raw(`"username":"holdfast","global_name":null,"display_name_styles":null,"collectibles":null,` +
		`"primary_guild":null,"clan":null,"bot":true`)
	o.id("id", id)
	o.raw(`"public_flags":0,"discriminator":"7281","avatar_decoration_data":null,"avatar":null`)
}

func (o *jsonOut) userObject(s *Server, key string, id uint64) {
	o.key(key)
	o.open('{')
	o.user(s, id)
	o.shut('}')
}

// member is what a guild knows of a user.
type member struct {
	user    uint64
	nick    string
	roles   []uint64
	joined  time.Time
	timeout time.Time
	mute    bool
	deaf    bool
}

// member writes the members of a member object without its user.
func (o *jsonOut) member(m *member) {
	o.raw(`"pending":false,"banner":null`)
	o.yes("mute", m.mute)
	o.raw(`"flags":0`)
	o.time("communication_disabled_until", m.timeout)
	o.ids("roles", m.roles)
	o.raw(`"premium_since":null`)
	o.orNull("nick", m.nick)
	o.time("joined_at", m.joined)
	o.yes("deaf", m.deaf)
	o.raw(`"avatar":null`)
}

// memberObject writes a whole member with its user, as an element or after a key.
func (o *jsonOut) memberObject(s *Server, m *member) {
	o.open('{')
	o.userObject(s, "user", m.user)
	o.member(m)
	o.shut('}')
}
