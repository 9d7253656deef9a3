package sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/switchupcb/disgo"
)

// Send sends one of disgo's requests as request.Send(bot.Client) does, under a
// context of its own and with errors that can be looked into: errors.As finds an
// *APIError, errors.Is finds context.DeadlineExceeded. disgo's own Send takes no
// context and returns an error that cannot be unwrapped (AsAPIError looks into
// that one). The request ends with ctx, and with the handler that bot belongs
// to; WithReason gives a reason for the audit log. Send is safe for concurrent
// use.
//
//	message, err := sdk.Send(ctx, bot, &disgo.CreateMessage{ChannelID: id, Content: &text})
func Send[A any](ctx context.Context, bot *Bot, request interface {
	Send(client *disgo.Client) (A, error)
},
) (answer A, err error) {
	err = bot.send(ctx, request, func(c *disgo.Client) (err error) {
		answer, err = request.Send(c)
		return err
	})
	return answer, err
}

// SendOnly is Send for those of disgo's requests that have no answer, such as
// DeleteMessage.
func SendOnly(ctx context.Context, bot *Bot, request interface {
	Send(client *disgo.Client) error
},
) error {
	return bot.send(ctx, request, request.Send)
}

// send gives the call a ticket of its own: its context is then the one that the
// transport finds.
func (b *Bot) send(ctx context.Context, request any, send func(*disgo.Client) error) error {
	ctx, cancel, err := b.within(ctx)
	if err != nil {
		return fmt.Errorf("send %s: %w", nameOf(request), err)
	}
	defer cancel()
	ticket := b.line.events.issue(ctx)
	defer b.line.events.revoke(ticket)
	header := clientHeader(ticket, b.Event)
	if reason, ok := ctx.Value(reasonOf{}).(string); ok {
		header += " " + reason
	}
	err = send(b.line.client(header))
	if err == nil {
		return nil
	}
	// disgo's error has the URL in its text, and with it tokens of interactions.
	if wrapped, ok := errors.AsType[disgo.ErrorRequest](err); ok && wrapped.Err != nil {
		err = wrapped.Err
	}
	return fmt.Errorf("send %s: %w", nameOf(request), b.line.orOver(b.ticket, b.Event, err))
}

// nameOf is disgo's name of a request.
func nameOf(request any) string {
	name := fmt.Sprintf("%T", request)
	return name[strings.LastIndexByte(name, '.')+1:]
}
