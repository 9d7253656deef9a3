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
	// applicationCommand is the type of the interactions that Command handles.
	applicationCommand = 2
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
		Name    string `json:"name"`
		Type    int    `json:"type"`
		GuildID string `json:"guild_id"`
	} `json:"data"`
}

// commandError is a command that failed; the user was told the reference.
type commandError struct {
	command   string
	reference string
	err       error
}

func (e *commandError) Error() string { return e.err.Error() }
func (e *commandError) Unwrap() error { return e.err }

// commandFor finds the command that the interaction calls. Data's guild is the
// one where the command is registered: a host may have registered a global
// command in a guild, then the global one is meant, or another guild's.
func (d *delivery) commandFor(j *job) (*envelope, *command) {
	e := new(envelope)
	err := guarded(func() error { return goccy.Unmarshal(j.event.Data, e) })
	if err != nil || e.Type != applicationCommand {
		return nil, nil
	}
	guild, _ := strconv.ParseUint(e.Data.GuildID, 10, 64)
	key := commandKey{guild: guild, kind: max(e.Data.Type, chatInput), name: e.Data.Name}
	if c, ok := d.commands[key]; ok {
		return e, c
	}
	key.guild = 0
	if c, ok := d.commands[key]; ok || guild == 0 {
		return e, c
	}
	return e, d.elsewhere(key)
}

// runCommand runs the handler of a command and sends what it returns.
func (d *delivery) runCommand(ctx context.Context, j *job, e *envelope, c *command) error {
	reply, err := d.askCommand(ctx, j, c)
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
	failed := &commandError{command: c.String(), reference: rand.Text()[:8], err: err}
	apology := Text("Something went wrong (reference " + failed.reference + ").").Ephemeral()
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

// askCommand decodes the interaction and calls the handler.
func (d *delivery) askCommand(ctx context.Context, j *job, c *command) (reply *Reply, err error) {
	interaction, err := decoded[disgo.InteractionCreate](j, j.route.commandSlot)
	if err != nil {
		return nil, err
	}
	err = protected(func() (err error) {
		reply, err = c.run(ctx, &j.bot, interaction)
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
