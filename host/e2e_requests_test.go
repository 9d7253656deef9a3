package host_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// unknownRoute is what the simulator calls a request that it has no route for.
const unknownRoute = "unknown route"

// TestEveryRequestOfDisgo sends one of each of disgo's requests twice: from a
// program with disgo alone to a simulator, and from a plugin through its host to
// another simulator of the same seed. What arrives must be the same, byte for
// byte but for the boundary of forms and for ids that are made when the test
// runs. The plugin's are answered with what the simulator answered the program,
// so what both decode must be the same, too.
func TestEveryRequestOfDisgo(t *testing.T) {
	beside(t)
	known := requestsOfDisgo(t)
	alone, plugin := newPlace(t), newPlace(t)
	every := program(t, "./host/testdata/everyrequest") // before the interaction, which has 3 s

	i := alone.sim.Slash(alone.guild.ID, alone.guild.Channels[0], alone.guild.Members[0], "every")
	alone.world["InteractionID"], alone.world["InteractionToken"] = strconv.FormatUint(i.ID, 10), i.Token
	alone.record(true)
	direct := exec.CommandContext(t.Context(), every)
	direct.Env = append(os.Environ(), "DIRECT="+alone.serve(t, true, nil), "TOKEN="+alone.sim.Token())
	for key, value := range alone.env(t) {
		direct.Env = append(direct.Env, key+"="+value)
	}
	if out, err := direct.CombinedOutput(); err != nil {
		t.Fatalf("disgo alone: %v\n%s", err, out)
	}

	base := "http://" + plugin.serve(t, false, alone.exchanges) + "/api/v10"
	h := start(t, plugin.sim, options{
		plugins: map[string]string{"everyrequest": "./host/testdata/everyrequest"},
		env:     map[string]map[string]string{"everyrequest": plugin.env(t)},
		args:    []string{"--api-url", base, "--commands", "off"}, // nothing but the plugin's requests
	})
	plugin.record(true)
	i = plugin.sim.Slash(plugin.guild.ID, plugin.guild.Channels[0], plugin.guild.Members[0], "every")
	plugin.world["InteractionID"], plugin.world["InteractionToken"] = strconv.FormatUint(i.ID, 10), i.Token
	eventually(t, "all requests sent", func() bool { return exists(plugin.file) })
	plugin.record(false)
	h.stop()

	compareExchanges(t, alone, plugin)
	outcomes := compareOutcomes(t, alone, plugin)
	if slices.Sort(outcomes); !slices.Equal(outcomes, known) {
		t.Errorf("disgo has %d requests and %d were sent: add those that are missing to testdata/everyrequest\n have %v\n sent %v", len(known), len(outcomes), known, outcomes)
	}
	alone.tell(t, len(known))
}

// notOfBots are requests for users' tokens: they carry the application's secret,
// which a plugin does not have, and no token of the bot.
var notOfBots = []string{"AccessTokenExchange", "ClientCredentialsTokenRequest", "RefreshTokenExchange"}

