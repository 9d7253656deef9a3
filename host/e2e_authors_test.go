package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
	"github.com/holdfast-bot/holdfast/sdk"
)

// authors are plugins that read what messages tell them to.
type authors struct {
	*running
	sim   *simulator.Server
	o     options
	files []string
}

// startAuthors starts a host with one such plugin for each of these parts that
// they want beforehand; 0: none.
func startAuthors(t *testing.T, sim *simulator.Server, args []string, parts ...sdk.Part) *authors {
	t.Helper()
	dir := t.TempDir()
	o := options{plugins: make(map[string]string), env: make(map[string]map[string]string), args: args}
	a := &authors{sim: sim}
	for i, p := range parts {
		name := fmt.Sprint("author-", i)
		a.files = append(a.files, filepath.Join(dir, name))
		o.plugins[name] = "./host/testdata/author"
		o.env[name] = map[string]string{"FILE": a.files[i], "NAME": name}
		if p != 0 {
			o.env[name]["PARTS"] = fmt.Sprint(uint32(p))
		}
	}
	a.running, a.o = start(t, sim, o), o
	return a
}

// results are what a plugin has written of a message, in order.
func results(file, message string) (out []string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil // nothing written yet
	}
	for line := range strings.Lines(string(raw)) {
		if result, ok := strings.CutPrefix(line, message+" = "); ok && strings.HasSuffix(result, "\n") {
			out = append(out, strings.TrimSuffix(result, "\n"))
		}
	}
	return out
}

// read says a message in a guild and returns what each plugin made of it, and the
// requests about guilds that Discord counted for that.
func (a *authors) read(guild simulator.Guild, words ...any) (got, requests []string) {
	a.t.Helper()
	message := strings.TrimSpace(fmt.Sprintln(words...))
	before, began := len(results(a.files[0], message)), time.Now()
	a.sim.Say(guild.ID, guild.Channels[0], guild.Members[0], message)
	a.await(message, func(control.Status) bool {
		return !slices.ContainsFunc(a.files, func(file string) bool { return len(results(file, message)) <= before })
	})
	for _, file := range a.files {
		got = append(got, results(file, message)[before])
	}
	for _, r := range a.sim.Requests() {
		if strings.HasPrefix(r.Route, "GET /guilds/") && r.Time.After(began) {
			requests = append(requests, strings.TrimPrefix(r.Route, "GET /guilds/{guild}"))
		}
	}
	slices.Sort(requests)
	return got, requests
}

// expect is read, and compares.
func (a *authors) expect(guild simulator.Guild, want string, wantRequests []string, words ...any) {
	a.t.Helper()
	got, requests := a.read(guild, words...)
	for i, g := range got {
		if g != want {
			a.t.Errorf("%v: plugin %d got %q, want %q", words, i, g, want)
		}
	}
	if !slices.Equal(requests, wantRequests) {
		a.t.Errorf("%v: requests %q, want %q", words, requests, wantRequests)
	}
}

const (
	askedGuild, askedChannels, askedThreads, askedMember = "", "/channels", "/threads/active", "/members/{user}"

	maySee   = sdk.PermissionViewChannel
	maySend  = sdk.PermissionSendMessages
	mayTalk  = sdk.PermissionSendMessagesInThreads
	mayEmbed = sdk.PermissionEmbedLinks
)

// prepared is a guild with a role, which a member has, and a channel that is open
// to that role alone.
func prepared(sim *simulator.Server, guild simulator.Guild) (role, channel, member uint64) {
	role, channel = sim.CreateRole(guild.ID, "diver", 0), guild.Channels[1]
	for _, m := range guild.Members[1:] { // the first one speaks
		if m != guild.Owner {
			member = m
		}
	}
	sim.ChangeMember(guild.ID, member, "Ottilie", []uint64{role})
	sim.SetOverwrites(guild.ID, channel,
		simulator.Overwrite{ID: guild.ID, Deny: uint64(sdk.AllPermissions)},
		simulator.Overwrite{ID: role, Allow: uint64(maySee | maySend | mayTalk | mayEmbed)},
		simulator.Overwrite{ID: member, Member: true, Deny: uint64(mayEmbed)})
	return role, channel, member
}

