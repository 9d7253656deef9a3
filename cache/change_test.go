package cache

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
)

// FuzzApply: whatever an event says, a guild stays what its parts must be.
func FuzzApply(f *testing.F) {
	d := newFake(1, 7)
	g := d.guilds[7]
	for _, kind := range changeKinds {
		e := g.change(d.rnd, kind)
		f.Add(e.name, e.data)
	}
	f.Add("THREAD_MEMBERS_UPDATE", []byte(`{"id":"7004","member_count":2,"added_members":[{"id":"7004","user_id":"900"}],"removed_member_ids":["900"]}`))
	f.Add("THREAD_LIST_SYNC", []byte(`{"channel_ids":["1"],"threads":[{"id":"5","parent_id":"1"}],"members":[{"id":"5","user_id":"900"}]}`))
	f.Add("GUILD_DELETE", []byte(`{"id":"7","unavailable":true}`))
	f.Add("GUILD_MEMBER_REMOVE", []byte(`{"user":{"id":"900"}}`))
	f.Add("GUILD_UPDATE", []byte(" {\"a\" : [ 1 , {} ] , \"a\":\"\\\"}\" }\n"))
	f.Add("CHANNEL_CREATE", []byte(`[{"id":"1"}]`))
	f.Add("THREAD_CREATE", []byte(`{"id":"1","id":0}`))
	f.Add("VOICE_CHANNEL_STATUS_UPDATE", []byte(`{"id":"7001","guild_id":"7","status":"x","v":[1]}`))
	f.Add("GUILD_ROLE_CREATE", []byte(`{"role":{"id":"1"},"role":5}`))
	lists := Keep{"guild": {"name", "stickers"}, "channel": {"topic"}, "thread": {"name"}, "role": {"name"}, "emoji": {"name"}, "member": {"nick"}, "presence": {"activities"}}
	keep, err := newKeeps(lists)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		first := fakeWorld(t)
		pared := world{guild: 7, self: 900, keep: keep}
		some := newPeople(7, everything, &keep)
		for _, e := range []event{{"GUILD_CREATE", toJSON(newFake(1, 7).guilds[7].create())}, {name, bytes.Clone(data)}, {name, bytes.Clone(data)}} {
			pared.apply(e)
			checkParts(t, &pared.bodies)
			checkKept(t, lists, &pared.bodies)
			if json.Valid(e.data) {
				some.apply(e, 900)
				checkPeople(t, lists, some)
			}
		}
		for _, loaded := range []bool{true, false} {
			w := world{guild: 7, self: 900}
			if loaded {
				w.bodies = first
			}
			for range 2 { // also on what it made itself
				w.apply(event{name, bytes.Clone(data)})
				if w.loaded() {
					checkParts(t, &w.bodies)
				}
			}
		}
		if again := fakeWorld(t); !reflect.DeepEqual(first, again) {
			t.Fatal("a snapshot was changed in place")
		}
	})
}

func fakeWorld(t testing.TB) bodies {
	t.Helper()
	g := newFake(1, 7).guilds[7]
	return bodies{
		Guild: toJSON(g.body(false)), Channels: toJSON(sorted(g.channels)),
		Threads: toJSON(sorted(g.threads)), Member: toJSON(g.member),
	}
}

func checkParts(t testing.TB, s *bodies) {
	t.Helper()
	var guild map[string]json.RawMessage
	var channels, threads []map[string]json.RawMessage
	var member *map[string]json.RawMessage
	for _, p := range []struct {
		json []byte
		into any
	}{{s.Guild, &guild}, {s.Channels, &channels}, {s.Threads, &threads}, {s.Member, &member}} {
		if err := json.Unmarshal(p.json, p.into); err != nil {
			t.Fatalf("%s: %v", p.json, err)
		}
	}
	if guild == nil {
		t.Fatal("the guild is null")
	}
	for _, o := range slices.Concat(channels, threads) {
		if snowflake(o["id"]) == 0 {
			t.Fatalf("a channel without an id: %s", toJSON(o))
		}
	}
}

