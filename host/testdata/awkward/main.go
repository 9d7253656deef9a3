// Command awkward answers interactions in ways that authors try: files, follow-ups
// of all sorts, answers that Discord refuses, and handlers that do not end well.
package main

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/switchupcb/disgo"
)

func main() {
	p := sdk.New("awkward")
	for name, h := range map[string]sdk.CommandHandler{
		"file": file, "late-file": late(file), "early": early, "panics": panics, "ends": ends, "hangs": hangs, "no-json": noJSON,
		"too-long": tooLong, "followed": late(followed), "fetched": late(fetched), "modal": modal,
	} {
		p.Command(json.RawMessage(`{"name":"`+name+`","description":"d"}`), h)
	}
	p.Command(json.RawMessage(`{"name":"file","type":2}`), who)
	p.Command(json.RawMessage(`{"name":"file","type":3}`), who)
	p.Command(json.RawMessage(`{"name":"deep","description":"d","options":[{"type":2,"name":"a","description":"d","options":[
		{"type":1,"name":"b","description":"d","options":[{"type":3,"name":"text","description":"d"}]}]}]}`),
		sdk.Subcommands(map[string]sdk.CommandHandler{"a b": deep}))
	p.Modal("m", modal) // a modal answered by a modal
	p.Component("c", component)
	p.Component("c"+strings.Repeat("x", 99), longest)
	p.Run()
}

func file(ctx context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	body := sdk.Upload{
		JSON:  map[string]any{"type": 4, "data": map[string]any{"content": "file", "attachments": []any{map[string]any{"id": 0, "description": "kelp"}}}},
		Files: []*disgo.File{{Name: "kelp.txt", Data: []byte(strings.Repeat("green ", 1000))}},
	}
	return nil, bot.Do(ctx, "POST", "/interactions/"+i.ID+"/"+i.Token+"/callback", body, nil)
}

// early follows up before it answers.
func early(_ context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	_, err := (&disgo.CreateFollowupMessage{InteractionToken: i.Token, Content: disgo.Pointer("more")}).Send(bot.Client)
	return nil, err
}

func panics(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) { panic("kelp") }

func ends(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
	runtime.Goexit()
	return nil, nil //nolint:nilnil // not reached
}

// hangs does not end when its time is over.
func hangs(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) { select {} }

func noJSON(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.RawReply(json.RawMessage(`{`)), nil
}

func tooLong(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.Text(strings.Repeat("x", 2001)), nil
}

// followed answers with a follow-up alone, which takes the deferral's place.
func followed(_ context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	_, err := (&disgo.CreateFollowupMessage{InteractionToken: i.Token, Content: disgo.Pointer("more")}).Send(bot.Client)
	return nil, err
}

// fetched reads its message before it answers.
func fetched(ctx context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	if err := bot.Do(ctx, "GET", "/webhooks/"+bot.ApplicationID()+"/"+i.Token+"/messages/@original", nil, nil); err != nil {
		return nil, err
	}
	return sdk.Text("read"), nil
}

func modal(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.ShowModal("m:1", "Form", json.RawMessage(`[{"type":18,"label":"L","component":{"type":4,"custom_id":"text","style":1}}]`)), nil
}

func who(_ context.Context, bot *sdk.Bot, _ *disgo.InteractionCreate) (*sdk.Reply, error) {
	var i struct {
		Data struct {
			Type   int    `json:"type"`
			Target string `json:"target_id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(bot.Raw, &i); err != nil {
		return nil, err
	}
	return sdk.Text(map[int]string{2: "user ", 3: "message "}[i.Data.Type] + i.Data.Target), nil
}

func deep(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.Text("deep " + sdk.Arguments(i)["text"]), nil
}

func component(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.Text("short"), nil
}

func longest(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.Text("longest"), nil
}

func late(h sdk.CommandHandler) sdk.CommandHandler {
	return func(ctx context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
		select {
		case <-time.After(2300 * time.Millisecond):
		case <-ctx.Done():
		}
		return h(ctx, bot, i)
	}
}
