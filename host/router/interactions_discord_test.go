package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// token is of all interactions here but for its end, their id.
const token = "tok/en"

// asDiscord answers requests of interactions by Discord's rules (documentation,
// "Receiving and Responding"), in the time of a bubble, and keeps what came.
type asDiscord struct {
	mu      sync.Mutex
	created map[string]time.Time // by id
	first   map[string]int       // type of the callback
	gone    map[string]bool      // @original was deleted
	seen    []string             // "caller METHOD what body"
	fail    []error              // of the next requests, nil for none
	status  []uint32             // the same, of Discord's answers
	slow    time.Duration
	breach  []string
}

func newDiscord() *asDiscord {
	return &asDiscord{created: make(map[string]time.Time), first: make(map[string]int), gone: make(map[string]bool)}
}

func (d *asDiscord) carry(ctx context.Context, caller string, r *wire.RestRequest) (*wire.RestResponse, error) {
	d.mu.Lock()
	slow := d.slow
	d.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	path := strings.ReplaceAll(r.GetPath(), "tok%2Fen", "TOKEN")
	d.seen = append(d.seen, fmt.Sprintf("%s %s %s %s", caller, r.GetMethod(), path, text(r)))
	if len(d.status) > 0 {
		status := d.status[0]
		if d.status = d.status[1:]; status != 0 {
			return refusal(status, 50035), nil
		}
	}
	answer := d.answer(r, strings.Split(path, "/"))
	if len(d.fail) > 0 {
		err := d.fail[0]
		if d.fail = d.fail[1:]; err != nil {
			return nil, err // after Discord has taken it
		}
	}
	return answer, nil
}

func (d *asDiscord) answer(r *wire.RestRequest, parts []string) *wire.RestResponse {
	if parts[1] == "interactions" {
		id := parts[2]
		var body struct{ Type int }
		_ = json.Unmarshal([]byte(text(r)), &body)
		switch {
		case d.first[id] != 0:
			d.breach = append(d.breach, "answered twice: "+id)
			return refusal(400, 40060)
		case time.Since(d.created[id]) > 3*time.Second:
			d.breach = append(d.breach, "answered late: "+id)
			return refusal(404, 10062)
		}
		d.first[id] = body.Type
		return &wire.RestResponse{Status: 204}
	}
	id := "" // there is one interaction in those tests
	for i := range d.first {
		id = i
	}
	switch {
	case d.first[id] == 0:
		d.breach = append(d.breach, "webhook before the answer: "+id)
		return refusal(404, 10015)
	case len(parts) > 5 && parts[5] == "@original" && d.gone[id]:
		return refusal(404, 10008)
	case r.GetMethod() == http.MethodDelete:
		d.gone[id] = true
		return &wire.RestResponse{Status: 204}
	}
	return &wire.RestResponse{Status: 200, Body: []byte(`{"id":"555"}`)}
}

func refusal(status uint32, code int) *wire.RestResponse {
	return &wire.RestResponse{Status: status, Body: fmt.Appendf(nil, `{"code":%d,"message":"no"}`, code)}
}

// text is the JSON of a request, and the names of its files.
func text(r *wire.RestRequest) string {
	kind, parameters, _ := mime.ParseMediaType(r.GetHeader()["Content-Type"])
	if kind != "multipart/form-data" {
		return string(r.GetBody())
	}
	form, err := multipart.NewReader(strings.NewReader(string(r.GetBody())), parameters["boundary"]).ReadForm(1 << 20)
	if err != nil {
		return err.Error()
	}
	out := form.Value["payload_json"][0]
	for _, name := range slices.Sorted(maps.Keys(form.File)) {
		file, _ := form.File[name][0].Open()
		raw, _ := io.ReadAll(file)
		out += fmt.Sprintf(" %s=%s:%s", name, form.File[name][0].Filename, raw)
	}
	return out
}

func (d *asDiscord) exists(id string, created time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.created[id] = created
}

func (d *asDiscord) came() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen)
}

// world is interactions, a router over them and a Discord.
type world struct {
	t       *testing.T
	discord *asDiscord
	router.InteractionsConfig
	interactions *router.Interactions
	plugin       *target
	manifest     *wire.Manifest
	last         uint64
}