// FuzzScan holds the scanners against encoding/json.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `null`, `{"a":1,"b":[{"c":"]}\\"}]}`, ` [ 1 , "x,y" , {} ] `, `"`, `{"a"`, `{"a":`, `[1,`, `{"id":"12"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := map[string]string{}
		escaped := false
		members(b, func(k, v []byte) bool {
			escaped = escaped || bytes.ContainsAny(k, `\`) || !json.Valid([]byte(`"`+string(k)+`"`)) || bytes.ContainsRune(k, '\uFFFD')
			got[string(k)] = string(v)
			return true
		})
		var list []string
		elements(b, func(e []byte) bool { list = append(list, string(e)); return true })
		idOf(b)
		if !json.Valid(b) {
			return // no panic is all
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(b, &object) == nil && !escaped {
			want := map[string]string{}
			for k, v := range object {
				want[k] = string(v)
			}
			if !bytes.ContainsRune(b, '\uFFFD') && bytesAreText(b) && !reflect.DeepEqual(got, want) {
				t.Fatalf("%s has members %q, encoding/json says %q", b, got, want)
			}
		}
		var all []json.RawMessage
		if json.Unmarshal(b, &all) == nil && len(all) == len(list) {
			for i := range all {
				if string(all[i]) != list[i] {
					t.Fatalf("%s has element %q, encoding/json says %q", b, list[i], all[i])
				}
			}
		} else if all != nil {
			t.Fatalf("%s has %d elements, encoding/json says %d", b, len(list), len(all))
		}
	})
}

// bytesAreText: encoding/json replaces what is no UTF-8 in keys.
func bytesAreText(b []byte) bool { return bytes.Equal(bytes.ToValidUTF8(b, []byte("?")), b) }

// TestRealGuildCreate cuts a GUILD_CREATE as Discord sent it into parts.
func TestRealGuildCreate(t *testing.T) {
	frame, err := os.ReadFile("../host/testdata/captured/gateway_guild_create.json")
	if err != nil {
		t.Fatal(err)
	}
	var frames []struct{ D json.RawMessage }
	var full map[string]json.RawMessage
	var channels, threads, members []map[string]json.RawMessage
	decode := func(b []byte, to any) {
		t.Helper()
		if err := json.Unmarshal(b, to); err != nil {
			t.Fatal(err)
		}
	}
	decode(frame, &frames)
	payload := frames[1] // the one with a thread
	decode(payload.D, &full)
	decode(full["channels"], &channels)
	decode(full["threads"], &threads)
	decode(full["members"], &members)
	var user struct{ ID string }
	decode(members[1]["user"], &user)

	w := world{guild: snowflake(full["id"]), self: snowflake([]byte(`"` + user.ID + `"`))}
	if !w.apply(event{"GUILD_CREATE", payload.D}) {
		t.Fatal("nothing changed")
	}
	checkParts(t, &w.bodies)
	var guild, member map[string]json.RawMessage
	var gotChannels, gotThreads []map[string]json.RawMessage
	decode(w.Guild, &guild)
	decode(w.Channels, &gotChannels)
	decode(w.Threads, &gotThreads)
	decode(w.Member, &member)
	counts := map[string]int{}
	for _, c := range counted() {
		var told, held []map[string]string
		decode(guild[c.name], &held)
		var all []map[string]json.RawMessage
		decode(full[c.name], &all)
		for _, o := range all {
			told = append(told, map[string]string{c.id: string(o[c.id][1 : len(o[c.id])-1])})
		}
		if len(told) != len(held) || len(told) > 0 && !reflect.DeepEqual(told, held) {
			t.Errorf("%s are %v, Discord sent %v", c.name, held, told)
		}
		counts[c.name] = len(held)
		delete(guild, c.name)
	}
	if counts["soundboard_sounds"] != 4 {
		t.Errorf("counted %v, a poor witness", counts)
	}
	for _, name := range beside() {
		delete(full, name)
	}
	for i := range channels {
		channels[i]["guild_id"] = full["id"]
	}
	for i := range threads {
		threads[i]["guild_id"] = full["id"]
	}
	for what, pair := range map[string][2]any{
		"guild": {guild, full}, "channels": {gotChannels, channels}, "threads": {gotThreads, threads}, "member": {member, members[1]},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s differ from what Discord sent", what)
		}
	}
	if len(channels) < 3 {
		t.Errorf("only %d channels: a poor witness", len(channels))
	}
}

// TestThreadMembers: the bot joins, leaves, and is listed beside its threads.
func TestThreadMembers(t *testing.T) {
	w := world{guild: 7, self: 900, bodies: bodies{
		Guild: json.RawMessage(`{"id":"7"}`), Channels: json.RawMessage(`[{"id":"1"}]`),
		Threads: json.RawMessage(`[{"id":"5","parent_id":"1","member_count":1},{"id":"6","parent_id":"2"}]`), Member: json.RawMessage(`null`),
	}}
	steps := []struct{ name, data, want string }{
		{
			"THREAD_MEMBERS_UPDATE", `{"id":"5","member_count":2,"added_members":[{"id":"5","user_id":"900","member":{},"presence":null}]}`,
			`[{"id":"5","parent_id":"1","member_count":2,"member":{"id":"5","user_id":"900"}},{"id":"6","parent_id":"2"}]`,
		},
		{
			"THREAD_UPDATE", `{"id":"5","parent_id":"1","name":"x"}`,
			`[{"id":"5","parent_id":"1","name":"x","member":{"id":"5","user_id":"900"}},{"id":"6","parent_id":"2"}]`,
		},
		{
			"THREAD_MEMBERS_UPDATE", `{"id":"5","member_count":1,"removed_member_ids":["1","900"]}`,
			`[{"id":"5","parent_id":"1","name":"x","member_count":1},{"id":"6","parent_id":"2"}]`,
		},
		{"THREAD_MEMBERS_UPDATE", `{"id":"99","member_count":1}`, `[{"id":"5","parent_id":"1","name":"x","member_count":1},{"id":"6","parent_id":"2"}]`},
		{
			"THREAD_LIST_SYNC", `{"channel_ids":["1"],"threads":[{"id":"8","parent_id":"1"}],"members":[{"id":"8","user_id":"900"}]}`,
			`[{"id":"6","parent_id":"2"},{"id":"8","parent_id":"1","member":{"id":"8","user_id":"900"}}]`,
		},
		{"CHANNEL_DELETE", `{"id":"1"}`, `[{"id":"6","parent_id":"2"}]`},
		{"THREAD_LIST_SYNC", `{"threads":[],"members":[]}`, `[]`},
	}
	for i, s := range steps {
		w.apply(event{s.name, []byte(s.data)})
		if string(w.Threads) != s.want {
			t.Fatalf("step %d, %s:\n%s\nwant\n%s", i, s.name, w.Threads, s.want)
		}
	}
}
