package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"github.com/switchupcb/disgo"
)

// CommandHandler answers a command, a component or a modal. Its reply is sent as
// the interaction's callback, once: a second answer is refused with an error. An
// error is logged with a reference, which the user is told in a short apology that
// only they see.
//
// A nil reply without an error says that the handler answered by itself, or wants
// no answer: then the host ends the interaction without a sign, and takes its
// deferral back. A goroutine that answers when the handler has returned needs a bot
// that the handler has detached (Bot.Detach); its answer is awaited for 14 minutes, or
// until the plugin's process ends.
type CommandHandler func(ctx context.Context, bot *Bot, interaction *disgo.InteractionCreate) (*Reply, error)

// commandKey is what Discord keeps unique.
type commandKey struct {
	guild uint64 // 0: global
	kind  int
	name  string
}

type command struct {
	commandKey
	json     []byte
	deferral wire.Deferral
	answering
	suggest *answering // of Autocomplete, nil for none
}

// Kinds of commands (Discord's documentation, "Application Command Types").
const (
	chatInput       = 1
	lastCommandKind = 4
)

// Command registers an application command and its handler. command is disgo's
// *CreateGlobalApplicationCommand or *CreateGuildApplicationCommand, or a
// json.RawMessage as Discord's create endpoint takes it, for what is newer than
// disgo; in JSON a guild_id makes it a guild's command. The host registers the
// commands of all plugins with Discord together.
//
// The handler runs at once, beside those of other events, and may take its time:
// when it takes longer than 2 s the host defers, see Deferral. For subcommands see
// Subcommands.
func (p *Plugin) Command(command any, handler CommandHandler, deferral ...Deferral) {
	p.mustBeOpen("Command")
	c, err := parseCommand(command)
	if err != nil {
		panic("Command: " + err.Error())
	}
	if handler == nil {
		panic(fmt.Sprintf("Command: the handler of %s is nil", c.commandKey))
	}
	for _, other := range p.commands {
		if other.commandKey == c.commandKey {
			panic(fmt.Sprintf("Command: %s is registered twice: names are unique for each type and guild", c.commandKey))
		}
	}
	c.answering = answering{what: c.String(), run: handler, from: funcName(handler)}
	if c.deferral = oneDeferral("Command", deferral); c.deferral == wire.Deferral_DEFERRAL_UPDATE {
		panic(fmt.Sprintf("Command: %s is to be deferred by an update: a command has no message to be updated", c.commandKey))
	}
	p.answers()
	p.commands = append(p.commands, c)
}

// String is the command as messages name it.
func (k commandKey) String() string {
	name := k.name
	if k.kind == chatInput {
		name = "/" + name
	}
	if k.guild != 0 {
		name += fmt.Sprintf(" of guild %d", k.guild)
	}
	return name
}

func parseCommand(given any) (*command, error) {
	c := new(command)
	var guild string
	if value, ok := given.(*disgo.CreateGuildApplicationCommand); ok && value != nil {
		given = *value
	}
	if value, ok := given.(disgo.CreateGuildApplicationCommand); ok {
		if guild = value.GuildID; guild == "" {
			return nil, fmt.Errorf("the guild command %q has no GuildID", value.Name)
		}
	}
	body, err := json.Marshal(given)
	if err != nil {
		return nil, fmt.Errorf("encode the command: %w", err)
	}
	fields, err := commandFields(body)
	if err != nil {
		return nil, err
	}
	if id, ok := fields["guild_id"].(string); ok {
		guild = id
	}
	delete(fields, "guild_id")
	if guild != "" {
		if c.guild, err = strconv.ParseUint(guild, 10, 64); err != nil {
			return nil, fmt.Errorf("guild %q: use the digits of its id", guild)
		}
	}
	if err := c.readKey(fields); err != nil {
		return nil, err
	}
	typeChoices(fields)
	c.json, err = json.Marshal(fields)
	return c, err
}

func commandFields(body []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil || fields == nil {
		return nil, errors.New("the command is no JSON object: give a disgo create command struct or a json.RawMessage")
	}
	return fields, nil
}

// readKey checks what Discord would refuse, so that the author sees it at the
// first start and not in the host's log (Discord's documentation, "Application
// Command Naming").
func (c *command) readKey(fields map[string]any) error {
	c.kind = chatInput
	if number, ok := fields["type"].(json.Number); ok {
		kind, err := strconv.Atoi(number.String())
		if err != nil || kind < chatInput || kind > lastCommandKind {
			return fmt.Errorf("the type %s: use 1 to %d", number, lastCommandKind)
		}
		c.kind = kind
	}
	c.name, _ = fields["name"].(string)
	if c.kind != chatInput {
		if n := utf8.RuneCountInString(c.name); n < 1 || n > 32 || strings.TrimSpace(c.name) == "" {
			return fmt.Errorf("the name %q: use 1 to 32 characters", c.name)
		}
		return nil
	}
	valid := regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)
	if !valid.MatchString(c.name) || c.name != strings.ToLower(c.name) {
		return fmt.Errorf("the name %q: use 1 to 32 lower-case letters, digits, '-', '_' or '\\''", c.name)
	}
	description, _ := fields["description"].(string)
	if n := utf8.RuneCountInString(description); n < 1 || n > 100 {
		return fmt.Errorf("/%s needs a description of 1 to 100 characters", c.name)
	}
	return nil
}

// typeChoices turns the values of choices into numbers where the option is one:
// disgo has only strings for them, which Discord refuses.
func typeChoices(fields map[string]any) {
	options, _ := fields["options"].([]any)
	for _, each := range options {
		option, ok := each.(map[string]any)
		if !ok {
			continue
		}
		typeChoices(option)
		kind, _ := option["type"].(json.Number)
		if kind != "4" && kind != "10" { // INTEGER, NUMBER
			continue
		}
		choices, _ := option["choices"].([]any)
		for _, each := range choices {
			choice, ok := each.(map[string]any)
			if !ok {
				continue
			}
			if value, ok := choice["value"].(string); ok && isDecimal(value) {
				choice["value"] = json.Number(value)
			}
		}
	}
}

func isDecimal(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && json.Valid([]byte(s))
}
