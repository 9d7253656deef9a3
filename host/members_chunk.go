package host

import (
	"encoding/json"
	"fmt"
	"time"
)

// add takes a chunk, and returns all in their order with the last.
func (m *members) add(g *gather, data []byte) ([][]byte, error) {
	var head struct {
		Nonce string `json:"nonce"`
		Index int    `json:"chunk_index"`
		Count int    `json:"chunk_count"`
	}
	err := json.Unmarshal(data, &head)
	if _, have := g.chunks[head.Index]; err != nil || have || head.Nonce != g.nonce {
		m.mu.Lock()
		defer m.mu.Unlock()
		g.size -= len(data)
		m.bytes -= len(data)
		return nil, nil // it is not of this request
	}
	if g.count == 0 {
		g.count = head.Count
	}
	if head.Count != g.count || head.Index < 0 || head.Index >= g.count {
		return nil, fmt.Errorf("discord sent chunk %d of %d after one of %d: report this", head.Index, head.Count, g.count)
	}
	g.chunks[head.Index] = data
	if len(g.chunks) < g.count {
		return nil, nil
	}
	all := make([][]byte, g.count)
	for n := range all {
		all[n] = g.chunks[n]
	}
	return all, nil
}

// limited reads a RATE_LIMITED (Discord's documentation, "Rate Limited").
func (g *gather) limited(data []byte) (after time.Duration, ours bool) {
	var d struct {
		Op         int     `json:"opcode"`
		RetryAfter float64 `json:"retry_after"` // seconds
		Meta       struct {
			Nonce string `json:"nonce"`
		} `json:"meta"`
	}
	if json.Unmarshal(data, &d) != nil || d.Op != opRequestMembers || d.Meta.Nonce != g.nonce {
		return 0, false
	}
	return time.Duration(d.RetryAfter * float64(time.Second)), true
}

// silence says what did not come.
func (g *gather) silence() error {
	if g.count == 0 {
		return fmt.Errorf("discord sent no members within %s: is the bot in guild %d?", answerLimit, g.ask.guild)
	}
	return fmt.Errorf("discord sent %d of %d chunks within %s: ask again later", len(g.chunks), g.count, answerLimit)
}
