package main

import (
	"fmt"
	"os"
	"strings"
)

// totals is what the record plugin wrote down, held against what was said.
type totals struct {
	said, own, handled     int // own: the bot's answers come back as messages
	lost, twice, disorder  int
	again                  int // marked as delivered again after the kill
	identifies, resumes    uint64
	plugins                string
	breaches               []string
	reloads, reloadFaults  int
	unanswered             int
	requests, interactions uint64
}

// recorded is one line of the record plugin.
type recorded struct {
	guild, message uint64
	again          bool
}

func (s *story) recorded() []recorded {
	raw, err := os.ReadFile(s.record)
	if err != nil {
		return nil // nothing was handled, which the totals tell
	}
	var out []recorded
	for line := range strings.Lines(string(raw)) {
		var r recorded
		var how string
		if n, _ := fmt.Sscanf(line, "%d %d %s\n", &r.guild, &r.message, &how); n == 3 {
			r.again = how == "again"
			out = append(out, r)
		}
	}
	return out
}

// missing counts the messages that are not recorded yet.
func (s *story) missing() int {
	seen := make(map[uint64]bool)
	for _, r := range s.recorded() {
		seen[r.message] = true
	}
	missing := 0
	for _, messages := range s.said {
		for _, id := range messages {
			if !seen[id] {
				missing++
			}
		}
	}
	return missing
}

func (s *story) totals() *totals {
	t := &totals{lost: s.missing(), reloads: s.builds, reloadFaults: s.reloadFaults}
	for _, messages := range s.said {
		t.said += len(messages)
	}
	times := make(map[uint64]int)
	last := make(map[uint64]uint64)
	for _, r := range s.recorded() {
		times[r.message]++
		switch {
		case r.again:
			t.again++
		case times[r.message] > 1:
			t.twice++
		case r.message < last[r.guild]:
			t.disorder++
		}
		last[r.guild] = max(last[r.guild], r.message)
	}
	t.handled = len(times)
	t.own = t.handled + t.lost - t.said
	status := s.host.Status()
	for _, shard := range status.Shards {
		t.identifies += shard.Identifies
		t.resumes += shard.Resumes
	}
	for _, p := range status.Plugins {
		t.plugins += fmt.Sprintf("            %-8s %d events acknowledged, %d delivered again, %d errors, %d restarts\n", p.Name, p.Acked, p.Redelivered, p.Errors, p.Restarts)
	}
	counts := s.sim.Counts()
	t.unanswered, t.interactions = int(counts.Unanswered), counts.Interactions
	for _, n := range counts.Requests {
		t.requests += n
	}
	for _, b := range s.sim.Breaches() {
		t.breaches = append(t.breaches, fmt.Sprintf("%s: %s", b.Rule, b.Detail))
	}
	return t
}

// report prints the totals and judges them.
func (t *totals) report(show *narrator) error {
	show.sayf("totals")
	fmt.Fprintf(show.out, `
            messages   %d said by people, %d by the bot; %d handled
            lost       %d
            twice      %d  (besides %d that came again after the kill, marked)
            disorder   %d
            sessions   %d identifies, %d resumes
            reloads    %d under load, %d failed
            users      %d interactions, %d unanswered
            requests   %d to Discord's API
            breaches   %d of Discord's rules
%s
`, t.said, t.own, t.handled, t.lost, t.twice, t.again, t.disorder, t.identifies, t.resumes, t.reloads, t.reloadFaults, t.interactions, t.unanswered, t.requests, len(t.breaches), t.plugins)
	for _, breach := range t.breaches {
		show.sayf("breach: %s", breach)
	}
	if t.said == 0 || t.lost+t.twice+t.disorder+t.unanswered+t.reloadFaults+len(t.breaches) > 0 {
		return errNotWhole
	}
	show.sayf("nothing lost, nothing twice, everything in order")
	return nil
}
