package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

type simulateCmd struct {
	Listen string  `default:"127.0.0.1:0" placeholder:"ADDR" help:"Where it listens (default: a free port of loopback)."`
	Guilds int     `default:"2" help:"How many guilds the bot is in."`
	Shards int     `default:"1" help:"How many shards are recommended."`
	Rate   float64 `default:"0" placeholder:"N" help:"Messages that people say by themselves, a second (default: none)."`
	Seed   uint64  `default:"1" help:"Seed of its world: ids, names, the bot's account."`
}

const (
	// smallTalk is what people say by themselves.
	smallTalk = "hello there"
	// toldEmissions is how many of the bot's messages may wait to be printed.
	toldEmissions = 1024
	// toldBreaches is how many broken rules are told at the end.
	toldBreaches = 10
)

// Run runs a Discord of its own until ctx ends, for a bot that somebody writes. What
// is typed happens in it, and what the bot says is printed.
func (c *simulateCmd) Run(ctx context.Context, around surroundings) (err error) {
	if c.Guilds < 1 || c.Shards < 1 || c.Rate < 0 {
		return usageError{errors.New("--guilds and --shards must be at least 1, --rate not negative")}
	}
	s := &simulation{show: newNarrator(around.stdout), heard: make(chan simulator.Emission, toldEmissions)}
	s.sim, err = simulator.Start(simulator.Config{
		Addr: c.Listen, Seed: c.Seed, Shards: c.Shards, MaxConcurrency: c.Shards,
		World: simulator.World{Guilds: c.Guilds}, Emitted: s.emitted,
	})
	if err != nil {
		return fmt.Errorf("start the simulator: %w: give another --listen, or fewer guilds", err)
	}
	s.guilds = s.sim.Guilds()
	fmt.Fprintf(around.stdout, "a Discord of its own listens here until Ctrl-C, with %d guilds; run your bot on it, in another terminal:\n\n", len(s.guilds))
	fmt.Fprintf(around.stdout, "  DISCORD_TOKEN=%s holdfast run --api-url %s --state .holdfast-simulated --plugins bot\n\n", s.sim.Token(), s.sim.URL())
	fmt.Fprintln(around.stdout, "what you type here somebody says in the first guild; /name option=value is a command")
	var going sync.WaitGroup
	going.Go(func() { s.tell(ctx) })
	if c.Rate > 0 {
		going.Go(func() {
			_ = s.sim.Run(ctx, simulator.Rate{PerSecond: c.Rate}, func(int) bool {
				g := pick(s.guilds)
				return s.sim.Say(g.ID, pick(g.Channels), pick(g.Members), smallTalk) != 0
			})
		})
	}
	go s.listen(ctx, os.Stdin) // it ends with the process: a read from a terminal cannot be ended
	<-ctx.Done()
	broken := s.sim.Breaches()
	err = s.sim.Close()
	going.Wait()
	if err != nil || len(broken) == 0 {
		return err
	}
	for _, b := range broken[:min(len(broken), toldBreaches)] {
		fmt.Fprintf(around.stderr, "holdfast: rule broken: %s: %s\n", b.Rule, plain(b.Detail))
	}
	return fmt.Errorf("%d times a rule of Discord's was broken: see above", len(broken))
}

// simulation is a Discord that somebody plays with.
type simulation struct {
	sim    *simulator.Server
	show   *narrator
	guilds []simulator.Guild
	heard  chan simulator.Emission // what is to be printed
}

// emitted implements simulator.Config.Emitted: it must not wait.
func (s *simulation) emitted(e simulator.Emission) {
	if e.Name != "MESSAGE_CREATE" && e.Name != "MESSAGE_UPDATE" {
		return
	}
	select {
	case s.heard <- e:
	default: // nobody reads as fast
	}
}

// tell prints what the bot says in channels; answers to commands are told by call.
func (s *simulation) tell(ctx context.Context) {
	bot := strconv.FormatUint(s.sim.Bot(), 10)
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-s.heard:
			var m struct {
				Channel     string          `json:"channel_id"`
				Content     string          `json:"content"`
				Embeds      []any           `json:"embeds"`
				Components  []any           `json:"components"`
				Interaction json.RawMessage `json:"interaction_metadata"`
				Author      struct {
					ID string `json:"id"`
				} `json:"author"`
			}
			if json.Unmarshal(e.Data, &m) != nil || m.Author.ID != bot || m.Interaction != nil {
				continue
			}
			what := "says"
			if e.Name == "MESSAGE_UPDATE" {
				what = "edits"
			}
			s.show.sayf("the bot %s in channel %s: %q%s", what, m.Channel, m.Content, beside(len(m.Embeds), len(m.Components)))
		}
	}
}

// beside names what a message has beside its text.
func beside(embeds, components int) (out string) {
	if embeds > 0 {
		out += fmt.Sprintf(", %d embeds", embeds)
	}
	if components > 0 {
		out += fmt.Sprintf(", %d components", components)
	}
	return out
}

// listen lets happen what is typed, until there is no more.
func (s *simulation) listen(ctx context.Context, typed io.Reader) {
	lines := bufio.NewScanner(typed)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || ctx.Err() != nil {
			continue
		}
		if len(s.sim.Sessions()) == 0 {
			s.show.sayf("no bot is connected: nobody hears it")
			continue
		}
		g := s.guilds[0]
		if command, isCommand := strings.CutPrefix(line, "/"); isCommand {
			name, options := commandOf(command)
			go s.call(ctx, s.sim.Slash(g.ID, g.Channels[0], g.Members[0], name, options...)) // it ends with ctx
		} else {
			s.sim.Say(g.ID, g.Channels[0], g.Members[0], line)
		}
	}
}

// commandOf reads a command's name, with that of a subcommand, and its options.
func commandOf(line string) (name string, options []simulator.Option) {
	var words []string
	for word := range strings.FieldsSeq(line) {
		key, text, isOption := strings.Cut(word, "=")
		if !isOption {
			words = append(words, word)
			continue
		}
		var value any = text
		if n, err := strconv.Atoi(text); err == nil {
			value = n
		} else if text == "true" || text == "false" {
			value = text == "true"
		}
		options = append(options, simulator.Option{Name: key, Value: value})
	}
	return strings.Join(words, " "), options
}

// call tells how a command is answered.
func (s *simulation) call(ctx context.Context, i *simulator.Interaction) {
	first, err := i.Wait(ctx)
	answer := first
	if err == nil {
		answer, err = i.WaitMessage(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		s.show.sayf("/%s is not answered: %v", i.Name, err)
		return
	}
	how := ""
	if answer.Took > first.Took {
		how = fmt.Sprintf(", deferred after %s", first.Took.Round(time.Millisecond))
	}
	if answer.Ephemeral {
		how += ", for the user alone"
	}
	s.show.sayf("/%s is answered after %s%s: %q", i.Name, answer.Took.Round(time.Millisecond), how, answer.Content)
}