// requestsOfDisgo are the types of its package that have Send(*Client).
func requestsOfDisgo(t *testing.T) (names []string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", "{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}", "github.com/switchupcb/disgo")
	files, err := list.Output()
	if err != nil {
		t.Fatalf("find disgo's sources: %v", err)
	}
	for file := range strings.FieldsSeq(string(files)) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "Send" || len(f.Type.Params.List) != 1 || typeName(f.Type.Params.List[0].Type) != "Client" {
				continue
			}
			if name := typeName(f.Recv.List[0].Type); !slices.Contains(notOfBots, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	if len(names) < 150 {
		t.Fatalf("only %d requests found in disgo: %v", len(names), names)
	}
	return names
}

func typeName(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if name, ok := e.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// exchange is one request as it arrived, with the answer.
type exchange struct {
	request string // method, path and query, headers that matter, body
	agent   string
	token   bool
	status  int
	header  http.Header
	body    []byte
}

// place is a simulator behind a door that writes down what passes.
type place struct {
	sim   *simulator.Server
	guild simulator.Guild
	world map[string]string // what the program needs to know, by the names of fields
	file  string

	mu        sync.Mutex
	recording bool
	exchanges []exchange
}

// newPlace prepares the world so that most requests have something to work on.
func newPlace(t *testing.T) *place {
	t.Helper()
	// Breaches are not looked at: some of the requests are wrong on purpose.
	sim, err := simulator.Start(simulator.Config{Seed: 4, RateLimits: simulator.RateLimits{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	p := &place{sim: sim, guild: sim.Guilds()[0], file: filepath.Join(t.TempDir(), "outcomes")}
	g, user := p.guild, p.guild.Members[0]
	id := func(n uint64) string { return strconv.FormatUint(n, 10) }
	say := func(author uint64) string { return id(sim.Say(g.ID, g.Channels[0], author, "kelp")) }
	react := func(message string) string {
		n, _ := strconv.ParseUint(message, 10, 64)
		for _, who := range []uint64{user, sim.Bot()} {
			sim.React(g.ID, g.Channels[0], n, who, "👍")
		}
		return message
	}
	sim.Ban(g.ID, g.Members[9])
	global := sim.Register(0, json.RawMessage(`{"name":"foreign","description":"x"}`))
	local := sim.Register(g.ID, json.RawMessage(`{"name":"foreign","description":"x"}`))
	every := json.RawMessage(`{"name":"every","description":"x"}`)
	bulk, bulkLocal := sim.Register(0, every), sim.Register(g.ID, every)
	p.world = map[string]string{
		"ApplicationID": id(sim.Bot()), "WebhookID": id(sim.Bot()),
		"GuildID": id(g.ID), "ChannelID": id(g.Channels[0]), "DeleteCloseChannel.ChannelID": id(g.Channels[1]),
		"UserID": id(user), "RecipientID": id(user), "RemoveGuildMember.UserID": id(g.Members[1]), "RoleID": id(g.Roles[0]), "DeleteGuildRole.RoleID": id(g.Roles[1]),
		"GetGuildBan.UserID": id(g.Members[9]), "RemoveGuildBan.UserID": id(g.Members[9]), "CreateGuildBan.UserID": id(g.Members[2]),
		"MessageID": react(say(user)), "EditMessage.MessageID": say(sim.Bot()), "DeleteMessage.MessageID": say(user),
		"DeleteAllReactionsforEmoji.MessageID": react(say(user)), "BulkOne": say(user), "BulkTwo": say(user),
		"CommandID": id(global), "GetGuildApplicationCommand.CommandID": id(local), "EditGuildApplicationCommand.CommandID": id(local),
		"DeleteGuildApplicationCommand.CommandID": id(local), "BulkGlobal": id(bulk), "BulkLocal": id(bulkLocal),
	}
	for _, request := range []string{"GetFollowupMessage", "EditFollowupMessage", "DeleteFollowupMessage", "GetWebhookMessage", "EditWebhookMessage", "DeleteWebhookMessage"} {
		p.world[request+".MessageID"] = "@original"
	}
	return p
}

func (p *place) env(t *testing.T) map[string]string {
	t.Helper()
	world, err := json.Marshal(p.world)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"WORLD": string(world), "FILE": p.file}
}

func (p *place) record(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recording = on
}

// serve passes every request on to the simulator. While it records, the n-th is
// answered with the n-th of answers, if there are any. It returns an address.
func (p *place) serve(t *testing.T, secure bool, answers []exchange) string {
	t.Helper()
	sim, err := url.Parse(p.sim.URL())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := p.pass(t, sim.Host, r)
		p.mu.Lock()
		if p.recording {
			p.exchanges = append(p.exchanges, e)
			if n := len(p.exchanges); n <= len(answers) {
				date := e.header.Get("Date") // Discord's clock goes on
				e = answers[n-1]
				e.header.Set("Date", date)
			}
		}
		p.mu.Unlock()
		maps.Copy(w.Header(), e.header)
		w.WriteHeader(e.status)
		_, _ = w.Write(e.body) // who has gone misses it
	}))
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// pass sends the request to the simulator as it is.
func (p *place) pass(t *testing.T, host string, r *http.Request) exchange {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+host+r.RequestURI, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return exchange{status: http.StatusBadGateway}
	}
	out.Header = r.Header.Clone()
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		t.Error(err)
		return exchange{status: http.StatusBadGateway}
	}
	defer answer.Body.Close()
	e := exchange{
		request: seen(r, body), agent: r.UserAgent(), token: r.Header.Get("Authorization") == "Bot "+p.sim.Token(),
		status: answer.StatusCode, header: answer.Header,
	}
	if e.body, err = io.ReadAll(answer.Body); err != nil {
		t.Error(err)
	}
	return e
}

