package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// Dispatch sends any event, its data as given, to the sessions that should see it: those of a guild, or, when
// the number is below 4,194,304, those of that shard. Intents are obeyed, but content is never left out.
func (s *Server) Dispatch(shardOrGuild uint64, name string, d json.RawMessage) {
	if shardOrGuild >= 1<<lowBits {
		s.await(shardOrGuild)
		ev := &event{name: name, guild: shardOrGuild, need: needed(name, true), data: d}
		if !s.in(shardOrGuild, func(g *guildState) { s.dispatch(g, ev) }) {
			s.dispatch(nil, ev)
		}
		return
	}
	// A number below the time of a snowflake stands for a shard: (n << 22) % shards is that shard again.
	id := shardOrGuild << lowBits
	s.await(id)
	s.dispatch(nil, &event{name: name, guild: id, need: needed(name, guildOf(name, d) != 0), data: d})
}

// Play sends recorded gateway frames: each dispatch but READY and RESUMED goes with its t and its d byte for
// byte (as given: compact them first if they are pretty-printed) to the sessions of its guild; s is numbered
// anew. It returns how many were sent.
func (s *Server) Play(frames []json.RawMessage) (int, error) {
	sent := 0
	for i, raw := range frames {
		var f struct {
			Op int             `json:"op"`
			T  string          `json:"t"`
			D  json.RawMessage `json:"d"`
		}
		if err := json.Unmarshal(raw, &f); err != nil {
			return sent, fmt.Errorf("frame %d: %w", i, err)
		}
		if f.Op != 0 || f.T == "READY" || f.T == "RESUMED" {
			continue
		}
		if f.T == "INTERACTION_CREATE" {
			s.replayInteraction(f.D)
		}
		s.Dispatch(guildOf(f.T, f.D), f.T, f.D)
		sent++
	}
	return sent, nil
}

// replayInteraction takes a recorded interaction for one that is made now: the bot may answer it.
func (s *Server) replayInteraction(d json.RawMessage) {
	m, _ := object(d)
	i := &Interaction{
		ID: snowflake(m["id"]), Guild: snowflake(m["guild_id"]), Channel: snowflake(m["channel_id"]),
		Created: time.Now(), changed: make(chan struct{}),
	}
	if json.Unmarshal(m["token"], &i.Token) == nil && json.Unmarshal(m["type"], &i.Kind) == nil {
		s.interactions.add(i)
	}
}

// guildOf gives the guild of an event as Discord's rule has it; 0: none.
func guildOf(name string, d json.RawMessage) uint64 {
	m, _ := object(d)
	switch name {
	case "GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE":
		return snowflake(m["id"])
	}
	return snowflake(m["guild_id"])
}

// ReadFrames reads a file with an array of whole gateway frames, or one frame a line, and removes insignificant
// space from them, as Discord sends none.
func ReadFrames(path string) ([]json.RawMessage, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read frames: %w", err)
	}
	var frames []json.RawMessage
	if err := json.Unmarshal(data, &frames); err != nil {
		frames = frames[:0]
		for line := range bytes.Lines(data) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				frames = append(frames, line)
			}
		}
	}
	if len(frames) == 0 {
		return nil, errors.New("read frames: no frames in " + path)
	}
	for i, f := range frames {
		var out bytes.Buffer
		if err := json.Compact(&out, f); err != nil {
			return nil, fmt.Errorf("read frame %d of %s: %w", i, path, err)
		}
		frames[i] = out.Bytes()
	}
	return frames, nil
}
