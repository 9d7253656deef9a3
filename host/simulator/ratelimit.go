package simulator

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Scopes of a limit.
const (
	ScopeUser   = "user"
	ScopeGlobal = "global"
	ScopeShared = "shared"
)

const (
	// globalWindow is a tenth short of the second that the limit is for: requests that were sent a second apart
	// may arrive closer together, and that is no fault of the client.
	globalWindow = 900 * time.Millisecond
	// knowing is how long after a 429 a client may still have requests under way that it sent before.
	knowing = 500 * time.Millisecond
	// invalidWindow is the time within which invalid requests are counted.
	invalidWindow = 10 * time.Minute
)

// limiter keeps the buckets of REST, the global limit and the count of invalid requests.
type limiter struct {
	mu      sync.Mutex
	cfg     RateLimits
	buckets map[string]*bucket
	global  *window
	blocked refusal // of the global limit
	invalid *window
	banned  time.Time // until then
}

// bucket counts requests of one route and top-level resource within a window that the first of them opens.
type bucket struct {
	limit   Limit
	opened  time.Time
	left    int
	blocked refusal
}

// refusal is a 429: when it was given, and until when the client is to wait.
type refusal struct{ at, until time.Time }

// ignored tells whether a request now comes from a client that knows of the refusal and does not wait.
func (r refusal) ignored(now time.Time) bool {
	return now.Sub(r.at) > knowing && now.Before(r.until)
}

// take takes one request from the bucket; when it is not allowed, wait says for how long.
func (b *bucket) take(now time.Time) (ok bool, wait time.Duration) {
	if b.opened.IsZero() || now.Sub(b.opened) >= b.limit.Per {
		b.opened, b.left = now, b.limit.Requests
	}
	if b.left > 0 {
		b.left--
		return true, 0
	}
	wait = b.opened.Add(b.limit.Per).Sub(now)
	if b.blocked.until.Before(now) {
		b.blocked = refusal{now, now.Add(wait)}
	}
	return false, wait
}

// verdict is what the limits say of a request.
type verdict struct {
	wait    time.Duration // 0: allowed
	scope   string
	breach  Rule
	limit   Limit
	left    int
	resetIn time.Duration
	bucket  string
}

func newLimiter(cfg RateLimits) *limiter {
	return &limiter{
		cfg: cfg, buckets: make(map[string]*bucket), global: newWindow(cfg.Global, globalWindow),
		invalid: newWindow(max(1, cfg.Invalid), invalidWindow),
	}
}

// judge counts a request against its bucket and, unless it is exempt, the global limit.
func (l *limiter) judge(rt *route, top string, now time.Time) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cfg.Off {
		return verdict{}
	}
	b := l.bucket(rt, top)
	if !rt.exempt {
		late := l.blocked.ignored(now)
		if now.Before(l.blocked.until) || !l.global.take(now) {
			if !now.Before(l.blocked.until) {
				l.blocked = refusal{now, now.Add(max(time.Millisecond, l.global.wait(now)))}
			}
			v := verdict{wait: l.blocked.until.Sub(now), scope: ScopeGlobal, breach: RuleGlobalLimit}
			if late {
				v.breach = RuleIgnored429
			}
			return v
		}
	}
	v := verdict{limit: b.limit, bucket: rt.hash()}
	if b.blocked.ignored(now) {
		v.breach = RuleIgnored429
	}
	ok, wait := b.take(now)
	if !ok {
		v.wait, v.scope = wait, ScopeUser
	}
	v.left, v.resetIn = b.left, b.opened.Add(b.limit.Per).Sub(now)
	return v
}

func (l *limiter) bucket(rt *route, top string) *bucket {
	key := rt.group + " " + top
	b := l.buckets[key]
	limit := rt.limit
	if changed, ok := l.cfg.Routes[rt.name]; ok {
		limit = changed
	}
	if b == nil {
		if len(l.buckets) > maxBuckets {
			clear(l.buckets)
		}
		b = &bucket{limit: limit}
		l.buckets[key] = b
	}
	b.limit = limit
	return b
}

const maxBuckets = 100_000

// refuse notes a 429 that a fault gave, so that a client which does not wait is noticed.
func (l *limiter) refuse(rt *route, top string, global bool, wait time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if global {
		l.blocked = refusal{now, now.Add(wait)}
		return
	}
	l.bucket(rt, top).blocked = refusal{now, now.Add(wait)}
}

// fault counts an invalid request; true: this one brings the ban.
func (l *limiter) fault(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.invalid.take(now) || now.Before(l.banned) {
		return false
	}
	l.banned = now.Add(l.cfg.Ban)
	return true
}

// ban tells how long the ban still lasts.
func (l *limiter) ban(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.banned.Sub(now)
}

// SetLimit changes the limit of a route, by its name, from now on.
func (s *Server) SetLimit(route string, limit Limit) {
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	routes := map[string]Limit{} // a copy: the caller's map is his
	maps.Copy(routes, s.limits.cfg.Routes)
	routes[route] = limit
	s.limits.cfg.Routes = routes
}

// headers writes what Discord tells of a bucket with every answer.
func (v *verdict) headers(h http.Header, now time.Time) {
	if v.bucket != "" {
		h.Set("X-Ratelimit-Limit", strconv.Itoa(v.limit.Requests))
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(v.left))
		h.Set("X-Ratelimit-Reset", fmt.Sprintf("%.3f", float64(now.Add(v.resetIn).UnixMilli())/1000))
		h.Set("X-Ratelimit-Reset-After", seconds(v.resetIn))
		h.Set("X-Ratelimit-Bucket", v.bucket)
	}
	if v.wait > 0 {
		limitedHeaders(h, v.scope, v.wait)
	}
}

func limitedHeaders(h http.Header, scope string, wait time.Duration) {
	h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	if scope != "" {
		h.Set("X-Ratelimit-Scope", scope)
	}
	if scope == ScopeGlobal {
		h.Set("X-Ratelimit-Global", "true")
	}
}

// seconds writes a time in seconds with milliseconds, rounded up: a client that waits so long is never early.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(math.Ceil(float64(d)/float64(time.Millisecond))/1000, 'f', 3, 64)
}

func limitedBody(scope string, wait time.Duration) []byte {
	message := "You are being rate limited."
	if scope == ScopeShared {
		message = "The resource is being rate limited."
	}
	return fmt.Appendf(nil, `{"message":%q,"retry_after":%s,"global":%t}`, message, seconds(wait), scope == ScopeGlobal)
}
