package sdk

import (
	"context"
	"fmt"
	"regexp"
	"runtime/debug"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"github.com/switchupcb/disgo"
)

// sdkName is what manifests say about this SDK.
const sdkName = "go"

// Plugin is a program's handlers in the making. Register everything in main,
// then call Run. Registration panics with one sentence when it is given
// something that cannot work, so that a mistake shows at the first start. It
// is not safe for concurrent use.
type Plugin struct {
	name     string
	version  string
	intents  uint64
	routes   map[string]*route
	order    []*route // as registered
	commands []*command
	deferral wire.Deferral
	onStart  []func(context.Context, *Bot) error
	state    *stateForm // nil if none is kept
	serving  bool

	components, modals []*customIDs
}

// New begins a plugin. Its name is 1 to 64 letters, digits, '-' or '_', and not
// "host", under which the host's own requests are counted. The host keeps
// commands and positions under it, so it should outlive builds.
func New(name string) *Plugin {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(name) {
		panic(fmt.Sprintf("sdk.New: the name %q: use 1 to 64 letters, digits, '-' or '_'", name))
	}
	if name == "host" {
		panic(`sdk.New: the name "host" is the host's own: give another`)
	}
	return &Plugin{name: name, version: buildVersion(), routes: make(map[string]*route)}
}

// Name is the name given to New.
func (p *Plugin) Name() string { return p.name }

// Version sets the version that operators see. The default is the main
// module's version if the build knows one.
func (p *Plugin) Version(version string) {
	p.mustBeOpen("Version")
	p.version = version
}

// Intents asks for gateway intents beyond those that the registered events
// need, which the host knows by itself.
func (p *Plugin) Intents(intents disgo.BitFlag) {
	p.mustBeOpen("Intents")
	p.intents |= uint64(intents)
}

// OnStart registers a function that runs when the host has given the plugin
// its place and before its first event. Its bot is detached (see Bot.Detach).
// An error keeps the plugin from starting. The host waits 10 s for all of
// them.
func (p *Plugin) OnStart(start func(ctx context.Context, bot *Bot) error) {
	p.mustBeOpen("OnStart")
	if start == nil {
		panic("OnStart: the function is nil")
	}
	p.onStart = append(p.onStart, start)
}

func (p *Plugin) mustBeOpen(what string) {
	if p.serving {
		panic(what + ": the plugin is running already: register before Run")
	}
}

// routeOf finds or makes the route of an event.
func (p *Plugin) routeOf(event string) *route {
	r, ok := p.routes[event]
	if !ok {
		r = &route{event: event}
		p.routes[event] = r
		p.order = append(p.order, r)
	}
	return r
}

// manifest is what the plugin says of itself.
func (p *Plugin) manifest() *wire.Manifest {
	m := &wire.Manifest{Name: p.name, Version: p.version, Sdk: sdkName + " " + moduleVersion(), Intents: p.intents, HasState: p.state != nil, Deferral: p.deferral}
	for _, r := range p.order {
		if r.subscribed {
			m.Events = append(m.Events, &wire.Subscription{Event: r.event, WithGuild: r.guild != 0, GuildParts: uint32(r.guild)})
		}
	}
	for _, c := range p.commands {
		m.Commands = append(m.Commands, &wire.Command{Guild: c.guild, Json: c.json, Deferral: c.deferral})
	}
	m.Components, m.Modals = customIDsOf(p.components), customIDsOf(p.modals)
	return m
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return ""
}

// moduleVersion is the version of the module that this package comes from.
func moduleVersion() string {
	const module, unknown = "github.com/holdfast-bot/holdfast", "(devel)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	if info.Main.Path == module && info.Main.Version != "" {
		return info.Main.Version
	}
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return unknown
}
