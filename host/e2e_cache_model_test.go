package host_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// The model of a guild that the judge has: its own plain reading of what Discord's
// events say, as the gateway's documentation has it. A guild is fields by their
// place, such as "role 12 name"; what is null, false or not there has no field.

// fields are what is compared of each kind of object: what both the gateway and
// REST tell, but for what moves with each message or member.
func fields(kind string) []string {
	return map[string][]string{
		"guild": {
			"id", "name", "description", "owner_id", "verification_level", "system_channel_id", "features", "icon", "banner", "splash",
			"mfa_level", "nsfw_level", "afk_timeout", "afk_channel_id", "preferred_locale", "explicit_content_filter",
			"default_message_notifications", "premium_tier", "public_updates_channel_id", "rules_channel_id", "vanity_url_code",
			"max_members", "system_channel_flags",
		},
		"role": {"id", "name", "permissions", "position", "color", "colors", "hoist", "managed", "mentionable", "flags"},
		"channel": {
			"id", "type", "name", "flags", "guild_id", "position", "permission_overwrites", "parent_id", "rate_limit_per_user", "topic", "nsfw",
			"bitrate", "user_limit",
		},
		"thread":        {"id", "type", "name", "guild_id", "parent_id", "owner_id", "rate_limit_per_user", "thread_metadata", "member_count"},
		"thread member": {"join_timestamp", "flags"},
		"emoji":         {"id", "name", "animated"},
		"sticker":       {"id", "name", "guild_id"},
		"member":        {"nick", "roles", "joined_at", "mute", "deaf", "pending", "communication_disabled_until", "flags", "avatar"},
	}[kind]
}

type object = map[string]any

// flat is a guild's fields.
type flat map[string]string

func (f flat) put(kind, id string, o object) {
	for _, name := range fields(kind) {
		switch v := o[name].(type) {
		case nil:
		case string:
			f[kind+" "+id+" "+name] = v
		default:
			raw, err := json.Marshal(v)
			if err != nil {
				panic(err) // it was JSON
			}
			if string(raw) != "false" {
				f[kind+" "+id+" "+name] = string(raw)
			}
		}
	}
}

func idOf(o object) string {
	id, _ := o["id"].(string)
	return id
}