// seen is all of a request that must be the same wherever it was sent from.
func seen(r *http.Request, body []byte) string {
	kind := r.Header.Get("Content-Type")
	if _, params, err := mime.ParseMediaType(kind); err == nil && params["boundary"] != "" {
		kind = strings.ReplaceAll(kind, params["boundary"], "BOUNDARY")
		body = bytes.ReplaceAll(body, []byte(params["boundary"]), []byte("BOUNDARY"))
	}
	if len(body) == 0 {
		kind = "" // disgo sends one with requests that have no body
	}
	return fmt.Sprintf("%s %s\ntype %s, reason %q\n%s", r.Method, r.RequestURI, kind, r.Header.Get("X-Audit-Log-Reason"), body)
}

// withoutIDs writes names for ids and tokens that each simulator makes anew.
func (p *place) withoutIDs(text string) string {
	names := make(map[string]string)
	for name, value := range p.world {
		if value != "@original" && names[value] < name {
			names[value] = name
		}
	}
	for value, name := range names {
		text = strings.ReplaceAll(text, value, "{"+name+"}")
	}
	return text
}

// tell counts, and demands that most of what the simulator knows went well:
// answers that are refusals would show little of decoding.
func (p *place) tell(t *testing.T, types int) {
	t.Helper()
	routes, fine, refused := make(map[string]bool), 0, []string(nil)
	for _, r := range p.sim.Requests() {
		switch {
		case r.Route == unknownRoute:
		case r.Status < 300:
			routes[r.Route] = true
			fine++
		default:
			refused = append(refused, fmt.Sprintf("%d %s", r.Status, r.Route))
		}
	}
	t.Logf("%d request types of disgo, %d sent; %d go to %d routes that the simulator knows and were carried out; it refused %d (%s); it knows no route of the others",
		types, len(p.exchanges), fine, len(routes), len(refused), strings.Join(refused, ", "))
	if fine < 75 || len(routes) < 60 {
		t.Errorf("only %d were carried out, on the routes %v", fine, routes)
	}
}

func compareExchanges(t *testing.T, alone, plugin *place) {
	t.Helper()
	if len(alone.exchanges) != len(plugin.exchanges) {
		t.Errorf("%d requests of disgo alone, %d of the plugin", len(alone.exchanges), len(plugin.exchanges))
	}
	agent := regexp.MustCompile(`^DiscordBot \(https://[^ ]+, [^ ]+\)$`)
	for n := range min(len(alone.exchanges), len(plugin.exchanges)) {
		want, got := alone.exchanges[n], plugin.exchanges[n]
		want.request, got.request = alone.withoutIDs(want.request), plugin.withoutIDs(got.request)
		if got.request != want.request {
			t.Fatalf("request %d:\n got %s\nwant %s", n, got.request, want.request)
		}
		if got.status != want.status {
			t.Fatalf("request %d: answered %d, to disgo alone %d: %s\n%s", n, got.status, want.status, got.request, got.body)
		}
		if !got.token || !want.token || !agent.MatchString(got.agent) {
			t.Errorf("request %d: agent %q, token %t", n, got.agent, got.token)
		}
	}
}

// compareOutcomes returns the names of all requests.
func compareOutcomes(t *testing.T, alone, plugin *place) (names []string) {
	t.Helper()
	want, got := readOutcomes(t, alone.file), readOutcomes(t, plugin.file)
	for n := range min(len(want), len(got)) {
		if got[n] != want[n] {
			t.Fatalf("outcome %d:\n got %.600s\nwant %.600s", n, got[n], want[n])
		}
	}
	for _, line := range got {
		var o struct{ Request string }
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Request)
	}
	return names
}

func readOutcomes(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
