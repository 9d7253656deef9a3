package sdktest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Types of command options (Discord's documentation, "Application Command
// Option Type").
const (
	subcommand      = 1
	subcommandGroup = 2

	stringOption  = 3
	integerOption = 4
	booleanOption = 5
	userOption    = 6
	numberOption  = 10
)

const (
	ephemeral = 1 << 6
	// UserID is who calls the commands of Slash.
	UserID = "1000000000000000003"
	// GuildID is where, unless In says otherwise.
	GuildID = "1000000000000000004"
	// ChannelID is the channel in it.
	ChannelID = "1000000000000000005"
)

// SlashOption changes the interaction of Slash.
type SlashOption func(*interaction)

// String is a value for one of the command's options.
func String(name, value string) SlashOption { return option(name, stringOption, value) }

// Integer is a value for one of the command's options.
func Integer(name string, value int64) SlashOption { return option(name, integerOption, value) }

// Number is a value for one of the command's options.
func Number(name string, value float64) SlashOption { return option(name, numberOption, value) }

// Boolean is a value for one of the command's options.
func Boolean(name string, value bool) SlashOption { return option(name, booleanOption, value) }

// User is a user's id for one of the command's options.
func User(name, id string) SlashOption { return option(name, userOption, id) }

func option(name string, kind int, value any) SlashOption {
	return func(i *interaction) {
		i.options = append(i.options, optionValue{Name: name, Type: kind, Value: value})
	}
}

// In calls the command in another guild than GuildID.
func In(guild string) SlashOption {
	return func(i *interaction) { i.GuildID = guild }
}

// Callback is a plugin's answer to an interaction.
type Callback struct {
	// Type is Discord's callback type, 0 if the plugin did not answer.
	Type int
	// Content, Ephemeral and Data are those of the message, if it is one.
	Content   string
	Ephemeral bool
	// Data is the callback's data as it was sent.
	Data json.RawMessage
	// Err is a *HandlerError if the handler did not go well.
	Err error
}

type interaction struct {
	ID            string `json:"id"`
	ApplicationID string `json:"application_id"`
	Type          int    `json:"type"`
	Token         string `json:"token"`
	Version       int    `json:"version"`
	GuildID       string `json:"guild_id"`
	ChannelID     string `json:"channel_id"`
	Locale        string `json:"locale"`
	Permissions   string `json:"app_permissions"`
	Member        any    `json:"member"`
	Message       any    `json:"message,omitempty"`
	Data          any    `json:"data"`

	options []optionValue // of the command or the subcommand
}

type commandData struct {
	ID      string        `json:"id"`
	Name    string        `json:"name"`
	Type    int           `json:"type"`
	GuildID string        `json:"guild_id,omitempty"`
	Options []optionValue `json:"options,omitempty"`
}

type optionValue struct {
	Name    string        `json:"name"`
	Type    int           `json:"type"`
	Value   any           `json:"value,omitempty"`
	Focused bool          `json:"focused,omitempty"`
	Options []optionValue `json:"options,omitempty"`
}

// Slash calls one of the plugin's commands as a user would, waits for its
// handler and returns the answer; "config set" calls a subcommand, "config color
// set" one of a group. A command that the plugin does not have fails the test.
func (h *Host) Slash(name string, options ...SlashOption) Callback {
	h.t.Helper()
	command, path := h.called(name)
	i := h.newInteraction(commandInteraction, nil)
	for _, option := range options {
		option(i)
	}
	data := h.commandData(command, path, options)
	if c := h.guildCommand(command, i.GuildID); c != nil {
		data.GuildID = i.GuildID
	}
	i.Data = data
	return h.interact(i)
}

// called finds the command of a name and the way to its subcommand.
func (h *Host) called(name string) (command string, path []string) {
	h.t.Helper()
	if h.hasCommand(name) {
		return name, nil
	}
	if path = strings.Fields(name); len(path) > 1 && h.hasCommand(path[0]) {
		return path[0], path[1:]
	}
	h.t.Fatalf("the plugin has no command %q: it has %v", name, h.commandNames())
	return "", nil
}

func (h *Host) newInteraction(kind int, data any) *interaction {
	id := strconv.FormatUint(h.nextID(), 10)
	return &interaction{
		ID: id, ApplicationID: ApplicationID, Type: kind, Token: "token-of-" + id, Version: 1,
		GuildID: GuildID, ChannelID: ChannelID, Locale: "en-US", Permissions: "0",
		Member: map[string]any{
			"user":      map[string]any{"id": UserID, "username": "user", "discriminator": "0"},
			"roles":     []string{},
			"joined_at": "2020-01-01T00:00:00Z",
		},
		Data: data,
	}
}

// commandData has the options below the subcommand that the path leads to.
func (h *Host) commandData(name string, path []string, options []SlashOption) *commandData {
	var given interaction
	for _, option := range options {
		option(&given)
	}
	below := given.options
	for n, name := range slices.Backward(path) {
		kind := subcommand
		if n < len(path)-1 {
			kind = subcommandGroup
		}
		below = []optionValue{{Name: name, Type: kind, Options: below}}
	}
	return &commandData{ID: strconv.FormatUint(h.nextID(), 10), Name: name, Type: h.kindOf(name), Options: below}
}

// interact delivers the interaction and waits for its handler.
func (h *Host) interact(i *interaction) Callback {
	h.t.Helper()
	err := h.Send("INTERACTION_CREATE", i)
	callback := h.callbackOf(i.ID)
	callback.Err = err
	return callback
}

// callbackOf finds the first answer among the requests.
func (h *Host) callbackOf(id string) Callback {
	for _, r := range h.Requests() {
		if r.Method != http.MethodPost || !strings.HasPrefix(r.Path, "/interactions/"+id+"/") {
			continue
		}
		var body struct {
			Type int             `json:"type"`
			Data json.RawMessage `json:"data"`
		}
		var message struct {
			Content string `json:"content"`
			Flags   uint64 `json:"flags"`
		}
		if r.JSON(&body) == nil {
			_ = json.Unmarshal(body.Data, &message) // other kinds of callbacks have other data
		}
		return Callback{Type: body.Type, Content: message.Content, Ephemeral: message.Flags&ephemeral != 0, Data: body.Data}
	}
	return Callback{}
}

type declared struct {
	Name string `json:"name"`
	Type int    `json:"type"`
}

func declaration(c *wire.Command) declared {
	d := declared{Type: 1}
	_ = json.Unmarshal(c.GetJson(), &d) // the SDK wrote it
	return d
}

func (h *Host) commandNames() []string {
	var names []string
	for _, c := range h.manifest.GetCommands() {
		names = append(names, declaration(c).Name)
	}
	return names
}

func (h *Host) hasCommand(name string) bool { return slices.Contains(h.commandNames(), name) }

func (h *Host) kindOf(name string) int {
	for _, c := range h.manifest.GetCommands() {
		if d := declaration(c); d.Name == name {
			return d.Type
		}
	}
	return 1
}

// guildCommand is the command that is registered in this guild only.
func (h *Host) guildCommand(name, guild string) *wire.Command {
	for _, c := range h.manifest.GetCommands() {
		if c.GetGuild() != 0 && strconv.FormatUint(c.GetGuild(), 10) == guild && declaration(c).Name == name {
			return c
		}
	}
	return nil
}
