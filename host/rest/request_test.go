package rest

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func testGate(t testing.TB) *Gate {
	t.Helper()
	g, err := New(Config{Token: testToken, BaseURL: "https://discord.test/api/v10", Client: &http.Client{Transport: &fakeDiscord{}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func TestPathsThatLeadElsewhereAreRefused(t *testing.T) {
	g := testGate(t)
	for _, path := range []string{
		"", "/", "//", "channels/1", "https://evil.test/x", "//evil.test/x", "/\\evil.test", "\\\\evil.test", "@evil.test/", ".evil.test", ":80/x",
		"/..", "/../x", "/channels/..", "/channels/../x", "/channels/./1", "/channels//1", "/channels/1/", "/%2e%2e/x", "/%2E./x", "/.%2e/x",
		"/channels/%2f..%2fx", "/channels/1%2f2", "/channels/1%5c2", "/channels/%252e%252e/x", "/channels/1#x", "/channels/1?x#y", "/channels/1?a b",
		"/channels/1\r\nX: y", "/channels/1\x00", "/channels/1%00", "/channels/1%0d%0aX:%20y", "/channels/%zz", "/channels/%", "/channels/é", "/channels/1;x",
		"/channels/1?\x7f", "/channels/1 HTTP/1.1", "/channels/{1}", "/channels/1?é", "/" + strings.Repeat("x", maxPath), "?x", "#", "/?x",
	} {
		_, err := g.Do(t.Context(), &Request{Method: http.MethodGet, Path: path})
		if !errors.Is(err, ErrRequest) {
			t.Errorf("%q: error %v", path, err)
		}
	}
}

func TestPathsOfDiscordAreTaken(t *testing.T) {
	g := testGate(t)
	for _, path := range []string{
		"/channels/1", "/users/@me", "/webhooks/1/aW50ZXJhY3Rpb246MTIz_-x.y/messages/@original?with_components=true",
		"/channels/1/messages/2/reactions/%F0%9F%91%8D/@me", "/channels/1/messages/2/reactions/name%3A123/@me", "/channels/1/messages/2/reactions/name:123/@me",
		"/guilds/1/members/search?query=a%2Fb%25..&limit=5", "/channels/1/messages?before=3&limit=100", "/interactions/1/a.b-c_d/callback?with_response=true",
	} {
		if _, err := g.Do(t.Context(), &Request{Method: http.MethodGet, Path: path}); err != nil {
			t.Errorf("%q: error %v", path, err)
		}
	}
}

func TestRequestsThatAreNoneAreRefused(t *testing.T) {
	g := testGate(t)
	for name, r := range map[string]*Request{
		"method":  {Method: "CONNECT", Path: "/channels/1"},
		"empty":   {Path: "/channels/1"},
		"split":   {Method: "GET / HTTP/1.1\r\nX: y\r\n", Path: "/channels/1"},
		"reason":  {Method: http.MethodGet, Path: "/channels/1", Header: http.Header{"X-Audit-Log-Reason": {"a\r\nAuthorization: x"}}},
		"content": {Method: http.MethodGet, Path: "/channels/1", Header: http.Header{"Content-Type": {"a\x00"}}},
		"body":    {Method: http.MethodPost, Path: "/channels/1", Body: make([]byte, defaultRequest+1)},
	} {
		if _, err := g.Do(t.Context(), r); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no token":        {BaseURL: "https://discord.test/api/v10"},
		"spaces in token": {Token: "Bot abc", BaseURL: "https://discord.test/api/v10"},
		"line in token":   {Token: "abc\r\nX: y", BaseURL: "https://discord.test/api/v10"},
		"no address":      {Token: "t"},
		"not http":        {Token: "t", BaseURL: "ftp://discord.test/api"},
		"with a user":     {Token: "t", BaseURL: "https://discord.com@evil.test/api"},
		"with a query":    {Token: "t", BaseURL: "https://discord.test/api?x"},
		"user agent":      {Token: "t", BaseURL: "https://discord.test/api", UserAgent: "a\r\nb"},
	} {
		g, err := New(cfg)
		if err == nil {
			g.Close()
			t.Errorf("%s: taken", name)
		} else if cfg.Token != "" && strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: the error holds the token: %v", name, err)
		}
	}
}

func TestRoutes(t *testing.T) {
	now := time.UnixMilli(epochMillis + 1_000_000_000_000)
	id := func(age time.Duration) string {
		return strconv.FormatInt((now.Add(-age).UnixMilli()-epochMillis)<<22, 10)
	}
	tests := []struct {
		method, path    string
		template, major string
		exempt, own     bool
	}{
		{"GET", "/channels/12/messages/34", "GET /channels/{}/messages/{}", "channels/12", false, false},
		{"GET", "/guilds/12/members/34?x=1", "GET /guilds/{}/members/{}", "guilds/12", false, false},
		{"GET", "/users/@me", "GET /users/@me", "", false, false},
		{"GET", "/users/5", "GET /users/{}", "", false, false},
		{"GET", "/guilds/templates/abc", "GET /guilds/templates/{}", "", false, false},
		{"GET", "/invites/abc", "GET /invites/{}", "", false, false},
		{"GET", "/webhooks/5", "GET /webhooks/{}", "webhooks/5", false, false},
		{"POST", "/webhooks/5/tok", "POST /webhooks/{}/{}", "webhooks/5/tok", false, true},
		{"POST", "/webhooks/77/tok", "POST /webhooks/{}/{}", "webhooks/77/tok", true, true},
		{"PATCH", "/webhooks/77/tok/messages/@original", "PATCH /webhooks/{}/{}/messages/@original", "webhooks/77/tok", true, true},
		{"POST", "/interactions/9/tok/callback", "POST /interactions/{}/{}/callback", "interactions/9/tok", true, true},
		{"PUT", "/channels/1/messages/2/reactions/%F0%9F/@me", "PUT /channels/{}/messages/{}/reactions/{}/@me", "channels/1", false, false},
		{"DELETE", "/channels/1/messages/" + id(time.Hour), "DELETE /channels/{}/messages/{}", "channels/1", false, false},
		{"DELETE", "/channels/1/messages/" + id(time.Second), "DELETE /channels/{}/messages/{} new", "channels/1", false, false},
		{"DELETE", "/channels/1/messages/" + id(15*24*time.Hour), "DELETE /channels/{}/messages/{} old", "channels/1", false, false},
		{"GET", "/applications/77/commands", "GET /applications/{}/commands", "", false, false},
		{"GET", "/oauth2/@me", "GET /oauth2/@me", "", false, true},
		{"GET", "/oauth2/applications/@me", "GET /oauth2/applications/@me", "", false, false},
		{"GET", "/" + strings.Repeat("x", 60), "GET /{}", "", false, false},
	}
	for _, test := range tests {
		r := routeOf(test.method, test.path, "77", now)
		if r.template != test.template || r.major != test.major || r.exempt != test.exempt || r.ownToken != test.own {
			t.Errorf("%s %s: %+v", test.method, test.path, r)
		}
	}
}

// FuzzPath holds that no path makes the gate speak to anything but the API, and that no route names a token.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/channels/1/messages", "//evil.test", "/../x", "/%2e%2e/x", "/webhooks/1/tok/messages/@original", "@evil", "/a?b#c", "/interactions/1/secret/callback",
	} {
		f.Add(path)
	}
	g := testGate(f)
	f.Fuzz(func(t *testing.T, path string) {
		if checkPath(path) != "" {
			return
		}
		u, err := g.target(path)
		if err != nil {
			t.Fatalf("%q was checked and has no target: %v", path, err)
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != "discord.test" || again.Scheme != "https" || again.User != nil || again.Fragment != "" {
			t.Fatalf("%q leads to %q", path, u)
		}
		if clean := again.JoinPath().Path; !strings.HasPrefix(clean, "/api/v10/") || strings.TrimSuffix(clean, "/") != strings.TrimSuffix(again.Path, "/") {
			t.Fatalf("%q is cleaned to %q", path, clean)
		}
		r := routeOf(http.MethodPost, path, "77", time.Now())
		parts := strings.Split(strings.SplitN(path[1:], "?", 2)[0], "/")
		if len(parts) > 2 && (parts[0] == "webhooks" || parts[0] == "interactions") {
			if words := strings.Split(r.template, "/"); len(words) != len(parts)+1 || words[3] != "{}" {
				t.Fatalf("%q has the route %q", path, r.template)
			}
		}
		if strings.Count(r.template, "/") != len(parts) {
			t.Fatalf("%q has the route %q", path, r.template)
		}
	})
}
