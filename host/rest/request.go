package rest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// maxPath bounds method-independent parts of a request; Discord's longest routes with their queries stay far below it.
const maxPath = 8 << 10

// passed are the only headers of a caller that go on to Discord.
var passed = [...]string{"Content-Type", "X-Audit-Log-Reason", "Accept"} //nolint:gochecknoglobals // a constant that Go cannot write

var (
	escape     = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	unreserved = regexp.MustCompile(`^[A-Za-z0-9._~-]$`)
)

// Request is one request as a caller asks for it. The gate reads it until Do returns and does not change it.
type Request struct {
	// Caller is the plugin's name, or "host". Callers share the gate fairly.
	Caller string
	// Method is GET, HEAD, POST, PUT, PATCH or DELETE.
	Method string
	// Path is below the base URL, with a leading slash and percent-encoded; it may have a query.
	Path string
	// Header: only Content-Type, X-Audit-Log-Reason and Accept are passed on. A body without Content-Type is sent as JSON.
	Header http.Header
	Body   []byte
	// Stream is sent instead of Body, as it is read, without being held in memory: for uploads. It is read once, so a
	// request whose stream has been begun is not repeated, and a 429 comes as an answer. It may be read until a moment
	// after Do has returned. Size is its length in bytes, -1 if that is not known.
	Stream io.Reader
	Size   int64
	// Once sends the request at most once: a 429 and a 5xx come as answers, a broken connection as an error. It is for
	// callers that keep a pace of their own. The gate heeds the limits all the same.
	Once bool
	// NoToken leaves the bot's token out, where a token in the path is what authorises the request.
	NoToken bool
}

// Response is Discord's answer. Any status but those that the gate deals with itself (429, a 401 on the token) comes as an
// answer, not as an error.
type Response struct {
	Status     int
	Header     http.Header
	Body       []byte
	RetryAfter time.Duration // of a 429, which only a request that goes once, or is streamed, gets as an answer
}

// check says whether the gate would send r at all: a caller must never make it send the token elsewhere.
func (g *Gate) check(r *Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return fmt.Errorf("%w: method %.16q", ErrRequest, r.Method)
	}
	size := int64(len(r.Body))
	if r.Stream != nil {
		size = r.Size
	}
	if size > int64(g.cfg.RequestBytes) {
		return fmt.Errorf("%w: body of %d bytes, %d are allowed", ErrRequest, size, g.cfg.RequestBytes)
	}
	for _, name := range passed {
		for _, value := range r.Header.Values(name) {
			if !validHeader(value) {
				return fmt.Errorf("%w: header %s has control characters (percent-encode it)", ErrRequest, name)
			}
		}
	}
	if reason := checkPath(r.Path); reason != "" {
		return fmt.Errorf("%w: its path %s", ErrRequest, reason)
	}
	return nil
}

// checkPath returns what is wrong with a path, or "". It is stricter than URLs are: what no route of Discord needs is
// refused, because proxies differ in how they read it.
func checkPath(path string) string {
	if len(path) > maxPath {
		return "is too long"
	}
	path, query, _ := strings.Cut(path, "?")
	for _, c := range []byte(query) {
		if c <= ' ' || c >= 0x7f || c == '#' || c == '\\' {
			return "has a query that is not percent-encoded: escape it (url.Values)"
		}
	}
	if len(path) < 2 || path[0] != '/' {
		return "does not begin with a slash and a name"
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if reason := checkSegment(segment); reason != "" {
			return reason
		}
	}
	return ""
}

func checkSegment(segment string) string {
	if segment == "" {
		return "has an empty part: an id is missing, or there is a slash too many"
	}
	for _, c := range []byte(segment) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`#\;"<>^{|}`+"`", c) >= 0 {
			return "has a character that is not percent-encoded: escape what comes from users (url.PathEscape)"
		}
	}
	plain, err := url.PathUnescape(segment)
	if err != nil {
		return "has a wrong percent-encoding"
	}
	if plain == "." || plain == ".." {
		return "leads upwards"
	}
	for _, c := range []byte(plain) {
		if c < ' ' || c == 0x7f || c == '/' || c == '\\' || c == '%' {
			return "hides a separator or a control character"
		}
	}
	return ""
}

// unhidden writes a checked path as RFC 3986 (6.2.2) normalizes it: letters, digits and -._~ stand for themselves, and
// what is escaped is so in capitals. Discord decodes them before it looks, so that the gate must not take one route or
// one resource for two.
func unhidden(path string) string {
	path, query, asks := strings.Cut(path, "?")
	if strings.Contains(path, "%") {
		path = escape.ReplaceAllStringFunc(path, func(escaped string) string {
			plain, err := url.PathUnescape(escaped)
			if err == nil && unreserved.MatchString(plain) {
				return plain
			}
			return strings.ToUpper(escaped)
		})
	}
	if asks {
		path += "?" + query
	}
	return path
}

func validHeader(value string) bool {
	for _, c := range []byte(value) {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// target is the URL for a checked path, or an error if it would leave the base after all.
func (g *Gate) target(path string) (*url.URL, error) {
	u, err := url.Parse(g.cfg.BaseURL + path)
	if err != nil {
		return nil, fmt.Errorf("%w: path is none", ErrRequest)
	}
	if u.Scheme != g.base.Scheme || u.Host != g.base.Host || u.User != nil || u.Fragment != "" ||
		!strings.HasPrefix(u.EscapedPath(), g.base.EscapedPath()+"/") {
		return nil, fmt.Errorf("%w: path leads away from the API", ErrRequest)
	}
	return u, nil
}

// headers are those that Discord gets: the gate's own and the few that are passed on.
func (g *Gate) headers(r *Request) http.Header {
	h := make(http.Header, len(passed)+2)
	for _, name := range passed {
		if values := r.Header.Values(name); len(values) > 0 {
			h[name] = values[:1]
		}
	}
	if (len(r.Body) > 0 || r.Stream != nil) && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	h.Set("User-Agent", g.cfg.UserAgent)
	if !r.NoToken {
		h.Set("Authorization", "Bot "+g.cfg.Token)
	}
	return h
}
