package rest

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// verdict is what follows from an attempt.
type verdict struct {
	again bool
	pause time.Duration // before the request is queued again
	err   error         // when it is not

	news    []notice
	records []Record
	ahead   time.Duration // by how much Discord's clock is, to be told
}

// learned is what the gate knows about a route.
type learned struct {
	id   string // X-RateLimit-Bucket, or "" while unknown
	free bool   // answered without limits
}

// settle books an attempt: it frees what the grant took, takes over what the answer said about limits, and judges.
func (g *Gate) settle(t *ticket, o *outcome) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	old := t.charged
	probed := old.probe == t
	old.discharge(t, o.unsent)
	g.room.inflight--
	if !t.route.exempt {
		g.free(t.slot, o, now)
	}
	var v verdict
	if o.status != 0 {
		g.heed(t, o, old, probed, now)
		g.book(t, o, &v, now)
	}
	v.ahead = g.clockNews()
	g.judge(t, o, &v)
	g.touch(old, now)
	g.schedule(now)
	return v
}

// free lets go of what an attempt has taken of the pace.
func (g *Gate) free(s *slot, o *outcome, now time.Time) {
	switch {
	case o.status != 0:
		g.pace.answered(s, o.heard, o.said.counted)
	case o.unsent:
		g.pace.unused(s)
	default:
		g.pace.broken(s, now)
	}
}

// heed takes over what an answer says about its bucket, and about the gate as a whole.
func (g *Gate) heed(t *ticket, o *outcome, of *bucket, probed bool, now time.Time) {
	g.counts.requests++
	said := o.said
	g.learn(t.route, said, o.status, now)
	b := g.bucket(t.route, now)
	switch {
	case said.scope == scopeCloudflare:
		g.banned, g.doubted = later(g.banned, now.Add(said.wait)), true
	case said.scope == scopeGlobal && !t.route.exempt:
		g.pace.limited(t.slot, said.wait, now)
	case said.scope != scopeNone:
		b.limited(b.refusals.wait(said.wait, b != of || t.grant > b.told), now)
	case said.named:
		b.apply(t, said, b == of, probed, now)
	case g.routes[t.route.template].free && !b.counted:
		b.free, b.probe = true, nil
	}
	if said.scope != scopeCloudflare {
		g.doubted = false
	}
	if said.scope == scopeNone {
		b.granting(t, b == of)
		g.pace.granting(t.slot)
	}
	g.compareClocks(said.date, o.heard)
	if o.refusesToken(t) {
		g.stop(ErrUnauthorized)
	}
	g.touch(b, now)
}

// book counts an answer for its caller, and notes in the verdict what is to be kept and told of it.
func (g *Gate) book(t *ticket, o *outcome, v *verdict, now time.Time) {
	a := g.ledger.account(t.caller, now)
	a.requests++
	refused, counted := uint64(0), false
	switch o.status {
	case http.StatusTooManyRequests:
		g.counts.limited++
		a.limited++
		counted = o.said.scope != scopeShared
	case http.StatusUnauthorized, http.StatusForbidden:
		refused, counted = t.mark(), true
	case http.StatusNotFound:
		if !saysGone(t.route, o) {
			break
		}
		if webhook := mark("webhook", t.route.webhook); g.gone.add(webhook) {
			v.records = append(v.records, Record{Kind: RecordWebhook, At: now, Mark: webhook})
		}
	}
	if counted {
		v.news = g.ledger.add(t.caller, t.route.template, refused, now)
		v.records = append(v.records, Record{Kind: RecordInvalid, At: now, Caller: t.caller, Mark: refused})
	}
	if o.said.scope == scopeCloudflare {
		v.records = append(v.records, Record{Kind: RecordBan, At: g.banned})
	}
}

// judge decides whether the request goes once more.
func (g *Gate) judge(t *ticket, o *outcome, v *verdict) {
	once := t.once || t.body.spent()
	switch {
	case o.status == http.StatusTooManyRequests && !once:
		t.limited++
		if v.again = t.limited <= defaultLimited; !v.again {
			v.err = ErrLimited
		}
	case o.refusesToken(t):
		v.err = ErrUnauthorized
	case o.fault() && !once && t.faults < g.cfg.Retries && (t.route.repeat || o.unsent || t.safe && time.Since(t.began) < nonceLife):
		t.faults++
		g.counts.retries++
		v.again, v.pause = true, g.retryPause(t.faults)
	case o.err != nil:
		v.err = broken(t, o, o.err)
	}
}

// retryPause is jittered, so that what failed together does not come back together.
func (g *Gate) retryPause(fault int) time.Duration {
	middle := g.cfg.RetryPause << (fault - 1)
	return middle/2 + rand.N(middle)
}

// learn notes the bucket of a route. Tickets that wait under its old name move to the new one.
func (g *Gate) learn(r route, said limits, status int, now time.Time) {
	known := g.routes[r.template]
	fresh := known
	switch {
	case said.bucket != "":
		fresh = learned{id: said.bucket}
	case known.id == "" && !said.named && status < http.StatusMultipleChoices:
		fresh.free = true
	}
	if fresh == known {
		return
	}
	if _, ok := g.routes[r.template]; !ok && len(g.routes) >= maxRoutes {
		for name := range g.routes { // any one: what is lost is learned again
			delete(g.routes, name)
			break
		}
	}
	g.routes[r.template] = fresh
	if fresh.id == known.id {
		return
	}
	name := known.id
	if name == "" {
		name = r.template
	}
	for key, b := range g.buckets {
		if key.id != name {
			continue
		}
		if known.id == "" && b.inflight > 0 { // all of it is of this route
			g.bucket(route{template: r.template, major: key.major, exempt: r.exempt}, now).inherit(b)
		}
		g.refile(b, now)
	}
}

// refile moves those of a bucket's tickets whose route has got another bucket.
func (g *Gate) refile(b *bucket, now time.Time) {
	touched := map[*bucket]bool{b: true}
	for _, l := range b.lanes {
		for at := l.queue.Front(); at != nil; {
			t := ticketAt(at)
			at = at.Next()
			if to := g.bucket(t.route, now); to != b {
				l.take(t)
				g.lane(to, t.caller).add(t)
				touched[to] = true
			}
		}
		if w := l.writer; w != nil {
			if to := g.bucket(w.route, now); to != b {
				g.moveWriter(w, g.lane(to, w.caller))
				touched[to] = true
			}
		}
	}
	for each := range touched {
		g.touch(each, now)
	}
}

// moveWriter lets a write that is under way hold up the writes of another lane instead of its own.
func (g *Gate) moveWriter(t *ticket, to *lane) {
	if t.lane == to || t.lane.writer != t {
		return
	}
	t.lane.writer = nil
	if to.writer == nil {
		to.writer = t
	}
	t.lane = to
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
