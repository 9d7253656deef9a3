package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

const agent = "DiscordBot (https://example.com, 1.0)"

// reply is what the test's REST client got.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

func (r reply) object() map[string]any {
	r.t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.body, &m); err != nil {
		r.t.Fatalf("status %d: %v in %.300s", r.status, err, r.body)
	}
	return m
}

func (r reply) list() []any {
	r.t.Helper()
	var l []any
	if err := json.Unmarshal(r.body, &l); err != nil {
		r.t.Fatalf("status %d: %v in %.300s", r.status, err, r.body)
	}
	return l
}

// code gives the code of an error.
func (r reply) code() int {
	var m struct{ Code int }
	_ = json.Unmarshal(r.body, &m)
	return m.Code
}

func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d: %.500s", r.status, status, r.body)
	}
	return r
}

func call(t testing.TB, s *Server, method, path, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bot "+s.Token())
	req.Header.Set("User-Agent", agent)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header[header[i]] = nil
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if key := twice(data); key != "" {
		t.Errorf("%s %s: %s is there twice: %s", method, path, key, data)
	}
	r := reply{t: t, status: resp.StatusCode, header: resp.Header, body: data}
	conforms(t, s, method, path, r)
	return r
}

func get(t testing.TB, s *Server, path string) reply { return call(t, s, "GET", path, "") }

// try makes a request that may fail, and gives its status: 0 when there was no answer.
func try(t testing.TB, s *Server, path string) int {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, http.NoBody)
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bot "+s.Token())
	req.Header.Set("User-Agent", agent)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
