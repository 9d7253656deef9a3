package cache

import "testing"

// TestVoiceChannels: what VOICE_CHANNEL_* tell is told of a channel that is there,
// and stays until another event tells it.
func TestVoiceChannels(t *testing.T) {
	const status, start = "VOICE_CHANNEL_STATUS_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE"
	const first = `{"id":"70","type":2,"name":"a","status":null,"guild_id":"7"}`
	steps := []struct{ event, data, want string }{
		{status, `{"id":"70","guild_id":"7","status":"diving"}`, `{"id":"70","type":2,"name":"a","status":"diving","guild_id":"7"}`},
		{status, `{"id":"71","guild_id":"7","status":"of none"}`, `{"id":"70","type":2,"name":"a","status":"diving","guild_id":"7"}`},
		{start, `{"id":"70","guild_id":"7","voice_start_time":1772236618}`, `{"id":"70","type":2,"name":"a","status":"diving","guild_id":"7","voice_start_time":1772236618}`},
		{"CHANNEL_UPDATE", `{"id":"70","type":2,"name":"b","guild_id":"7"}`, `{"id":"70","type":2,"name":"b","guild_id":"7","status":"diving","voice_start_time":1772236618}`},
		{"CHANNEL_UPDATE", `{"id":"70","type":2,"guild_id":"7","status":"swimming"}`, `{"id":"70","type":2,"guild_id":"7","status":"swimming","voice_start_time":1772236618}`},
		{start, `{"id":"70","guild_id":"7","voice_start_time":null}`, `{"id":"70","type":2,"guild_id":"7","status":"swimming","voice_start_time":null}`},
		{"CHANNEL_UPDATE", `{"id":"70","type":0,"guild_id":"7"}`, `{"id":"70","type":0,"guild_id":"7"}`},
	}
	w := world{guild: 7, bodies: bodies{Channels: []byte(`[` + first + `]`)}}
	none := world{guild: 7}
	for _, s := range steps {
		ev := event{s.event, []byte(s.data)}
		if w.apply(ev); string(w.Channels) != `[`+s.want+`]` {
			t.Errorf("%s %s: %s, want %s", s.event, s.data, w.Channels, s.want)
		}
		if none.apply(ev); none.Channels != nil {
			t.Errorf("%s made channels of a guild that is not there: %s", s.event, none.Channels)
		}
	}
}

// TestVoiceChannelsObeyKeepLists: a handler of the event sees the guild as it is
// after it, and nothing that is to be dropped.
func TestVoiceChannelsObeyKeepLists(t *testing.T) {
	create := []byte(`{"id":"7","roles":[],"channels":[{"id":"70","type":2,"name":"a"}],"threads":[],"members":[]}`)
	change := []byte(`{"id":"70","guild_id":"7","status":"diving"}`)
	for kept, want := range map[string]string{"status": `"diving"`, "name": ""} {
		c := newTestCache(t, Options{Self: 900, Load: newFake(1, 7).load, Keep: Keep{"channel": {kept}}})
		before := c.Apply("GUILD_CREATE", 7, create)
		if before == 0 {
			before = mustLoad(t, c, 7).Version
		}
		after := c.Apply("VOICE_CHANNEL_STATUS_UPDATE", 7, change)
		s := mustLoad(t, c, 7)
		if got := string(field(find(s.Part(PartChannels), 70), "status")); got != want || s.Version != after || (after != before) != (want != "") {
			t.Errorf("keep %s: status %s, want %s; versions %d, %d and %d", kept, got, want, before, after, s.Version)
		}
		c.Close()
	}
}
