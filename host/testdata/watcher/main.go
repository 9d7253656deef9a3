// Command watcher is the plugin of the host's tests of the guild cache: for every
// event it reads the event's guild and writes a line of JSON: what came, and what
// it saw. A guild's content is written once for each version.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bot/holdfast/sdk"
)

// line is what is written; the judge has the same.
type line struct {
	Event   string   `json:"event"`
	Guild   string   `json:"guild"`
	Data    uint64   `json:"data"`            // FNV-1a of the event's data
	At      int64    `json:"at"`              // nanoseconds since 1970, after the guild was read
	Look    bool     `json:"look,omitempty"`  // the guild is one that a message named
	Again   bool     `json:"again,omitempty"` // the event was delivered again
	Reason  string   `json:"reason,omitempty"`
	Version uint64   `json:"version,omitempty"`
	Sum     uint64   `json:"sum,omitempty"` // FNV-1a of the content
	Content *content `json:"content,omitempty"`
}

type content struct {
	Guild    json.RawMessage `json:"guild"`
	Channels json.RawMessage `json:"channels"`
	Threads  json.RawMessage `json:"threads"`
	Member   json.RawMessage `json:"member"`
}

type seen struct {
	guild   string
	version uint64
}

// watcher writes lines.
type watcher struct {
	mu    sync.Mutex
	out   *json.Encoder
	known map[seen]bool
}

func main() {
	file, err := os.OpenFile(os.Getenv("FILE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	w := &watcher{out: json.NewEncoder(file), known: make(map[seen]bool)}
	p := sdk.New(os.Getenv("NAME"))
	var options []sdk.Option
	if os.Getenv("WITH_GUILD") != "" {
		options = append(options, sdk.WithGuild())
	}
	for name := range strings.SplitSeq(os.Getenv("EVENTS"), ",") {
		sdk.OnRaw(p, name, func(ctx context.Context, bot *sdk.Bot, d json.RawMessage) error {
			l := &line{Event: name, Guild: bot.GuildID(), Data: sum(d), Again: bot.Redelivered}
			if err := w.read(ctx, bot, l); err != nil {
				return err
			}
			return w.look(ctx, bot, name, d)
		}, options...)
	}
	p.Run()
}

// look reads the guild that a message names: "look GUILD".
func (w *watcher) look(ctx context.Context, bot *sdk.Bot, name string, d json.RawMessage) error {
	var m struct {
		Content string `json:"content"`
	}
	if name != "MESSAGE_CREATE" {
		return nil
	}
	if err := json.Unmarshal(d, &m); err != nil {
		return err
	}
	guild, ok := strings.CutPrefix(m.Content, "look ")
	if !ok {
		return nil
	}
	return w.read(ctx, bot, &line{Event: name, Guild: guild, Look: true})
}

func (w *watcher) read(ctx context.Context, bot *sdk.Bot, l *line) error {
	g, err := bot.Guild(ctx, l.Guild)
	l.At = time.Now().UnixNano()
	if err != nil {
		l.Reason = err.Error()
		if missing, ok := errors.AsType[*sdk.GuildError](err); ok {
			l.Reason = string(missing.Reason)
		}
		return w.write(l)
	}
	c := &content{g.Raw.Guild, g.Raw.Channels, g.Raw.Threads, g.Raw.Member}
	l.Version, l.Sum = g.Version, sum(c.Guild, c.Channels, c.Threads, c.Member)
	l.Content = c
	return w.write(l)
}

func (w *watcher) write(l *line) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.Content != nil {
		version := seen{l.Guild, l.Version}
		if w.known[version] {
			l.Content = nil
		}
		w.known[version] = true
	}
	return w.out.Encode(l)
}

func sum(parts ...[]byte) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write(p) // it never fails
	}
	return h.Sum64()
}
