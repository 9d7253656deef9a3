// Command answerer answers interactions in every way, in time and late. What it
// says contains the interaction's id. SUFFIX is added to its name and to all
// that it registers, DELAY is what late answers take.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/switchupcb/disgo"
)

type handler = func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error)

func main() {
	suffix := os.Getenv("SUFFIX")
	form := formOf(suffix)
	p := sdk.New("answerer" + suffix)
	command := func(name string, h handler, d ...sdk.Deferral) {
		p.Command(json.RawMessage(`{"name":"`+name+suffix+`","description":"d"}`), h, d...)
	}
	command("quick", say)
	command("late", late(say))
	command("secret", late(whisper), sdk.DeferEphemeral)
	command("whisper", late(whisper)) // after a deferral that all see
	command("fail", late(fail))
	command("twice", twice)
	command("own", own)
	command("form", late(form)) // too late for a modal
	command("prompt", form, sdk.DeferNever)
	command("hush", nothing)
	command("none", late(nothing))
	command("later", later)
	command("find", say)
	p.Autocomplete("find"+suffix, suggest)
	p.Component("quick"+suffix+":", update)
	p.Component("message"+suffix+":", late(say))
	p.Component("update"+suffix+":", late(update))
	p.Component("hush"+suffix+":", nothing)
	p.Component("none"+suffix+":", late(nothing))
	p.Modal("form"+suffix+":", late(submitted))
	p.Run()
}

func say(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.Text("answer " + i.ID), nil
}

func whisper(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.Text("answer " + i.ID).Ephemeral(), nil
}

func update(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.Text("answer " + i.ID).Update(), nil
}

func submitted(_ context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.Text("answer " + i.ID + " " + bot.Inputs()["text"]), nil
}

func fail(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
	return nil, errors.New("the tide is out")
}

func nothing(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
	return nil, nil //nolint:nilnil // that is its answer
}

// later leaves the answer to a goroutine that outlives it.
func later(_ context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	detached := bot.Detach()
	go func() {
		wait(context.Background())
		response := &disgo.CreateInteractionResponse{
			InteractionID: i.ID, InteractionToken: i.Token,
			InteractionResponse: &disgo.InteractionResponse{
				Type: disgo.FlagInteractionCallbackTypeCHANNEL_MESSAGE_WITH_SOURCE, Data: &disgo.Messages{Content: disgo.Pointer("answer " + i.ID)},
			},
		}
		if err := response.Send(detached.Client); err != nil {
			detached.Log.Warn("late answer not sent", "error", err)
		}
	}()
	return nil, nil //nolint:nilnil // it answers by itself
}

func formOf(suffix string) handler {
	return func(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
		return sdk.ShowModal("form"+suffix+":"+i.ID, "Form", json.RawMessage(`[{"type":18,"label":"L","component":{"type":4,"custom_id":"text","style":1}}]`)), nil
	}
}

// twice answers by itself and by what it returns: the second is refused.
func twice(_ context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	response := &disgo.CreateInteractionResponse{
		InteractionID: i.ID, InteractionToken: i.Token,
		InteractionResponse: &disgo.InteractionResponse{
			Type: disgo.FlagInteractionCallbackTypeCHANNEL_MESSAGE_WITH_SOURCE, Data: &disgo.Messages{Content: disgo.Pointer("answer " + i.ID)},
		},
	}
	if err := response.Send(bot.Client); err != nil {
		return nil, err
	}
	return sdk.Text("second " + i.ID), nil
}

// own defers by itself, after the host has, and edits its message.
func own(ctx context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	wait(ctx)
	response := &disgo.CreateInteractionResponse{
		InteractionID: i.ID, InteractionToken: i.Token,
		InteractionResponse: &disgo.InteractionResponse{Type: disgo.FlagInteractionCallbackTypeDEFERRED_CHANNEL_MESSAGE_WITH_SOURCE},
	}
	if err := response.Send(bot.Client); err != nil {
		return nil, err
	}
	_, err := (&disgo.EditOriginalInteractionResponse{
		InteractionToken: i.Token, Content: disgo.Pointer2("answer " + i.ID),
	}).Send(bot.Client)
	return nil, err
}

func suggest(ctx context.Context, _ *sdk.Bot, i *disgo.InteractionCreate, typing sdk.Typing) ([]sdk.Choice, error) {
	if strings.HasPrefix(typing.Value, "late") {
		wait(ctx)
	}
	return []sdk.Choice{{Name: "answer " + i.ID, Value: "x"}}, nil
}

func late(h handler) handler {
	return func(ctx context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
		wait(ctx)
		return h(ctx, bot, i)
	}
}

func wait(ctx context.Context) {
	delay, err := time.ParseDuration(os.Getenv("DELAY"))
	if err != nil {
		delay = 0
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
}
