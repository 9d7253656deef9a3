package rest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestABucketIsLearnedAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{delay: fixed(50 * time.Millisecond), rule: perChannel(5, 5*time.Second)}
		g := newGate(t, d)
		start := time.Now()
		w := group{t: t, g: g}
		for i := range 23 {
			w.send(t.Context(), "a", http.MethodPost, "/channels/1/messages", strconv.Itoa(i), w.ok)
			synctest.Wait() // so that the order of arrival is known
		}
		w.wait.Wait()
		for i, a := range d.seen() {
			if a.reason != strconv.Itoa(i) {
				t.Errorf("request %s came at place %d", a.reason, i)
			}
		}
		// Four full windows and their round trips, then three requests one after the other.
		if took := time.Since(start); took > 4*(5*time.Second+150*time.Millisecond)+3*100*time.Millisecond {
			t.Errorf("23 requests at 5 in 5 s took %v", took)
		}
		if n := d.refusals(); n != 0 {
			t.Errorf("%d answers were 429", n)
		}
		mustBeEmpty(t, g)
	})
}

// TestLateRequestsAndAnswersCostNo429: requests of many routes and resources, whose buckets become known while others of
// them are on their way, arrive and are answered in any order.
func TestLateRequestsAndAnswersCostNo429(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			random := seed(t)
			var lock sync.Mutex // one generator for many goroutines
			d := &fakeDiscord{rule: func(r *http.Request) rule {
				parts := append(strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v10/"), "/"), "")
				return rule{hash: parts[0] + parts[2], major: parts[0] + parts[1], limit: 5, window: 5 * time.Second}
			}}
			d.delay = func() time.Duration {
				lock.Lock()
				defer lock.Unlock()
				return time.Duration(random.ExpFloat64() * float64(300*time.Millisecond))
			}
			g := newGate(t, d, func(c *Config) { c.Wait = time.Hour })
			w := group{t: t, g: g}
			for i := range 300 {
				lock.Lock()
				path := []string{"/channels/%d", "/channels/%d/messages", "/guilds/%d/members/7", "/guilds/%d/roles"}[random.IntN(4)]
				path = fmt.Sprintf(path, random.IntN(8))
				lock.Unlock()
				w.send(t.Context(), strconv.Itoa(i%3), http.MethodGet, path, "", w.ok)
			}
			w.wait.Wait()
			if n := d.refusals(); n != 0 {
				t.Errorf("%d answers were 429", n)
			}
			mustBeEmpty(t, g)
		})
	}
}

// TestARouteThatBecomesKnownIsNotProbedTwice: while a channel's first request is on its way, another channel's answer
// tells the name of the bucket. The channel's next request must wait for its own answer all the same.
func TestARouteThatBecomesKnownIsNotProbedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{rule: perChannel(1, time.Minute)}
		var ways atomic.Uint64
		d.delay = func() time.Duration {
			if ways.Add(1)%2 == 0 { // each other way
				return time.Second
			}
			return 10 * time.Millisecond
		}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for i := range 6 {
			w.send(t.Context(), "a", http.MethodGet, fmt.Sprintf("/channels/%d/messages", i%2), "", w.ok)
			synctest.Wait()
		}
		w.wait.Wait()
		if n := d.refusals(); n != 0 {
			t.Errorf("%d answers were 429", n)
		}
		mustBeEmpty(t, g)
	})
}

func TestAnUnknownRouteIsProbedByOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{delay: fixed(time.Second), rule: perChannel(7, time.Minute)}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for i := range 7 {
			w.send(t.Context(), "a", http.MethodGet, "/channels/1/messages", strconv.Itoa(i), w.ok)
		}
		time.Sleep(1500 * time.Millisecond)
		if n := len(d.seen()); n != 1 {
			t.Errorf("%d requests probed the route", n)
		}
		time.Sleep(2 * time.Second)
		if n := len(d.seen()); n != 7 {
			t.Errorf("%d of 7 requests were sent although the window has room", n)
		}
		w.wait.Wait()
		mustBeEmpty(t, g)
	})
}

func TestBucketsOfDifferentResourcesDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{rule: perChannel(1, time.Minute)}
		g := newGate(t, d)
		start := time.Now()
		w := group{t: t, g: g}
		for i := range 8 {
			w.send(t.Context(), "a", http.MethodGet, fmt.Sprintf("/channels/%d/messages", i), "", w.ok)
		}
		w.wait.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("8 channels with one request each took %v", took)
		}
		mustBeEmpty(t, g)
	})
}

func TestRoutesThatShareABucketShareItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{delay: fixed(10 * time.Millisecond), rule: func(*http.Request) rule {
			return rule{hash: "shared", major: "1", limit: 4, window: 10 * time.Second}
		}}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for i := range 24 {
			method, path := http.MethodGet, "/channels/1/messages"
			if i%2 == 1 {
				method, path = http.MethodPut, "/channels/1/pins/7"
			}
			w.send(t.Context(), "a", method, path, "", w.ok)
		}
		w.wait.Wait()
		// Before it is known that they share, each route may probe: one answer can be a 429.
		if n := d.refusals(); n > 1 {
			t.Errorf("%d answers were 429", n)
		}
		if n := len(d.seen()); n > 25 {
			t.Errorf("%d requests for 24", n)
		}
		mustBeEmpty(t, g)
	})
}

func TestALoweredLimitCostsOne429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := 10
		d := &fakeDiscord{delay: fixed(20 * time.Millisecond), rule: func(*http.Request) rule {
			return rule{hash: "h", major: "1", limit: limit, window: 5 * time.Second}
		}}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for range 60 {
			w.send(t.Context(), "a", http.MethodGet, "/guilds/1", "", w.ok)
		}
		time.Sleep(7 * time.Second)
		d.mu.Lock()
		limit = 3
		d.mu.Unlock()
		w.wait.Wait()
		if n := d.refusals(); n > 1 {
			t.Errorf("%d answers were 429 after one change", n)
		}
		mustBeEmpty(t, g)
	})
}

func TestARouteThatGetsAnotherBucketTakesItsQueueAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hash := "first"
		d := &fakeDiscord{delay: fixed(20 * time.Millisecond), rule: func(*http.Request) rule {
			return rule{hash: hash, major: "1", limit: 2, window: time.Second}
		}}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for i := range 30 {
			w.send(t.Context(), "a", http.MethodPost, "/channels/1/messages", strconv.Itoa(i), w.ok)
			synctest.Wait()
		}
		for i := range 5 {
			time.Sleep(2 * time.Second)
			d.mu.Lock()
			hash = fmt.Sprint("other", i)
			d.mu.Unlock()
		}
		w.wait.Wait()
		for i, a := range d.seen() {
			if a.reason != strconv.Itoa(i) {
				t.Errorf("request %s came at place %d", a.reason, i)
			}
		}
		mustBeEmpty(t, g)
	})
}

func TestWritesOfOneCallerStayInOrderThroughRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{delay: fixed(20 * time.Millisecond), rule: perChannel(100, time.Minute)}
		d.answer = func(r *http.Request, n int) *http.Response {
			if n == 3 || n == 4 {
				return reply(http.StatusBadGateway, "")
			}
			return nil
		}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for i := range 6 {
			w.send(t.Context(), "a", http.MethodPut, "/channels/1/pins/"+strconv.Itoa(i), strconv.Itoa(i), w.ok)
			synctest.Wait()
		}
		w.wait.Wait()
		var order string
		for _, a := range d.seen() {
			order += a.reason
		}
		if order != "01222345" {
			t.Errorf("order %s", order)
		}
		mustBeEmpty(t, g)
	})
}

func TestRoutesWithoutLimitsAreFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{delay: fixed(time.Second)}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for range 8 {
			w.send(t.Context(), "a", http.MethodGet, "/gateway/bot", "", w.ok)
		}
		start := time.Now()
		w.wait.Wait()
		if took := time.Since(start); took != 4*time.Second { // the probe's round trip, then the others' at once
			t.Errorf("took %v", took)
		}
		mustBeEmpty(t, g)
	})
}
