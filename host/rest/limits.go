package rest

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	banWait   = time.Minute // for a Cloudflare answer that does not say how long
	limitWait = time.Second // for a 429 that does not say how long
	maxWait   = 24 * time.Hour
)

const (
	// refusalStep is the least wait after a second 429 in a row, doubled up to refusalSteps times by further ones.
	refusalStep  = 250 * time.Millisecond
	refusalSteps = 7
)

// refusals are 429s in a row.
type refusals int

// wait is how long to wait after one more. One may follow from a limit that has changed; a row of them says that their
// times are not to be trusted, and each counts towards a ban. What was under way together counts as one.
func (r *refusals) wait(said time.Duration, anew bool) time.Duration {
	if anew {
		*r++
	}
	if *r < 2 {
		return said
	}
	return max(said, refusalStep<<min(int(*r)-2, refusalSteps))
}

// scope is what a 429 is about.
type scope int

const (
	scopeNone scope = iota
	scopeUser
	scopeShared
	scopeGlobal
	scopeCloudflare // not Discord's limits but a ban: HTML, and no rate limit headers
)

func (s scope) String() string {
	return [...]string{"none", "user", "shared", "global", "cloudflare"}[s]
}

// limits is what an answer says about limits. Times are read as durations only: the clocks need not agree.
type limits struct {
	named      bool // the headers tell remaining and resetAfter
	bucket     string
	remaining  int
	resetAfter time.Duration
	scope      scope
	wait       time.Duration // of a 429
	date       time.Time     // Discord's clock, in seconds; zero if it is not told
	counted    time.Time     // when Discord counted the request, by its clock; zero if it is not told
}

func limitsOf(status int, h http.Header, body []byte) limits {
	said := limits{bucket: h.Get("X-Ratelimit-Bucket"), date: date(h)}
	said.counted = countedAt(h)
	remaining, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	resetAfter, ok := seconds(h.Get("X-Ratelimit-Reset-After"))
	if !ok {
		resetAfter, ok = until(h.Get("X-Ratelimit-Reset"), said.date)
	}
	if err == nil && ok && remaining >= 0 {
		said.named, said.remaining, said.resetAfter = true, remaining, resetAfter
	}
	if status == http.StatusTooManyRequests {
		said.scope, said.wait = limitOf(h, body)
	}
	return said
}

// limitOf reads a 429: its scope, and how long to wait. The body's number is finer than the header's.
func limitOf(h http.Header, body []byte) (scope, time.Duration) {
	var told struct {
		RetryAfter *float64 `json:"retry_after"`
		Global     bool     `json:"global"`
	}
	isJSON := json.Unmarshal(body, &told) == nil
	wait, ok := seconds(h.Get("Retry-After"))
	if at, err := http.ParseTime(h.Get("Retry-After")); err == nil && !date(h).IsZero() {
		wait, ok = bounded(at.Sub(date(h))), true
	}
	if isJSON && told.RetryAfter != nil {
		if exact, good := duration(*told.RetryAfter); good {
			wait, ok = exact, true
		}
	}
	if !isJSON && !hasLimitHeaders(h) {
		if !ok {
			wait = banWait
		}
		return scopeCloudflare, wait
	}
	if !ok {
		wait = limitWait
	}
	switch said := strings.ToLower(h.Get("X-Ratelimit-Scope")); {
	case told.Global, said == "global", strings.EqualFold(h.Get("X-Ratelimit-Global"), "true"):
		return scopeGlobal, wait
	case said == "shared":
		return scopeShared, wait
	}
	return scopeUser, wait
}

func hasLimitHeaders(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Ratelimit-") {
			return true
		}
	}
	return false
}

func seconds(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false
	}
	return duration(value)
}

// date is the clock of the one who answers.
func date(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}

// countedAt is when the one who answers looked at the bucket: the end of its window less what was left until then.
func countedAt(h http.Header) time.Time {
	at, err := strconv.ParseFloat(h.Get("X-Ratelimit-Reset"), 64)
	left, ok := seconds(h.Get("X-Ratelimit-Reset-After"))
	if err != nil || !ok || !(at > 0 && at < math.MaxInt32) {
		return time.Time{}
	}
	return time.UnixMicro(int64(at * 1e6)).Add(-left)
}

// until reads a point in time of Discord's clock as the time until then, by Discord's clock. Its date is cut off at
// seconds, so this is up to a second too long and never too short.
func until(epoch string, date time.Time) (time.Duration, bool) {
	at, err := strconv.ParseFloat(epoch, 64)
	if err != nil || math.IsNaN(at) || date.IsZero() {
		return 0, false
	}
	return duration(max(at-float64(date.Unix()), 0))
}

func bounded(d time.Duration) time.Duration { return min(max(d, 0), maxWait) }

// duration refuses what is no time to wait, and bounds the rest.
func duration(value float64) (time.Duration, bool) {
	if math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
		return 0, false
	}
	if value > maxWait.Seconds() {
		return maxWait, true
	}
	return time.Duration(value * float64(time.Second)), true
}
