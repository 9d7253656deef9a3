package host

import (
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
)

func TestShardGuilds(t *testing.T) {
	var log strings.Builder
	s := newShardGuilds(hclog.New(&hclog.LoggerOptions{Output: &log, DisableTime: true}))
	event := func(name string, guild uint64, data string) {
		s.apply(&gateway.Event{Shard: 3, Name: name, Guild: guild, Data: []byte(data)})
	}
	want := func(what string, n int) {
		t.Helper()
		if got := s.count(3); got == nil || *got != n {
			t.Errorf("%s: %v, want %d", what, got, n)
		}
	}
	event("GUILD_CREATE", 9, `{}`)
	if s.count(3) != nil {
		t.Error("a resumed session's number is known")
	}
	s.ready(3, []guildID{{"1"}, {"2"}, {"not a number"}})
	want("READY", 2)
	event("GUILD_CREATE", 1, `{}`)
	want("the guild that READY had listed", 2)
	event("GUILD_CREATE", 5, `{}`)
	want("a new guild", 3)
	event("GUILD_DELETE", 1, `{"id":"1","unavailable":true}`)
	want("an outage", 3)
	event("GUILD_DELETE", 1, `{"id":"1"}`)
	event("GUILD_UPDATE", 2, `{}`)
	want("the bot was removed", 2)
	if s.count(0) != nil {
		t.Error("another shard has a number")
	}
	s.ready(3, []guildID{{"7"}})
	want("another READY", 1)
	if log.Len() > 0 {
		t.Error(log.String())
	}
}

// TestShardIsNearlyFull: told once, when four fifths of Discord's limit are reached.
func TestShardIsNearlyFull(t *testing.T) {
	var log strings.Builder
	s := newShardGuilds(hclog.New(&hclog.LoggerOptions{Output: &log, DisableTime: true}))
	var list []guildID
	for id := range 1999 {
		list = append(list, guildID{strconv.Itoa(id + 1)})
	}
	s.ready(0, list)
	if log.Len() > 0 {
		t.Errorf("told too early: %s", log.String())
	}
	for id := uint64(2000); id < 2010; id++ {
		s.apply(&gateway.Event{Name: "GUILD_CREATE", Guild: id})
	}
	s.ready(0, append(list, guildID{"3000"}, guildID{"3001"}))
	if n := strings.Count(log.String(), "nearly as many"); n != 1 || !strings.Contains(log.String(), "shard=0 guilds=2000 limit=2500") || !strings.Contains(log.String(), "raise --shards") {
		t.Errorf("told %d times: %s", n, log.String())
	}
}
