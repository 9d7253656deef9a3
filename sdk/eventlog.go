package sdk

import (
	"io"
	"log"

	"github.com/hashicorp/go-hclog"
)

// eventLog adds an event's facts to each line. It costs nothing until a line
// is written, unlike hclog's With.
type eventLog struct {
	hclog.Logger
	facts *Facts
}

func (l *eventLog) values() []any {
	return placeOf(l.facts.Event, l.facts.guild, l.facts.Shard, l.facts.Seq)
}

// placeOf are an event's values for a log line; those of direct messages have no guild.
func placeOf(event string, guild uint64, shard uint32, seq uint64) []any {
	values := []any{"event", event}
	if guild != 0 {
		values = append(values, "guild", guild)
	}
	return append(values, "shard", shard, "seq", seq)
}

func (l *eventLog) with() hclog.Logger { return l.Logger.With(l.values()...) }

func (l *eventLog) Log(level hclog.Level, message string, args ...any) {
	if l.GetLevel() <= level {
		l.Logger.Log(level, message, append(l.values(), args...)...)
	}
}

func (l *eventLog) Trace(message string, args ...any) { l.Log(hclog.Trace, message, args...) }
func (l *eventLog) Debug(message string, args ...any) { l.Log(hclog.Debug, message, args...) }
func (l *eventLog) Info(message string, args ...any)  { l.Log(hclog.Info, message, args...) }
func (l *eventLog) Warn(message string, args ...any)  { l.Log(hclog.Warn, message, args...) }
func (l *eventLog) Error(message string, args ...any) { l.Log(hclog.Error, message, args...) }

func (l *eventLog) With(args ...any) hclog.Logger       { return l.with().With(args...) }
func (l *eventLog) Named(name string) hclog.Logger      { return l.with().Named(name) }
func (l *eventLog) ResetNamed(name string) hclog.Logger { return l.with().ResetNamed(name) }
func (l *eventLog) StandardLogger(o *hclog.StandardLoggerOptions) *log.Logger {
	return l.with().StandardLogger(o)
}
func (l *eventLog) StandardWriter(o *hclog.StandardLoggerOptions) io.Writer {
	return l.with().StandardWriter(o)
}