func newWorld(t *testing.T) *world {
	time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))) // a bubble begins before Discord's time
	w := &world{t: t, discord: newDiscord(), plugin: &target{name: "p"}}
	w.manifest = &wire.Manifest{
		Name: "p",
		Commands: []*wire.Command{
			{Json: []byte(`{"name":"plain","description":"x"}`)},
			{Json: []byte(`{"name":"secret","description":"x"}`), Deferral: wire.Deferral_DEFERRAL_EPHEMERAL},
			{Json: []byte(`{"name":"never","description":"x"}`), Deferral: wire.Deferral_DEFERRAL_NEVER},
		},
		Components: []*wire.CustomIDs{{Prefix: "vote:"}, {Prefix: "vote:public:", Deferral: wire.Deferral_DEFERRAL_MESSAGE}},
		Modals:     []*wire.CustomIDs{{Prefix: "form:"}},
	}
	w.InteractionsConfig = router.InteractionsConfig{Carry: w.discord.carry, Application: 99, Log: hclog.NewNullLogger()}
	t.Cleanup(func() {
		if w.interactions != nil {
			w.interactions.Close()
		}
		for _, b := range w.discord.breach {
			t.Errorf("rule of Discord broken: %s", b)
		}
	})
	return w
}

// come lets an interaction arrive that was created so long ago, and returns it as
// the plugin gets it; nil if it does not.
func (w *world) come(kind int, name string, age time.Duration, change func(e *gateway.Event, fields map[string]any)) *wire.Event {
	w.t.Helper()
	if w.interactions == nil {
		w.interactions = router.NewInteractions(w.InteractionsConfig)
	}
	created := time.Now().Add(-age)
	w.last++
	id := uint64(created.UnixMilli()-1420070400000)<<22 | w.last
	w.discord.exists(fmt.Sprint(id), created)
	data := map[string]any{"name": name, "type": 1}
	if kind == 3 || kind == 5 {
		data = map[string]any{"custom_id": name}
	}
	fields := map[string]any{"id": fmt.Sprint(id), "token": token, "type": kind, "data": data}
	if kind == 3 {
		fields["message"] = map[string]any{"id": "444"}
	}
	e := gateway.Event{Name: "INTERACTION_CREATE", Guild: 42, ID: id, Received: time.Now()}
	if change != nil {
		change(&e, fields)
	}
	e.Data = encode(w.t, fields)
	owners, err := router.MergeOwners([]*wire.Manifest{w.manifest})
	if err != nil {
		w.t.Fatal(err)
	}
	before := len(w.plugin.got)
	route(w.t, router.Config{Plugins: []router.Plugin{w.plugin}, Owners: owners, Interactions: w.interactions}, e)
	if len(w.plugin.got) == before {
		return nil
	}
	return w.plugin.got[before]
}

func encode(t *testing.T, fields map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func interactionOf(e *wire.Event) (id string) {
	var i struct{ ID string }
	_ = json.Unmarshal(e.Data, &i)
	return i.ID
}

// answer sends a plugin's callback, and returns Discord's or the host's answer.
func (w *world) answer(e *wire.Event, body string) (status int, code int, message string) {
	w.t.Helper()
	return w.request("POST", "/interactions/"+interactionOf(e)+"/tok%2Fen/callback", body)
}

func (w *world) request(method, path, body string) (status int, code int, message string) {
	w.t.Helper()
	r, err := w.interactions.Carry(w.t.Context(), "p", &wire.RestRequest{
		Method: method, Path: path, Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(body),
	})
	if err != nil {
		return 0, 0, err.Error()
	}
	var said struct {
		Code    int
		Message string
	}
	_ = json.Unmarshal(r.GetBody(), &said)
	return int(r.GetStatus()), said.Code, said.Message
}

// wantSeen compares what came to Discord; {id} is the interaction's.
func (w *world) wantSeen(e *wire.Event, want ...string) {
	w.t.Helper()
	got := w.discord.came()
	for n := range want {
		if e != nil {
			want[n] = strings.ReplaceAll(want[n], "{id}", interactionOf(e))
		}
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("came to Discord:\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

var errBroken = errors.New("connection lost")
