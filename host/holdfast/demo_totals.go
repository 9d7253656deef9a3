package main

import "fmt"

// totals is what the witness saw and the simulator counted, held against what
// was said.
type totals struct {
	said, own, handled  int // own: the bot's answers come back as messages
	lost                int
	witness             *witness
	hostKills, flaws    int
	identifies, resumes uint64
	reloads             int
	reloadFaults        int
	leaves, withGuild   int
	loads, limited      uint64
	requests            uint64
	interactions        uint64
	unanswered          int
	plugins             string
	breaches            []string
}

func (s *story) totals() *totals {
	s.witness.read()
	counts := s.sim.Counts()
	t := &totals{
		lost: s.witness.missing(s.said), handled: len(s.witness.times), witness: s.witness,
		hostKills: s.hostKills, flaws: s.flaws, reloads: s.builds, reloadFaults: s.reloadFaults,
		leaves: s.leaves, withGuild: s.withGuild, loads: s.loads, limited: counts.Limited,
		identifies: counts.Identifies, resumes: counts.Resumes,
		unanswered: int(counts.Unanswered), interactions: counts.Interactions,
	}
	for _, messages := range s.said {
		t.said += len(messages)
	}
	t.own = t.handled + t.lost - t.said
	for _, p := range s.host.status().Plugins {
		t.plugins += fmt.Sprintf("            %-8s %d events acknowledged, %d delivered again, %d errors, %d restarts\n", p.Name, p.Acked, p.Redelivered, p.Errors, p.Restarts)
	}
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
	w := t.witness
	since := ""
	if t.hostKills > 0 {
		since = "            since the host's last start:\n"
	}
	show.sayf("totals")
	fmt.Fprintf(show.out, `
            messages   %d said by people, %d by the bot; %d handled
            lost       %d
            twice      %d  (besides %d that came again after a kill, marked)
            disorder   %d
            host       %d times killed and started again
            sessions   %d identifies for %d shards, %d resumes
            mass bans  %d left, %d with their guild; %d guilds loaded
            reloads    %d under load, %d failed
            users      %d interactions, %d unanswered
            requests   %d to Discord's API, %d answers of 429
            breaches   %d of Discord's rules, %d of our promises
%s%s
`, t.said, t.own, t.handled, t.lost, w.twice, w.again, w.disorder, t.hostKills, t.identifies, demoShards, t.resumes,
		t.leaves, t.withGuild, t.loads, t.reloads, t.reloadFaults, t.interactions, t.unanswered, t.requests, t.limited,
		len(t.breaches), t.flaws, since, t.plugins)
	for _, breach := range t.breaches {
		show.sayf("breach: %s", breach)
	}
	if !t.whole() {
		return errNotWhole
	}
	show.sayf("nothing lost, nothing twice, everything in order")
	return nil
}

// whole tells whether everything was as promised. Discord never ended a session
// here: each shard identifies once.
func (t *totals) whole() bool {
	bad := t.lost + t.witness.twice + t.witness.disorder + t.unanswered + t.reloadFaults + t.flaws + len(t.breaches)
	return t.said > 0 && bad == 0 && t.identifies == demoShards && t.limited == 0
}
