package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/holdfast-bot/holdfast/host/control"
)

const (
	standingGood    = "good"
	standingStopped = "stopped"
	// namedCallers is how many callers the line of invalid requests names.
	namedCallers = 3
)

// printRequests shows what passed the gate, and who has caused the invalid requests.
func printRequests(w io.Writer, s control.Status) {
	r := s.REST
	fmt.Fprintf(w, "requests\t%d sent, %d queued, %d rate limited, %d invalid\n", r.Requests, r.Queued, r.Limited, r.Invalid)
	var worst []control.Caller
	for _, c := range r.Callers {
		if c.Invalid > 0 {
			worst = append(worst, c)
		}
	}
	slices.SortStableFunc(worst, func(a, b control.Caller) int { return cmp.Compare(b.Invalid, a.Invalid) })
	var named []string
	for _, c := range worst[:min(len(worst), namedCallers)] {
		named = append(named, fmt.Sprintf("%s %d%s", c.Name, c.Invalid, last(c)))
	}
	if len(named) > 0 {
		fmt.Fprintf(w, "invalid\t%d of %d in 10 minutes: %s\n", r.Invalid, r.InvalidLimit, strings.Join(named, ", "))
	}
}

// requestNotes tell what the gate holds back, and what to do about it.
func requestNotes(s control.Status) (notes []string) {
	r := s.REST
	if r.Stopped != "" {
		notes = append(notes, "requests: "+r.Stopped)
	}
	if r.Banned {
		notes = append(notes, fmt.Sprintf("requests: Cloudflare has banned this address for %s more: do not restart the host", age(r.PausedUntil.Sub(s.Started.Add(uptime(s))))))
	}
	if r.Standing != "" && r.Standing != standingGood {
		notes = append(notes, fmt.Sprintf("requests: %s: Discord refused %d in 10 minutes and bans at %d", held(r.Standing), r.Invalid, r.InvalidLimit))
	}
	for _, c := range r.Callers {
		if c.Standing != "" && c.Standing != standingGood {
			notes = append(notes, fmt.Sprintf("%s: %s: Discord refused %d of its requests in 10 minutes%s; %d were not sent: mend it, or take it out and reload",
				c.Name, held(c.Standing), c.Invalid, last(c), c.Stopped))
		}
	}
	return notes
}

// last names the route of a caller's last invalid request, if this host has sent it.
func last(c control.Caller) string {
	if c.Route == "" {
		return ""
	}
	return " (last " + c.Route + ")"
}

// held says what a standing means.
func held(standing string) string {
	switch standing {
	case standingStopped:
		return "nothing is sent"
	case "writes stopped":
		return "only interactions and reads are sent"
	default:
		return "what Discord has refused is not sent again"
	}
}
