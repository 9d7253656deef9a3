package sdk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	goccy "github.com/goccy/go-json"
	"github.com/switchupcb/disgo"
)

const (
	// applicationCommand, messageComponent and modalSubmit are the types of the
	// interactions that Command, Component and Modal handle.
	applicationCommand = 2
	messageComponent   = 3
	modalSubmit        = 5
	// callbackTimeout bounds sending an answer; Discord takes first answers for
	// 3 s, the host's gate may need a little longer to say so.
	callbackTimeout = 10 * time.Second
	// alreadyAnswered and unknownInteraction are Discord's error codes for an
	// answer that comes second or too late.
	alreadyAnswered    = 40060
	unknownInteraction = 10062
)

// envelope is what routing needs of an interaction, also when disgo cannot
// decode the rest.
type envelope struct {
	ID    string `json:"id"`
	Token string `json:"token"`
	Type  int    `json:"type"`
	Data  struct {
		Name     string `json:"name"`
		Type     int    `json:"type"`
		GuildID  string `json:"guild_id"`
		CustomID string `json:"custom_id"`
	} `json:"data"`
}

// answering is a handler that answers interactions.
type answering struct {
	what     string // a command or custom IDs, for messages
	run      CommandHandler
	from     string // the handler's name
	suggests bool   // it is of an autocomplete, which has no messages
}

// commandError is an answer that failed; the user was told the reference.
type commandError struct {
	command   string
	reference string
	err       error
}

func (e *commandError) Error() string { return e.err.Error() }
func (e *commandError) Unwrap() error { return e.err }

// answeringFor finds who answers the interaction.
func (d *delivery) answeringFor(j *job) (*envelope, *answering) {
	e := new(envelope)
	if err := guarded(func() error { return goccy.Unmarshal(j.event.Data, e) }); err != nil {
		return nil, nil
	}
	switch e.Type {
	case applicationCommand:
		if c := d.commandFor(e); c != nil {
			return e, &c.answering
		}
	case autocompletion:
		if c := d.commandFor(e); c != nil {
			return e, c.suggest
		}
	case messageComponent:
		return e, longest(d.plugin.components, e.Data.CustomID)
	case modalSubmit:
		return e, longest(d.plugin.modals, e.Data.CustomID)
	}
	return e, nil
}

// commandFor finds the command that the interaction calls. Data's guild is the
// one where the command is registered: a host may have registered a global
// command in a guild, then the global one is meant, or another guild's.
func (d *delivery) commandFor(e *envelope) *command {
	guild, _ := strconv.ParseUint(e.Data.GuildID, 10, 64)
	key := commandKey{guild: guild, kind: max(e.Data.Type, chatInput), name: e.Data.Name}
	if c, ok := d.commands[key]; ok {
		return c
	}
	key.guild = 0
	if c, ok := d.commands[key]; ok || guild == 0 {
		return c
	}
	return d.elsewhere(key)
}

// runAnswering runs the handler and sends what it returns.
func (d *delivery) runAnswering(ctx context.Context, j *job, e *envelope, a *answering) error {
	reply, err := d.ask(ctx, j, a)
	if j.state.Load() != running {
		return nil // too late: nobody waits for this answer
	}
	// The handler's context may have ended; its answer is still wanted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callbackTimeout)
	defer cancel()
	if err == nil {
		if reply == nil {
			return nil
		}
		err = d.answer(ctx, e, reply)
		if api, ok := AsAPIError(err); err == nil || ok && (api.Code == alreadyAnswered || api.Code == unknownInteraction) {
			return wrapAnswer(err)
		}
		err = wrapAnswer(err)
	}
	failed := &commandError{command: a.what, reference: rand.Text()[:8], err: err}
	apology := Text("Something went wrong (reference " + failed.reference + ").").Ephemeral()
	if a.suggests {
		apology = choicesReply(nil)
	}
	if err := d.answer(ctx, e, apology); err != nil {
		j.bot.Log.Debug("apology not sent", "reference", failed.reference, "error", tell(err))
	}
	return failed
}

func wrapAnswer(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("answer the interaction: %w", err)
}

// ask decodes the interaction and calls the handler.
func (d *delivery) ask(ctx context.Context, j *job, a *answering) (reply *Reply, err error) {
	interaction, err := decoded[disgo.InteractionCreate](j, j.route.commandSlot)
	if err != nil {
		return nil, err
	}
	err = protected(func() (err error) {
		reply, err = a.run(ctx, &j.bot, interaction)
		return err
	})
	return reply, err
}

// answer sends a first answer. Its path holds the interaction's token: it must
// not get into an error.
func (d *delivery) answer(ctx context.Context, e *envelope, reply *Reply) error {
	body, err := reply.response()
	if err != nil {
		return err
	}
	if checkID(e.ID) != nil || e.Token == "" {
		return errors.New("the interaction has no id or token")
	}
	_, err = d.line.call(ctx, "POST", "/interactions/"+e.ID+"/"+url.PathEscape(e.Token)+"/callback", body)
	return err
}
