package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	epochMillis = 1_420_070_400_000 // Discord's epoch, the zero of snowflakes
	oldMessage  = 14 * 24 * time.Hour
	newMessage  = 10 * time.Second
	longestWord = 48 // no word of Discord's routes is longer, but tokens are
)

// route is what a request's method and path say about limits.
type route struct {
	template string // method and path without ids and tokens: safe to log, and the bucket's name until Discord gives one
	major    string // the top-level resource that Discord counts apart
	exempt   bool   // interactions: free of the global limit, and first
	ownToken bool   // authorised by a token in its path: a 401 says nothing about the bot's token
	write    bool   // anything but a read: kept in order within a lane
	repeat   bool   // may be sent again although it may have been carried out
	webhook  string // id, or id and token, of a webhook that is none of an interaction
}

// routeOf reads a checked path. Discord's top-level resources are a channel, a guild, and a webhook with its token; an
// interaction is treated as one too, so that no two interactions wait for each other.
func routeOf(method, path, application string, now time.Time) route {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	r := route{
		write:  method != http.MethodGet && method != http.MethodHead,
		repeat: method != http.MethodPost && method != http.MethodPatch,
	}
	r.major = major(parts)
	switch {
	case parts[0] == "interactions":
		r.exempt, r.ownToken = true, true
	case parts[0] == "webhooks" && len(parts) >= 2:
		// Those of an interaction answer 404 also while it has not been answered, and end by themselves.
		r.exempt, r.ownToken = len(parts) >= 3 && parts[1] == application, len(parts) >= 3
		if parts[1] != application {
			r.webhook = strings.Join(parts[1:min(3, len(parts))], "/")
		}
	case parts[0] == "oauth2" && (len(parts) < 2 || parts[1] != "applications"):
		r.ownToken = true // wants a user's token: its 401 is not about the bot's
	}
	r.template = template(method, parts, now)
	return r
}

func major(parts []string) string {
	n := 1
	switch parts[0] {
	case "channels", "guilds":
		n = 2
	case "webhooks", "interactions":
		n = 3
	}
	if n == 1 || len(parts) < 2 || !isID(parts[1]) {
		return ""
	}
	return strings.Join(parts[:min(n, len(parts))], "/")
}

func template(method string, parts []string, now time.Time) string {
	var b strings.Builder
	b.WriteString(method)
	b.WriteByte(' ')
	for i, part := range parts {
		b.WriteByte('/')
		if isID(part) || len(part) > longestWord || opaque(parts, i) {
			part = "{}"
		}
		b.WriteString(part)
	}
	if method == http.MethodDelete && len(parts) == 4 && parts[0] == "channels" && parts[2] == "messages" {
		b.WriteString(messageAge(parts[3], now))
	}
	return b.String()
}

// opaque tells whether a part is a token, a code or an emoji by what stands before it.
func opaque(parts []string, i int) bool {
	if i == 2 && (parts[0] == "webhooks" || parts[0] == "interactions") {
		return true
	}
	if i == 0 {
		return false
	}
	switch parts[i-1] {
	case "reactions", "invites", "templates":
		return true
	}
	return false
}

// messageAge marks deletions that Discord counts in buckets of their own although the route is the same: of messages
// older than two weeks and of messages a few seconds old.
func messageAge(id string, now time.Time) string {
	flake, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return ""
	}
	switch age := now.Sub(time.UnixMilli(int64(flake>>22) + epochMillis)); {
	case age > oldMessage:
		return " old"
	case age < newMessage:
		return " new"
	}
	return ""
}

func isID(part string) bool {
	for i := range len(part) {
		if part[i] < '0' || part[i] > '9' {
			return false
		}
	}
	return part != ""
}
