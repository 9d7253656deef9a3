package simulator

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limits of Discord's that are known from its answers; the rest of the routes share a generous one.
func perFive() Limit      { return Limit{5, 5 * time.Second} }
func generous() Limit     { return Limit{50, time.Second} }
func perSecond() Limit    { return Limit{5, time.Second} }
func reactLimit() Limit   { return Limit{1, 250 * time.Millisecond} }
func readLimit() Limit    { return Limit{10, 10 * time.Second} }
func webhookLimit() Limit { return Limit{5, 2 * time.Second} }
func commandLimit() Limit { return Limit{5, 20 * time.Second} }

const (
	pathGuild    = "/guilds/{guild}"
	pathChannel  = "/channels/{channel}"
	pathMessage  = pathChannel + "/messages/{message}"
	pathCommands = "/applications/{application}/commands"
	pathLocal    = "/applications/{application}/guilds/{guild}/commands"
	pathWebhook  = "/webhooks/{application}/{token}"
	pathReaction = pathMessage + "/reactions/{emoji}"
)

func allRoutes() []route {
	return slices.Concat(
		generalRoutes(), guildRoutes(), memberRoutes(), channelRoutes(), messageRoutes(), commandRoutes(), interactionRoutes(),
	)
}

// routes makes the handler of REST.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range allRoutes() {
		s.mount(mux, rt)
	}
	other := &route{name: "unknown route", group: "unknown", limit: generous(), handle: func(*query) answer {
		return problem(http.StatusNotFound, 0, "404: Not Found")
	}}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.serve(other, w, r) })
	return mux
}

func (s *Server) mount(mux *http.ServeMux, rt route) {
	method, path, _ := strings.Cut(rt.name, " ")
	if rt.group == "" {
		rt.group = rt.name
	}
	if rt.limit.Requests == 0 {
		rt.limit = generous()
	}
	switch {
	case rt.top != "":
	case strings.HasPrefix(path, pathGuild):
		rt.top = "guild"
	case strings.HasPrefix(path, pathChannel):
		rt.top = "channel"
	case strings.HasPrefix(path, pathWebhook):
		rt.top = "webhook"
	}
	mux.HandleFunc(method+" "+apiPrefix+path, func(w http.ResponseWriter, r *http.Request) { s.serve(&rt, w, r) })
}

// generalRoutes are the gateway's address, users and the application.
func generalRoutes() []route {
	return []route{
		{name: "GET /gateway", exempt: true, handle: getGateway},
		{name: "GET /gateway/bot", handle: getGatewayBot, limit: Limit{2, 5 * time.Second}},
		{name: "GET /users/@me", handle: getMe},
		{name: "PATCH /users/@me", handle: getMe, limit: commandLimit()},
		{name: "GET /users/@me/guilds", handle: getMyGuilds, limit: perFive()},
		{name: "DELETE /users/@me/guilds/{guild}", handle: leaveGuild},
		{name: "POST /users/@me/channels", handle: openDirect, limit: readLimit()},
		{name: "GET /users/{user}", handle: getUser, limit: readLimit()},
		{name: "GET /applications/@me", handle: getApplication},
		{name: "GET /oauth2/applications/@me", handle: getApplication},
	}
}

func getGateway(q *query) answer {
	return q.done(func(o *jsonOut) {
		o.open('{')
		o.str("url", q.s.gatewayURL)
		o.shut('}')
	})
}

func getGatewayBot(q *query) answer {
	q.s.mu.Lock()
	left := q.s.starts.remaining
	q.s.mu.Unlock()
	return q.done(func(o *jsonOut) {
		o.open('{')
		o.str("url", q.s.gatewayURL)
		o.num("shards", int64(q.s.cfg.Shards))
		o.key("session_start_limit")
		o.open('{')
		o.num("total", int64(q.s.cfg.SessionStarts))
		o.num("remaining", int64(left))
		o.num("reset_after", (24 * time.Hour).Milliseconds())
		o.num("max_concurrency", int64(q.s.cfg.MaxConcurrency))
		o.shut('}')
		o.shut('}')
	})
}

func getMe(q *query) answer {
	return q.done(func(o *jsonOut) {
		o.open('{')
		o.user(q.s, q.s.world.bot)
		o.raw(`"premium_type":0,"email":null,"bio":"","locale":"en-US","mfa_enabled":true,"verified":true`)
		o.shut('}')
	})
}

func getUser(q *query) answer {
	id := q.id("user")
	if id == 0 {
		return unknown(10013, "User")
	}
	return q.done(func(o *jsonOut) {
		o.open('{')
		o.user(q.s, id)
		o.shut('}')
	})
}

func getMyGuilds(q *query) answer {
	limit, after := q.limit(200, 200), q.after()
	return q.done(func(o *jsonOut) {
		o.open('[')
		n := 0
		for _, g := range q.s.world.all() {
			if g.id <= after || n == limit {
				continue
			}
			n++
			g.mu.Lock()
			c := g.view()
			o.open('{')
			o.id("id", g.id)
			o.str("name", c.name)
			o.raw(`"icon":null,"banner":null,"owner":false,"permissions":"2248473465835073"`)
			o.strs("features", c.features)
			o.shut('}')
			g.mu.Unlock()
		}
		o.shut(']')
	})
}

func leaveGuild(q *query) answer {
	if !q.s.leaveGuild(q.id("guild")) {
		return unknown(10004, "Guild")
	}
	return empty()
}

func openDirect(q *query) answer {
	m, bad := q.form(shape{"recipient_id": {kind: isID, required: true}})
	if m == nil {
		return bad
	}
	var ch channel
	q.s.in(0, func(g *guildState) { ch = *q.s.directLocked(g, snowflake(m["recipient_id"])) })
	return q.done(func(o *jsonOut) {
		o.open('{')
		o.direct(q.s, &ch, 0)
		o.shut('}')
	})
}

func getApplication(q *query) answer {
	return q.done(func(o *jsonOut) {
		o.open('{')
		o.id("id", q.s.world.bot)
		o.raw(`"name":"holdfast","icon":null,"description":"","type":null,"summary":"","is_monetized":false,"is_verified":false,` +
			`"bot_public":true,"bot_require_code_grant":false,"hook":true,"redirect_uris":[],"interactions_endpoint_url":null,` +
			`"role_connections_verification_url":null,"event_webhooks_url":null,"event_webhooks_status":1,"tags":[],` +
			`"integration_types_config":{"0":{}},"verify_key":"0000000000000000000000000000000000000000000000000000000000000000"`)
		o.num("flags", applicationFlags)
		o.str("flags_new", "11051008")
		o.num("approximate_guild_count", int64(q.s.world.count()))
		o.raw(`"approximate_user_install_count":0,"approximate_user_authorization_count":0,"explicit_content_filter":0,"team":null,` +
			`"eligible_oauth2_scopes":[]`)
		o.key("bot")
		o.open('{')
		o.user(q.s, q.s.world.bot)
		o.shut('}')
		o.key("owner")
		o.open('{')
		o.user(q.s, q.s.world.first+memberBase)
		o.shut('}')
		o.shut('}')
	})
}
