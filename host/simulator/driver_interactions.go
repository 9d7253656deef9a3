package simulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Option is an argument of a slash command.
type Option struct {
	Name    string
	Type    int // default: 3 for a string, 4 for an int, 5 for a bool, 10 for a float64
	Value   any
	Focused bool // of an autocomplete: what the user is typing
}

// Slash lets a user call a chat command; "config set" calls a subcommand. The id is that of the registered
// command, of the guild or global; a command that is not registered gets one of its own, which real users
// could not do.
func (s *Server) Slash(guild, channel, user uint64, command string, args ...Option) *Interaction {
	return s.interact(&Interaction{Kind: KindCommand, Guild: guild, Channel: channel, User: user, Name: command}, s.commandData(guild, command, args))
}

// Autocomplete lets a user type an argument of a command: the focused option.
func (s *Server) Autocomplete(guild, channel, user uint64, command string, args ...Option) *Interaction {
	return s.interact(&Interaction{Kind: KindAutocomplete, Guild: guild, Channel: channel, User: user, Name: command}, s.commandData(guild, command, args))
}

// Menu lets a user choose a command of the context menu of a user (kind 2) or a message (kind 3).
func (s *Server) Menu(guild, channel, user uint64, command string, kind int, target uint64) *Interaction {
	i := &Interaction{Kind: KindCommand, Guild: guild, Channel: channel, User: user, Name: command}
	return s.interact(i, func(o *jsonOut, g *guildState) {
		o.id("id", s.commandID(guild, kind, command))
		o.str("name", command)
		o.num("type", int64(kind))
		o.id("target_id", target)
		o.resolved(s, g, kind, channel, target)
	})
}

// Click lets a user press a button of a message, or choose values of a select menu (values given).
func (s *Server) Click(guild, channel, user, message uint64, customID string, values ...string) *Interaction {
	i := &Interaction{Kind: KindComponent, Guild: guild, Channel: channel, User: user, Name: customID}
	s.in(guild, func(g *guildState) { i.message = g.room(channel).find(message) })
	return s.interact(i, func(o *jsonOut, _ *guildState) {
		o.str("custom_id", customID)
		if len(values) == 0 {
			o.raw(`"component_type":2`)
		} else {
			o.raw(`"component_type":3`)
			o.strs("values", values)
		}
		o.raw(`"id":2`)
	})
}

// Submit lets a user submit a modal: its custom ID and the values of its text inputs.
func (s *Server) Submit(guild, channel, user uint64, customID string, inputs map[string]string) *Interaction {
	i := &Interaction{Kind: KindModal, Guild: guild, Channel: channel, User: user, Name: customID}
	return s.interact(i, func(o *jsonOut, _ *guildState) {
		o.str("custom_id", customID)
		o.key("components")
		o.open('[')
		for n, id := range sortedKeys(inputs) {
			o.open('{')
			o.raw(`"type":1`)
			o.num("id", int64(2*n+1))
			o.key("components")
			o.open('[')
			o.open('{')
			o.raw(`"type":4`)
			o.num("id", int64(2*n+2))
			o.str("custom_id", id)
			o.str("value", inputs[id])
			o.shut('}')
			o.shut(']')
			o.shut('}')
		}
		o.shut(']')
	})
}

// interact sends the interaction to the sessions of its guild.
func (s *Server) interact(i *Interaction, data func(o *jsonOut, g *guildState)) *Interaction {
	s.await(i.Guild)
	i.ID, i.Token, i.changed = s.mint.id(), s.mint.token(132), make(chan struct{})
	i.Created = time.Now()
	s.interactions.add(i)
	s.in(i.Guild, func(g *guildState) {
		s.emit(g, "INTERACTION_CREATE", func(o *jsonOut) {
			o.open('{')
			o.interaction(s, g, i)
			o.key("data")
			o.open('{')
			data(o, g)
			o.shut('}')
			o.shut('}')
		})
	})
	return i
}

