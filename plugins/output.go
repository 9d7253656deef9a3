package plugins

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/hashicorp/go-hclog"
)

const (
	// maxLine bounds what is kept of one line that a plugin prints, in bytes.
	maxLine = 16 << 10
	// maxRecord bounds one of hclog's lines: a stack or an answer may be inside.
	maxRecord = 256 << 10
	// keptLines is how many of a plugin's last lines are told when it dies.
	keptLines = 3
)

// output turns what a plugin prints into log lines of the host: hclog's JSON
// with its level and values, all else as text. It remembers the last words of
// a plugin that dies, for the operator. Each stream of a plugin has an output
// of its own, so that an unfinished line of one does not swallow the other's;
// all share what they may print.
type output struct {
	log    hclog.Logger
	level  hclog.Level // of lines that are not hclog's
	allows *outputLimit

	mu      sync.Mutex
	partial []byte
	last    []string // a panic or fatal error, else the last lines
	panicky bool
	whole   bool // what the panic says has been read; its stack follows
}

// Write implements io.Writer. It never fails.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rest := p
	for {
		line, after, found := bytes.Cut(rest, []byte{'\n'})
		limit := maxLine
		if isRecord(o.partial) || len(o.partial) == 0 && isRecord(line) {
			limit = maxRecord
		}
		if space := limit - len(o.partial); len(line) > space {
			line = line[:space]
		}
		o.partial = append(o.partial, line...)
		if !found {
			return len(p), nil
		}
		o.line(o.partial)
		o.partial = o.partial[:0]
		rest = after
	}
}

// isRecord says whether a line begins like hclog's JSON, whose keys are sorted.
func isRecord(line []byte) bool {
	const start = `{"@`
	return len(line) >= len(start) && string(line[:len(start)]) == start
}

func (o *output) line(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		o.whole = o.panicky
		return
	}
	text := plain(string(line))
	if isPanic(text) && !o.panicky {
		o.panicky, o.last = true, nil
		o.allows.refill() // these lines matter most
	}
	if !isRecord(line) && !o.whole {
		o.last = append(o.last, firstLine(text))
		if over := len(o.last) - keptLines; over > 0 {
			o.last = o.last[over:]
		}
	}
	if !o.allows.take(len(line)) {
		return
	}
	if line[0] == '{' && o.structured(line) {
		return
	}
	if isRecord(line) {
		o.log.Warn("plugin logged a record that cannot be read", "line", text[:min(len(text), maxLine)])
		return
	}
	if o.panicky {
		o.log.Error("plugin printed", "line", text)
		return
	}
	o.log.Log(o.level, "plugin printed", "line", text)
}

func isPanic(text string) bool {
	return strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ")
}

// structured logs a line that hclog wrote in JSON and reports whether it was one.
func (o *output) structured(line []byte) bool {
	var entry map[string]any
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if decoder.Decode(&entry) != nil {
		return false
	}
	message, ok := entry["@message"].(string)
	if !ok {
		return false
	}
	level, _ := entry["@level"].(string)
	values := make([]any, 0, 2*len(entry))
	for _, key := range slices.Sorted(maps.Keys(entry)) {
		if text, ok := entry[key].(string); ok {
			entry[key] = plain(text)
		}
		if !strings.HasPrefix(key, "@") {
			values = append(values, key, entry[key])
		}
	}
	parsed := hclog.LevelFromString(level)
	if parsed == hclog.NoLevel {
		parsed = hclog.Info
	}
	o.log.Log(parsed, oneLine(message), values...)
	return true
}

// oneLine keeps a message from looking like lines of the host's own.
func oneLine(message string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, message)
}

// plain makes text fit for a log on a terminal, where hclog would escape tabs.
func plain(text string) string {
	return strings.TrimRight(strings.ReplaceAll(text, "\t", "    "), " \n")
}

// lastWords returns the panic, or the last lines, that the plugin printed; what
// has no end of its line yet is one.
func (o *output) lastWords() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	words := o.last
	if rest := plain(string(o.partial)); rest != "" && !o.panicky && !isRecord(o.partial) {
		words = append(slices.Clone(words), firstLine(rest))
	}
	return strings.Join(words, " / ")
}
