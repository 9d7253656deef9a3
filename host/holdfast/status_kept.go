package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-bot/holdfast/host/control"
)

// printProcess shows what the host takes, as far as the host and its system tell.
func printProcess(w io.Writer, p control.Process) {
	var parts []string
	if p.Goroutines > 0 {
		parts = append(parts, fmt.Sprintf("%d goroutines", p.Goroutines))
	}
	if p.OpenFiles > 0 {
		parts = append(parts, fmt.Sprintf("%d open files", p.OpenFiles))
	}
	if p.MemoryBytes > 0 {
		parts = append(parts, size(p.MemoryBytes)+" of memory")
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "process\t%s\n", strings.Join(parts, ", "))
	}
}

// printKept shows what the host keeps: the journal and the guild cache.
func printKept(w io.Writer, s control.Status) {
	if j := s.Journal; j != nil {
		oldest := ""
		if !j.Oldest.IsZero() {
			oldest = fmt.Sprintf(", the oldest event came %s ago", age(s.Started.Add(uptime(s)).Sub(j.Oldest)))
		}
		where := ""
		switch j.InMemory {
		case "":
		case control.MemoryAsSet:
			where = " in memory"
		default:
			where = " in memory (" + plain(j.InMemory) + ": make room before the host stops)"
		}
		fmt.Fprintf(w, "journal\t%s of %s%s%s\n", size(j.Bytes), size(j.LimitBytes), where, oldest)
	}
	c := s.Cache
	if c == nil {
		return
	}
	fmt.Fprintf(w, "guilds\t%d in %s of %s, %d hits, %d misses, %d loads, %d failed%s\n",
		c.Guilds, size(c.Bytes), size(c.LimitBytes), c.Hits, c.Misses, c.Loads, c.Failed, guard(s))
	var missing []string
	for _, reason := range slices.Sorted(maps.Keys(c.Missing)) {
		missing = append(missing, fmt.Sprintf("%d %s", c.Missing[reason], reason))
	}
	if len(missing) > 0 {
		fmt.Fprintf(w, "no guild\t%s\n", strings.Join(missing, ", "))
	}
}

// guard tells of the guard while it lets no loads pass. Its own word for all is
// well is closed, which a person would take for the contrary.
func guard(s control.Status) string {
	switch c := s.Cache; c.Guard {
	case "open":
		if c.GuardUntil.IsZero() {
			return "; none is loaded while requests are held back"
		}
		return fmt.Sprintf("; none is loaded for %s: too many loads failed", age(c.GuardUntil.Sub(s.Started.Add(uptime(s)))))
	case "half-open":
		return "; one at a time: too many loads failed"
	default:
		return ""
	}
}

// size is a number of bytes for a person.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
}
