// Package sdktest runs a plugin under test against a host in memory: over real
// gRPC with the real frames, lanes and acknowledgements, but without a process,
// a Discord or a file.
//
//	func TestPing(t *testing.T) {
//		p := sdk.New("hello")
//		p.Command(pingCommand, ping)
//		h := sdktest.Start(t, p, sdktest.Options{})
//		if got := h.Slash("ping").Content; got != "pong" {
//			t.Errorf("answered %q", got)
//		}
//	}
//
// Send delivers an event and waits for its handlers, Slash calls a command and
// returns its answer, Requests are what the plugin sent to Discord's REST API,
// and Handle answers them. Reload hands the plugin's state over to another
// value of it, as a new build gets it. It works inside a testing/synctest
// bubble, where deadlines pass at once.
//
// Bot.Guild, Channel, Role and Permissions read the guilds that SetGuild gives, or a
// small one that the host makes up; MissGuild takes one away, so that a test sees
// how the plugin goes on without it. Bot.RequestMembers and Bot.Member find those of
// SetMembers, or two that are made up; FailMembers lets the former fail, Handle for
// "GET /guilds/{guild}/members/{user}" answers the latter. Presences and VoiceStates are what the plugin has
// set.
//
// A Host is safe for concurrent use. Its goroutines are the two gRPC servers'
// and one that receives acknowledgements (Host.receive); all have ended when
// the test's cleanups have run. (disgo's HTTP client keeps one more, which ends
// by itself a second after the last request.)
package sdktest