// interaction writes everything of an interaction but its data; the guild's lock is held.
func (o *jsonOut) interaction(s *Server, g *guildState, i *Interaction) {
	o.id("id", i.ID)
	o.id("application_id", s.world.bot)
	o.num("type", int64(i.Kind))
	o.str("token", i.Token)
	o.raw(`"version":1,"locale":"en-GB","entitlements":[],"entitlement_sku_ids":[],"attachment_size_limit":10485760,` +
		`"app_permissions":"2248473465835073"`)
	o.id("channel_id", i.Channel)
	o.key("channel")
	o.open('{')
	if g.id == 0 {
		o.direct(s, &channel{id: i.Channel, kind: kindDM, recipient: i.User}, g.lastMessage(i.Channel))
		o.shut('}')
		o.raw(`"context":1`)
		o.userObject(s, "user", i.User)
		o.raw(`"authorizing_integration_owners":{"0":"0"}`)
	} else {
		o.inGuild(s, g, i)
	}
	if i.message != nil {
		o.key("message")
		o.open('{')
		o.message(s, g, i.message, false)
		o.shut('}')
	}
}

func (o *jsonOut) inGuild(s *Server, g *guildState, i *Interaction) {
	if ch := g.view().find(i.Channel); ch != nil {
		o.channel(ch, g.lastMessage(ch.id), false)
	} else {
		o.id("id", i.Channel)
		o.raw(`"type":0`)
	}
	o.raw(`"permissions":"2248473465835073"`)
	o.shut('}')
	o.id("guild_id", g.id)
	o.raw(`"guild_locale":"en-US","context":0`)
	o.key("guild")
	o.open('{')
	o.id("id", g.id)
	o.raw(`"locale":"en-US","features":[]`)
	o.shut('}')
	o.key("member")
	o.open('{')
	o.userObject(s, "user", i.User)
	o.member(g.someone(i.User))
	o.raw(`"permissions":"2248473465835073","collectibles":null,"display_name_styles":null,"unusual_dm_activity_until":null`)
	o.shut('}')
	o.key("authorizing_integration_owners")
	o.open('{')
	o.id("0", g.id)
	o.shut('}')
}

func (s *Server) commandID(guild uint64, kind int, name string) uint64 {
	if c := s.commands.registered(guild, kind, name); c != nil {
		return c.id
	}
	return s.mint.id()
}

// commandData writes the data of a chat command: its options, below the subcommands that its name contains.
func (s *Server) commandData(guild uint64, command string, args []Option) func(o *jsonOut, g *guildState) {
	path := strings.Fields(command)
	return func(o *jsonOut, _ *guildState) {
		name := ""
		if len(path) > 0 {
			name = path[0]
		}
		c := s.commands.registered(guild, typeChat, name)
		if c != nil {
			o.id("id", c.id)
		} else {
			o.id("id", s.mint.id())
		}
		o.str("name", name)
		o.num("type", typeChat)
		if c != nil && c.guild != 0 {
			o.id("guild_id", c.guild)
		}
		if len(path) > 1 || len(args) > 0 {
			o.key("options")
			o.arguments(path[min(1, len(path)):], args)
		}
	}
}

func (o *jsonOut) arguments(path []string, args []Option) {
	o.open('[')
	if len(path) > 0 {
		o.open('{')
		o.str("name", path[0])
		o.num("type", int64(min(optionGroup, len(path)))) // two left: a group, one: a subcommand
		o.key("options")
		o.arguments(path[1:], args)
		o.shut('}')
		o.shut(']')
		return
	}
	for _, a := range args {
		value, err := json.Marshal(a.Value)
		if err != nil {
			value = appendString(nil, fmt.Sprint(a.Value))
		}
		o.open('{')
		o.str("name", a.Name)
		o.num("type", int64(a.kind()))
		o.json("value", value)
		if a.Focused {
			o.raw(`"focused":true`)
		}
		o.shut('}')
	}
	o.shut(']')
}

func (a Option) kind() int {
	if a.Type != 0 {
		return a.Type
	}
	switch a.Value.(type) {
	case int, int64, uint64:
		return 4
	case bool:
		return 5
	case float64:
		return 10
	}
	return 3
}

// resolved writes the target of a context menu command.
func (o *jsonOut) resolved(s *Server, g *guildState, kind int, channel, target uint64) {
	key := string(appendNumber(nil, target))
	o.key("resolved")
	o.open('{')
	if kind == 2 {
		o.key("users")
		o.open('{')
		o.userObject(s, key, target)
		o.shut('}')
		o.key("members")
		o.open('{')
		o.key(key)
		o.open('{')
		o.member(g.someone(target))
		o.raw(`"permissions":"2248473465835073"`)
		o.shut('}')
		o.shut('}')
	} else if m := g.room(channel).find(target); m != nil {
		o.key("messages")
		o.open('{')
		o.key(key)
		o.open('{')
		o.message(s, g, m, false)
		o.shut('}')
		o.shut('}')
	}
	o.shut('}')
}
