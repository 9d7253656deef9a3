// Command oracle is an example plugin whose answers take their time: 5 s, while
// Discord waits for 3. There is nothing to be done for that: the host defers at
// 2 s and sends the late answer as the edit that Discord takes then. /ask has its
// users see that the bot is thinking; the button below the answer changes it.
package main

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"time"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/switchupcb/disgo"
)

// thinking is how long the oracle takes.
const thinking = 5 * time.Second

// again is the custom ID of the button; what follows it is the question.
const again = "oracle:"

func main() {
	p := sdk.New("oracle")
	register(p)
	p.Run()
}

func register(p *sdk.Plugin) {
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "ask",
		Description: disgo.Pointer("Asks the oracle."),
		Options: []*disgo.ApplicationCommandOption{{
			Type: disgo.FlagApplicationCommandOptionTypeSTRING, Name: "question", Description: "What you want to know",
			Required: disgo.Pointer(true), MaxLength: disgo.Pointer(80),
		}},
	}, ask)
	p.Component(again, askAgain)
}

func ask(ctx context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	return think(ctx, sdk.Arguments(i)["question"], i.ID)
}

func askAgain(ctx context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	reply, err := think(ctx, i.MessageComponent().CustomID[len(again):], i.ID)
	if err != nil {
		return nil, err
	}
	return reply.Update(), nil
}

// think takes its time. seed is another one each time.
func think(ctx context.Context, question, seed string) (*sdk.Reply, error) {
	select {
	case <-time.After(thinking):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	answers := []string{"Yes.", "No.", "Not before the tide turns.", "Ask the kelp."}
	sum := fnv.New32a()
	sum.Write([]byte(question + seed))
	button, err := json.Marshal([]any{map[string]any{"type": 1, "components": []any{
		map[string]any{"type": 2, "style": 2, "label": "Ask again", "custom_id": again + question},
	}}})
	if err != nil {
		return nil, err
	}
	return sdk.Text(question + " – " + answers[sum.Sum32()%uint32(len(answers))]).WithComponents(button), nil
}