func objects(list any) (out []object) {
	all, _ := list.([]any)
	for _, e := range all {
		if o, ok := e.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

func (f flat) guild(o object) {
	f.put("guild", "", o)
	for kind, list := range map[string]string{"role": "roles", "emoji": "emojis", "sticker": "stickers"} {
		for _, e := range objects(o[list]) {
			f.put(kind, idOf(e), e)
		}
	}
}

func (f flat) thread(o object) {
	f.put("thread", idOf(o), o)
	if m, ok := o["member"].(object); ok {
		f.put("thread member", idOf(o), m)
	}
}

// flatParts reads a guild in four parts as the host has it: threads with the
// bot's membership inside.
func flatParts(guild, channels, threads, member []byte) (flat, error) {
	var parts [4]any
	for i, raw := range [...][]byte{guild, channels, threads, member} {
		if err := json.Unmarshal(raw, &parts[i]); err != nil {
			return nil, fmt.Errorf("part %d of a guild: %w", i, err)
		}
	}
	f := make(flat)
	if o, ok := parts[0].(object); ok {
		f.guild(o)
	}
	for _, o := range objects(parts[1]) {
		f.put("channel", idOf(o), o)
	}
	for _, o := range objects(parts[2]) {
		f.thread(o)
	}
	if o, ok := parts[3].(object); ok {
		f.put("member", "", o)
	}
	return f, nil
}

// flatAnswers reads a guild as REST tells it: the bot's memberships beside the
// threads.
func flatAnswers(a simulator.Answers) (flat, error) {
	var threads struct {
		Threads json.RawMessage `json:"threads"`
		Members []object        `json:"members"`
	}
	if err := json.Unmarshal(a.Threads, &threads); err != nil {
		return nil, err
	}
	f, err := flatParts(a.Guild, a.Channels, threads.Threads, a.Member)
	for _, m := range threads.Members {
		f.put("thread member", idOf(m), m)
	}
	return f, err
}

// model is a guild as the events say that it is.
type model struct {
	id, bot  string
	up       bool // the bot is in it and there is no outage
	guild    object
	channels map[string]object
	threads  map[string]object // active ones
	member   object
}

func newModel(id, bot uint64) *model {
	return &model{id: strconv.FormatUint(id, 10), bot: strconv.FormatUint(bot, 10)}
}

func byID(list any) map[string]object {
	out := make(map[string]object)
	for _, o := range objects(list) {
		out[idOf(o)] = o
	}
	return out
}

func isBot(m object, bot string) bool {
	user, _ := m["user"].(object)
	return idOf(user) == bot
}

// apply lets an event change the guild.
func (m *model) apply(name string, data []byte) {
	var d object
	if err := json.Unmarshal(data, &d); err != nil {
		panic(fmt.Sprintf("%s does not decode: %v", name, err)) // the simulator's fault
	}
	switch name {
	case "GUILD_CREATE":
		m.created(d)
	case "GUILD_DELETE":
		m.up = false
	case "GUILD_UPDATE":
		maps.Copy(m.guild, d)
	case "GUILD_EMOJIS_UPDATE":
		m.guild["emojis"] = d["emojis"]
	case "GUILD_STICKERS_UPDATE":
		m.guild["stickers"] = d["stickers"]
	case "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE":
		m.role(d)
	case "CHANNEL_CREATE", "CHANNEL_UPDATE":
		m.channels[idOf(d)] = d
	case "CHANNEL_DELETE":
		delete(m.channels, idOf(d))
		maps.DeleteFunc(m.threads, func(_ string, th object) bool { return th["parent_id"] == d["id"] })
	case "GUILD_MEMBER_UPDATE":
		if isBot(d, m.bot) {
			m.member = d
		}
	default:
		m.thread(name, d)
	}
}

func (m *model) created(d object) {
	m.up, m.guild, m.channels, m.threads = true, d, byID(d["channels"]), byID(d["threads"])
	for _, list := range []map[string]object{m.channels, m.threads} {
		for _, ch := range list {
			ch["guild_id"] = m.id // which is left out there
		}
	}
	for _, o := range objects(d["members"]) {
		if isBot(o, m.bot) {
			m.member = o
		}
	}
}

func (m *model) role(d object) {
	gone, changed := d["role_id"], object{}
	if role, ok := d["role"].(object); ok {
		gone, changed = role["id"], role
	}
	var rest []any
	for _, r := range objects(m.guild["roles"]) {
		if r["id"] != gone {
			rest = append(rest, r)
		}
	}
	if len(changed) > 0 {
		m.guild["roles"] = append(rest, changed)
		return
	}
	m.guild["roles"] = rest
	mine := []any{}
	for _, id := range m.member["roles"].([]any) {
		if id != gone {
			mine = append(mine, id)
		}
	}
	m.member = maps.Clone(m.member)
	m.member["roles"] = mine
}

func (m *model) thread(name string, d object) {
	id := idOf(d)
	was := m.threads[id]
	switch name {
	case "THREAD_CREATE", "THREAD_UPDATE":
		if meta, _ := d["thread_metadata"].(object); meta["archived"] == true {
			delete(m.threads, id)
			return
		}
		if was != nil && d["member"] == nil {
			d["member"] = was["member"]
		}
		m.threads[id] = d
	case "THREAD_DELETE":
		delete(m.threads, id)
	case "THREAD_MEMBER_UPDATE":
		if was != nil {
			was["member"] = d
		}
	case "THREAD_MEMBERS_UPDATE":
		if was == nil {
			return
		}
		was["member_count"] = d["member_count"]
		for _, who := range objects(d["added_members"]) {
			if who["user_id"] == m.bot {
				was["member"] = who
			}
		}
		gone, _ := d["removed_member_ids"].([]any)
		for _, who := range gone {
			if who == m.bot {
				delete(was, "member")
			}
		}
	}
}

// flat is what the model has; nil while the guild is not up.
func (m *model) flat() flat {
	if !m.up {
		return nil
	}
	f := make(flat)
	f.guild(m.guild)
	for id, o := range m.channels {
		f.put("channel", id, o)
	}
	for _, o := range m.threads {
		f.thread(o)
	}
	f.put("member", "", m.member)
	return f
}

// digest is the same for the same fields, 0 for none.
func (f flat) digest() (sum uint64) {
	for place, value := range f {
		sum += hashed(hashed(hashed(fnvOffset, place), "\x00"), value)
	}
	return sum
}

const fnvOffset = 14695981039346656037

// hashed goes on with an FNV-1a hash, without what hash/fnv allocates for each
// of so many short texts.
func hashed(h uint64, text string) uint64 {
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}
