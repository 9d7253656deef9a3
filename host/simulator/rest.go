package simulator

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// route is one route of REST.
type route struct {
	name   string // method and path, as in Discord's documentation
	group  string // routes of one group share a bucket
	top    string // the path value that is the top-level resource
	limit  Limit
	exempt bool // from the global limit, and from Authorization: what carries an interaction's token
	handle func(q *query) answer
}

// hash is the bucket's name as Discord tells it: it says nothing of the resource.
func (rt *route) hash() string {
	var h uint64
	for _, c := range []byte(rt.group) {
		h = mix(h, uint64(c))
	}
	return strings.Trim(string(appendHash(nil, h)), `"`)
}

// query is one request on its way through.
type query struct {
	s     *Server
	r     *http.Request
	rt    *route
	body  []byte // of a JSON request
	now   time.Time
	made  time.Time // when the answer was made
	kind  string    // Content-Type
	files []file    // uploads of a multipart request
}

// answer is what goes back.
type answer struct {
	status int
	body   []byte
}

const (
	apiPrefix  = "/api/v10"
	maxUpload  = 25 << 20
	uploadFree = 10 << 20 // Discord's default for files
)

var userAgent = regexp.MustCompile(`^DiscordBot \([^\s,()]+, ?[^\s()]+\)`)

// serve takes a request through faults, checks, limits and its handler.
func (s *Server) serve(rt *route, w http.ResponseWriter, r *http.Request) {
	q := &query{s: s, r: r, rt: rt, kind: r.Header.Get("Content-Type")}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(s.largest())+1))
	if err != nil {
		return // the client has gone
	}
	q.body, q.now = body, time.Now()
	f, hit := s.faults.take(r.Method, strings.TrimPrefix(r.URL.Path, apiPrefix))
	if hit {
		if !s.fail(q, f, w) {
			return
		}
		q.now = time.Now()
	}
	a := s.decide(q, w.Header())
	q.made = time.Now()
	if s.linger(q, f.Late) {
		s.reply(q, w, a)
	}
}

// decide refuses what Discord refuses before it looks at the request, or handles it.
func (s *Server) decide(q *query, h http.Header) answer {
	if wait := s.limits.ban(q.now); wait > 0 {
		return banned(h, wait)
	}
	if !userAgent.MatchString(q.r.UserAgent()) {
		s.breach(RuleUserAgent, -1, q.rt.name+": "+strconv.Quote(q.r.UserAgent()))
		return problem(http.StatusForbidden, 40333, "internal network error")
	}
	if !q.rt.exempt {
		auth, ok := strings.CutPrefix(q.r.Header.Get("Authorization"), "Bot ")
		if !ok || !s.validToken(auth) {
			s.breach(RuleUnauthorized, -1, q.rt.name)
			return problem(http.StatusUnauthorized, 0, "401: Unauthorized")
		}
	}
	v := s.limits.judge(q.rt, q.topLevel(), q.now)
	v.headers(h, q.now)
	if v.breach != "" {
		s.breach(v.breach, -1, q.rt.name)
	}
	if v.wait > 0 {
		return answer{http.StatusTooManyRequests, limitedBody(v.scope, v.wait)}
	}
	if len(q.body) > s.largest() {
		s.breach(RuleTooLarge, -1, q.rt.name)
		return problem(http.StatusRequestEntityTooLarge, 40005, "Request entity too large")
	}
	return q.rt.handle(q)
}

// largest is how many bytes a request's body may have: files, and a mebibyte for what surrounds them.
func (s *Server) largest() int { return max(maxUpload, s.cfg.UploadBytes+1<<20) }

// topLevel gives the top-level resource of the request.
func (q *query) topLevel() string {
	if q.rt.top == "webhook" {
		return q.r.PathValue("application") + "/" + q.r.PathValue("token")
	}
	if q.rt.top == "" {
		return ""
	}
	return q.r.PathValue(q.rt.top)
}

// reply writes the answer, and counts it.
func (s *Server) reply(q *query, w http.ResponseWriter, a answer) {
	h := w.Header()
	if h.Get("Content-Type") == "" && len(a.body) > 0 {
		h.Set("Content-Type", "application/json")
	}
	shared := h.Get("X-Ratelimit-Scope") == ScopeShared
	s.requests.add(q, a.status)
	if (a.status == 401 || a.status == 403 || a.status == 429) && !shared && s.limits.fault(q.now) {
		s.breach(RuleInvalidRequests, -1, "within 10 minutes")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that has gone misses it
}

func banned(h http.Header, wait time.Duration) answer {
	h.Set("Content-Type", "text/html; charset=UTF-8")
	h.Set("Server", "cloudflare")
	limitedHeaders(h, "", wait)
	return answer{http.StatusTooManyRequests, []byte(banPage)}
}

const banPage = `<!doctype html><html lang="en-US"><head><title>Access denied | discord.com used Cloudflare to restrict access</title></head>` +
	`<body><h1>Error 1015</h1><h2>You are being rate limited</h2></body></html>`

// problem is an error as Discord tells it.
func problem(status, code int, message string) answer {
	b := append([]byte(`{"message":`), appendString(nil, message)...)
	b = append(b, `,"code":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	return answer{status, append(b, '}')}
}

func unknown(code int, what string) answer {
	return problem(http.StatusNotFound, code, "Unknown "+what)
}

// done answers 200 with what build writes.
func (q *query) done(build func(o *jsonOut)) answer {
	o := q.s.scratch()
	o.rest = true
	build(o)
	return answer{http.StatusOK, q.s.finish(o)}
}

func empty() answer { return answer{status: http.StatusNoContent} }

// id gives an id from the path; 0 when it is none.
func (q *query) id(name string) uint64 {
	id, _ := parseID(q.r.PathValue(name))
	return id
}

// limit gives the limit of the query string, at least 1 and at most high.
func (q *query) limit(def, high int) int {
	n, err := strconv.Atoi(q.r.URL.Query().Get("limit"))
	if err != nil {
		return def
	}
	return min(high, max(1, n))
}

func (q *query) after() uint64 {
	id, _ := parseID(q.r.URL.Query().Get("after"))
	return id
}

// inGuild runs look with the guild of the path locked.
func (q *query) inGuild(look func(g *guildState) answer) answer {
	a := unknown(10004, "Guild")
	if id := q.id("guild"); id != 0 {
		q.s.in(id, func(g *guildState) { a = look(g) })
	}
	return a
}

// inChannel runs look with the guild of the channel of the path locked.
func (q *query) inChannel(look func(g *guildState, channel uint64) answer) answer {
	id := q.id("channel")
	g := q.s.world.of(id)
	if g == nil {
		return unknown(10003, "Channel")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.has(id) {
		return unknown(10003, "Channel")
	}
	return look(g, id)
}
