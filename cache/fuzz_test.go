package cache

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzCache: whatever comes as an event, twice, between others, of a guild that
// is loaded, awaited or neither: nothing panics, every part and person is what it
// must be, keeps what it may, and the books are right.
func FuzzCache(f *testing.F) {
	seed := newFake(1, 7)
	for _, kind := range changeKinds {
		e := seed.guilds[7].change(seed.rnd, kind)
		f.Add(e.name, e.data)
	}
	f.Add("READY", readyWith(0, 1, 7, 8))
	f.Add("READY", readyWith(0, 1))
	f.Add("READY", readyWith(0, 2, 9))
	f.Add("GUILD_DELETE", []byte(`{"id":"7","unavailable":true}`))
	f.Add("GUILD_CREATE", []byte(`{"id":"7","members":[{"user":{"id":"5"},"user":{"id":"6"}}],"voice_states":[{"user_id":"5","channel_id":"1"}],"presences":[{"user":{"id":"5"},"status":"idle"}]}`))
	f.Add("SOUNDBOARD_SOUNDS", []byte(`{"guild_id":"7","soundboard_sounds":[{"sound_id":"1"},{"sound_id":"1"},{}]}`))
	f.Add("GUILD_MEMBERS_CHUNK", []byte(`{"guild_id":"7","members":[null,[],{"user":null},{"user":{"id":"900"}}],"presences":[{"user":{"id":"0"}}]}`))
	keep := Keep{"guild": {"name", "stickers"}, "channel": {"topic"}, "thread": {"name"}, "role": {"name"}, "emoji": {"name"}, "member": {"nick"}, "presence": {"activities"}}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		for _, o := range []Options{{}, {People: everything}, {People: everything, Keep: keep, Warm: func(uint64) bool { return true }}} {
			d := newFake(1, 7)
			o.Load, o.Self, o.Bytes = d.load, 900, 1<<20
			c := newTestCache(t, o)
			if o.Keep == nil && o.People != 0 {
				c.rawFrom = 1
			}
			c.Apply("READY", 0, readyWith(0, 1, 7, 8))
			c.Apply(name, 8, data)
			c.Apply("GUILD_CREATE", 7, toJSON(d.guilds[7].create()))
			mustLoad(t, c, 7)
			given := bytes.Clone(data)
			for _, guild := range []uint64{7, 0, 7, 8, 9} {
				c.Apply(name, guild, data)
				checkCache(t, c, o.Keep)
			}
			e := d.guilds[7].change(d.rnd, "join")
			c.Apply(e.name, 7, e.data)
			c.Apply("GUILD_CREATE", 7, toJSON(d.guilds[7].create()))
			checkCache(t, c, o.Keep)
			if !bytes.Equal(given, data) {
				t.Fatal("the event was changed")
			}
			c.Close()
		}
	})
}

// checkCache holds all that is kept against what it must be.
func checkCache(t *testing.T, c *Cache, keep Keep) {
	t.Helper()
	for _, guild := range c.Kept() {
		e := c.store.get(guild)
		if e == nil {
			continue // pinned, and looked at later
		}
		s := &e.held.Load().Snapshot
		var b bodies
		for p := range parts {
			*b.part(p) = s.Part(p)
		}
		checkParts(t, &b)
		checkKept(t, keep, &b)
		if e.people != nil {
			checkPeople(t, keep, e.people)
		}
	}
	audit(t, c)
}

func checkKept(t *testing.T, keep Keep, b *bodies) {
	t.Helper()
	keptOnly(t, keep, "guild", b.Guild)
	keptOnly(t, keep, "member", b.Member)
	for kind, list := range map[string][]byte{
		"channel": b.Channels, "thread": b.Threads, "role": field(b.Guild, "roles"), "emoji": field(b.Guild, "emojis"), "sticker": field(b.Guild, "stickers"),
	} {
		elements(list, func(o []byte) bool {
			keptOnly(t, keep, kind, o)
			return true
		})
	}
}

func checkPeople(t *testing.T, keep Keep, p *people) {
	t.Helper()
	var bytes int64
	for user, o := range p.byUser {
		bytes += personOverhead
		for kind, raw := range map[string]json.RawMessage{"member": o.Member, "voice_state": o.VoiceState, "presence": o.Presence} {
			if raw != nil && (!json.Valid(raw) || !isObject(raw)) {
				t.Fatalf("%s of %d is %q", kind, user, raw)
			}
			keptOnly(t, keep, kind, raw)
			bytes += int64(cap(raw))
		}
		if o.Member == nil && o.VoiceState == nil && o.Presence == nil {
			t.Fatalf("nothing is kept of %d", user)
		}
		if o.Member != nil && idOf(field(o.Member, "user")) != user || o.VoiceState != nil && snowflake(field(o.VoiceState, "user_id")) != user {
			t.Fatalf("of %d: %s %s", user, o.Member, o.VoiceState)
		}
		if user == 900 && o.Member != nil {
			t.Fatal("the bot's member is kept twice")
		}
	}
	if bytes != p.bytes {
		t.Fatalf("people hold %d bytes, are said to hold %d", bytes, p.bytes)
	}
}

func keptOnly(t *testing.T, keep Keep, kind string, object []byte) {
	t.Helper()
	members(object, func(key, _ []byte) bool {
		if one := map[string]any{string(key): 1.0}; len(keep[kind]) > 0 && string(key) != "user" && len(pared(keep, kind, one)) == 0 {
			t.Fatalf("%s keeps %s: %s", kind, key, object)
		}
		return true
	})
}