// TestAuthorsLoadOnlyWhatTheyRead goes through all that a handler can read of a
// guild that is not loaded, with the requests that Discord counts for each.
func TestAuthorsLoadOnlyWhatTheyRead(t *testing.T) {
	t.Parallel()
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 2}})
	guild, other := sim.Guilds()[0], sim.Guilds()[1]
	a := startAuthors(t, sim, nil, 0)
	role, channel, member := prepared(sim, guild)
	thread := sim.CreateThread(guild.ID, channel, "wreck")

	a.expect(guild, "diver", []string{askedGuild}, "role", role)
	a.expect(guild, "diver", nil, "role", role)
	a.expect(guild, "@everyone", nil, "role", guild.ID)
	sim.ChangeRole(guild.ID, role, "deep diver", 0)
	a.expect(guild, "deep diver", nil, "role", role)
	a.expect(guild, fmt.Sprintf("*sdk.NotFoundError: guild %d has no role 12: it was deleted, or is another guild's", guild.ID), nil, "role", 12)

	a.expect(guild, "wreck", []string{askedChannels, askedThreads}, "channel", thread)
	sim.ChangeChannel(guild.ID, channel, "reef", "")
	a.expect(guild, "reef", nil, "channel", channel)
	sim.Archive(guild.ID, thread, true)
	gone := fmt.Sprintf("*sdk.NotFoundError: guild %d has no channel %d that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's", guild.ID, thread)
	a.expect(guild, gone, nil, "channel", thread)
	sim.Archive(guild.ID, thread, false)

	a.expect(guild, "none", []string{askedMember}, "may", sim.Bot(), channel)
	a.expect(guild, "none", nil, "may", sim.Bot(), channel)
	a.expect(guild, "all", nil, "may", guild.Owner, channel)
	a.expect(guild, (maySee | maySend | mayTalk).String(), []string{askedMember}, "may", member, channel)
	a.expect(guild, (maySee | mayTalk).String(), []string{askedMember}, "may", member, thread)
	sim.SetOverwrites(guild.ID, channel, simulator.Overwrite{ID: guild.ID, Deny: uint64(sdk.AllPermissions)})
	a.expect(guild, "none", []string{askedMember}, "may", member, channel)
	a.expect(guild, fmt.Sprintf("%d with 1 roles", member), []string{askedMember}, "member", member)
	a.expect(guild, fmt.Sprintf("%d with 1 roles", sim.Bot()), nil, "member", sim.Bot())
	a.expect(guild, fmt.Sprintf("*fmt.wrapError: read member 13 of guild %d: discord answered 404: Unknown Member (10007)", guild.ID), []string{askedMember}, "member", 13)
	a.expect(guild, fmt.Sprintf("%s with %d channels, its bot %d", guild.Name, len(guild.Channels)+len(guild.Voice)+1, sim.Bot()), nil, "guild")

	// A guild that is read whole costs its four, once.
	a.expect(other, fmt.Sprintf("%s with %d channels, its bot %d", other.Name, len(other.Channels)+len(other.Voice)+1, sim.Bot()),
		[]string{askedGuild, askedChannels, askedMember, askedThreads}, "guild")
	a.expect(other, "none", nil, "may", sim.Bot(), channelThatHides(sim, other))
	a.stop()
}

// channelThatHides closes a channel to everybody.
func channelThatHides(sim *simulator.Server, guild simulator.Guild) uint64 {
	sim.SetOverwrites(guild.ID, guild.Channels[1], simulator.Overwrite{ID: guild.ID, Deny: uint64(sdk.AllPermissions)})
	return guild.Channels[1]
}

// TestPartsThatAreWantedBeforehand: a plugin that wants a part finds it loaded when
// its handler runs, and no other part.
func TestPartsThatAreWantedBeforehand(t *testing.T) {
	t.Parallel()
	sim := discord(t, simulator.Config{})
	guild := sim.Guilds()[0]
	a := startAuthors(t, sim, nil, sdk.PartGuild)
	a.expect(guild, "nothing", []string{askedGuild}, "hello")
	a.expect(guild, "@everyone", nil, "role", guild.ID)
	a.expect(guild, "nothing", nil, "hello")
	a.stop()
}

// TestPartsThatSeveralPluginsWant are loaded once.
func TestPartsThatSeveralPluginsWant(t *testing.T) {
	t.Parallel()
	sim := discord(t, simulator.Config{})
	guild := sim.Guilds()[0]
	a := startAuthors(t, sim, nil, sdk.PartGuild, sdk.PartChannels|sdk.PartThreads, sdk.PartGuild|sdk.PartThreads)
	a.expect(guild, "nothing", []string{askedGuild, askedChannels, askedThreads}, "hello")
	a.expect(guild, "@everyone", nil, "role", guild.ID)
	a.expect(guild, "nothing", nil, "hello")
	a.stop()
}

// TestMembersAreAskedForOnceByEachPlugin: plugins that want the same member at once
// each ask in their own turn.
func TestMembersAreAskedForOnceByEachPlugin(t *testing.T) {
	t.Parallel()
	sim := discord(t, simulator.Config{})
	guild := sim.Guilds()[0]
	a := startAuthors(t, sim, nil, 0, 0, 0)
	sim.FailREST("GET /guilds/*/members/*", simulator.Failure{Delay: 2 * time.Second}, 0)
	_, _, member := prepared(sim, guild)
	a.expect(guild, fmt.Sprintf("%d with 1 roles", member), []string{askedMember, askedMember, askedMember}, "member", member)
	sim.ClearFailures()
	a.stop()
}

// TestKeptMembersCostNothing: a host that keeps members asks for each once, and
// events keep it true.
func TestKeptMembersCostNothing(t *testing.T) {
	t.Parallel()
	sim := discord(t, simulator.Config{})
	guild := sim.Guilds()[0]
	a := startAuthors(t, sim, []string{"--cache-people", "members"}, 0)
	role, channel, member := prepared(sim, guild)
	a.expect(guild, "reef", []string{askedChannels, askedThreads}, "channel", renamed(sim, guild, channel, "reef"))
	a.expect(guild, (maySee | maySend | mayTalk).String(), []string{askedGuild, askedMember}, "may", member, channel)
	a.expect(guild, (maySee | maySend | mayTalk).String(), nil, "may", member, channel)
	sim.ChangeMember(guild.ID, member, "Ottilie", nil)
	a.expect(guild, "none", nil, "may", member, channel)
	sim.ChangeMember(guild.ID, member, "Ottilie", []uint64{role})
	a.expect(guild, (maySee | maySend | mayTalk).String(), nil, "may", member, channel)
	sim.DeleteRole(guild.ID, role)
	a.expect(guild, "none", nil, "may", member, channel)
	sim.Leave(guild.ID, member)
	a.expect(guild, fmt.Sprintf("*fmt.wrapError: read member %d of guild %d: discord answered 404: Unknown Member (10007)", member, guild.ID), []string{askedMember}, "may", member, channel)
	a.stop()
}

func renamed(sim *simulator.Server, guild simulator.Guild, channel uint64, name string) uint64 {
	sim.ChangeChannel(guild.ID, channel, name, "")
	return channel
}
