package router

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// direct is REST without the gate, to a Discord without rate limits.
type direct struct {
	sim    *simulator.Server
	client http.Client
}

func startDirect(t *testing.T) *direct {
	t.Helper()
	sim, err := simulator.Start(simulator.Config{RateLimits: simulator.RateLimits{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	d := &direct{sim: sim}
	t.Cleanup(func() {
		d.client.CloseIdleConnections()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *direct) Do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, d.sim.URL()+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bot "+d.sim.Token())
	request.Header.Set("User-Agent", "DiscordBot (https://example.com, 1)")
	request.Header.Set("Content-Type", "application/json")
	response, err := d.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// registered reads a scope's commands by type and name.
func (d *direct) registered(t *testing.T, guild uint64) map[commandKey]registered {
	t.Helper()
	s := &syncing{rest: d, application: d.sim.Bot()}
	have, _, err := s.read(t.Context(), guild)
	if err != nil {
		t.Fatal(err)
	}
	byKey := make(map[commandKey]registered)
	for _, h := range have {
		byKey[h.key] = h
	}
	return byKey
}

func testSeed(t *testing.T) *rand.Rand {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("HOLDFAST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("HOLDFAST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 6))
}

// rounds is how often a random test tries: seldom for a quick answer, often for
// .ci/run.
func rounds(few, full int) int {
	if os.Getenv("HOLDFAST_FULL") != "" {
		return full
	}
	return few
}

// author writes commands as authors might: any field, in any spelling.
type author struct{ *rand.Rand }

func (a author) maybe() bool { return a.IntN(2) == 0 }

func (a author) text(least, most int) string {
	letters := []rune("abcdefghijklmnopqrstuvwxyzäßйक -.!0123456789")
	text := make([]rune, least+a.IntN(most-least+1))
	for i := range text {
		text[i] = letters[a.IntN(len(letters))]
	}
	if len(text) > 0 { // neither end is a blank: what is trimmed would be empty or too short
		text[0], text[len(text)-1] = 'x', 'y'
	}
	return string(text)
}

// locales puts localizations beside a text, some of which say the same.
func (a author) locales(fields map[string]any, key string, name bool) {
	if a.IntN(3) > 0 {
		return
	}
	texts := make(map[string]any)
	for _, locale := range []string{"de", "fr", "pt-BR", "ja"} {
		switch {
		case a.IntN(3) == 0:
			texts[locale] = fields[key]
		case name:
			texts[locale] = "n" + strconv.Itoa(a.IntN(5))
		default:
			texts[locale] = a.text(1, 20)
		}
	}
	fields[key+"_localizations"] = texts
}

func (a author) set(most int) []any {
	all := a.Perm(most + 1)[:1+a.IntN(most+1)]
	list := make([]any, len(all))
	for i, n := range all {
		list[i] = n
	}
	return list
}

func (a author) command(kind, n int) map[string]any {
	fields := map[string]any{"name": fmt.Sprint("c", n)}
	if kind != chatInput || a.maybe() {
		fields["type"] = kind
	}
	a.locales(fields, "name", true)
	if kind == chatInput {
		fields["description"] = a.text(1, 100)
		a.locales(fields, "description", false)
		if a.maybe() {
			fields["options"] = a.options(optionGroup)
		}
	}
	if kind == entryPoint && a.maybe() {
		fields["handler"] = 1 + a.IntN(2)
	}
	for key, value := range map[string]func() any{
		"nsfw":          func() any { return a.maybe() },
		"dm_permission": func() any { return a.maybe() },
		"contexts":      func() any { return a.set(2) },
		"default_member_permissions": func() any {
			bits := a.Int64N(1 << 40)
			if a.maybe() {
				return bits
			}
			return strconv.FormatInt(bits, 10)
		},
		"integration_types": func() any { return a.set(1) },
	} {
		switch a.IntN(4) {
		case 0:
			fields[key] = value()
		case 1:
			fields[key] = nil
		}
	}
	return fields
}

func (a author) options(below int) []any {
	var list []any
	subs := below > 0 && a.maybe()
	required := a.IntN(4)
	for i := range 1 + a.IntN(4) {
		option := map[string]any{"name": fmt.Sprint("o", i), "description": a.text(1, 100)}
		a.locales(option, "name", true)
		a.locales(option, "description", false)
		switch {
		case below == optionSub, subs && a.maybe():
			option["type"] = optionSub
			if a.maybe() {
				option["options"] = a.options(0)
			}
		case subs:
			option["type"] = optionGroup
			option["options"] = a.options(optionSub)
		default:
			a.value(option)
			if i < required {
				option["required"] = true
			} else if a.maybe() {
				option["required"] = false
			}
		}
		list = append(list, option)
	}
	return list
}

// spelled is a number in one of its spellings.
func (a author) spelled(n int) json.Number {
	return json.Number([]string{strconv.Itoa(n), fmt.Sprintf("%d.0", n), fmt.Sprintf("%de0", n)}[a.IntN(3)])
}

func (a author) value(option map[string]any) {
	kind := 3 + a.IntN(9)
	option["type"] = kind
	switch kind {
	case optionString:
		if a.maybe() {
			option["min_length"], option["max_length"] = a.IntN(10), 10+a.IntN(5000)
		}
	case optionInteger, optionNumber:
		if a.maybe() {
			option["min_value"], option["max_value"] = a.spelled(a.IntN(10)-5), a.spelled(10+a.IntN(50))
		}
	case 7:
		if a.maybe() {
			option["channel_types"] = a.set(5)
		}
		return
	default:
		return
	}
	switch a.IntN(3) {
	case 0:
		option["autocomplete"] = a.maybe()
		option["choices"] = []any{}
	case 1:
		option["choices"] = a.choices(kind)
	}
}

func (a author) choices(kind int) []any {
	var list []any
	for i := range 1 + a.IntN(4) {
		choice := map[string]any{"name": fmt.Sprint("Choice ", i), "value": any(a.spelled(a.IntN(9)))}
		if kind == optionString {
			choice["value"] = " " + a.text(0, 20)
		}
		if kind == optionNumber && a.maybe() {
			choice["value"] = float64(a.IntN(100)) / 8
		}
		a.locales(choice, "name", false)
		list = append(list, choice)
	}
	return list
}

// set is a scope full of commands.
func (a author) scope(t *testing.T, guild uint64) *CommandSet {
	t.Helper()
	var all []Command
	for kind, limit := range commandLimits {
		if kind == entryPoint && guild != 0 {
			continue
		}
		for n := range limit {
			all = append(all, Command{Plugin: "a", Guild: guild, JSON: written(t, a.command(kind, n))})
		}
	}
	return merged(t, all...)
}

func written(t *testing.T, value any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// leftToDiscord takes out of Discord's answer what the author left to it.
func leftToDiscord(want, have map[string]any) map[string]any {
	for _, key := range []string{"integration_types", "handler"} {
		if _, ok := want[key]; !ok {
			delete(have, key)
		}
	}
	return have
}

// TestWhatDiscordEchoesIsWhatWasSent: whatever authors declare and however they
// spell it, what the simulator answers is the same in its canonical form, and a
// sync without memory finds nothing to write.
func TestWhatDiscordEchoesIsWhatWasSent(t *testing.T) {
	a := author{testSeed(t)}
	d := startDirect(t)
	guild := d.sim.Guilds()[0].ID
	for range rounds(1, 20) {
		for _, scope := range []uint64{0, guild} {
			set := a.scope(t, scope)
			if report, err := SyncCommands(t.Context(), d, &memory{}, d.sim.Bot(), set, SyncOptions{}); err != nil || !report.Scopes[0].Written {
				t.Fatalf("report %+v, error %v", report, err)
			}
			have := d.registered(t, scope)
			for key, w := range set.byKey {
				if h := leftToDiscord(w.fields, have[key].fields); !reflect.DeepEqual(w.fields, h) {
					t.Fatalf("%s\nwas sent as %v\nand came as  %v", w.raw, w.fields, h)
				}
			}
			if report, err := SyncCommands(t.Context(), d, &memory{}, d.sim.Bot(), set, SyncOptions{}); err != nil || report.Scopes[0].Written {
				t.Fatalf("an unchanged set was written: %+v, error %v", report, err)
			}
		}
	}
	if breaches := d.sim.Breaches(); len(breaches) != 0 {
		t.Errorf("breaches: %v", breaches)
	}
}

// TestAChangeIsSeenIfDiscordSeesOne: of two declarations of one command the host
// says that they differ if, and only if, Discord answers them differently.
func TestAChangeIsSeenIfDiscordSeesOne(t *testing.T) {
	a := author{testSeed(t)}
	d := startDirect(t)
	changed, same := 0, 0
	for range rounds(2, 20) {
		before := a.scope(t, 0)
		var all []Command
		for _, w := range before.byKey {
			fields, err := readObject(w.raw)
			if err != nil {
				t.Fatal(err)
			}
			a.change(fields)
			all = append(all, Command{Plugin: "a", JSON: written(t, fields)})
		}
		after := merged(t, all...)
		mustWrite(t, d, before)
		was := d.registered(t, 0)
		mustWrite(t, d, after)
		for key, is := range d.registered(t, 0) {
			w, old := after.byKey[key], was[key]
			differs := !reflect.DeepEqual(leftToDiscord(w.fields, old.fields), leftToDiscord(w.fields, is.fields))
			if got := !sameCommand(w.fields, old.fields); got != differs {
				t.Fatalf("%s\nafter %s\nis told to differ: %v\nDiscord: %s\nafter    %s", w.raw, before.byKey[key].raw, got, is.raw, old.raw)
			}
			if differs {
				changed++
			} else {
				same++
			}
		}
	}
	if least := 20 * rounds(2, 20); changed < least || same < least {
		t.Errorf("%d changed and %d the same: the test compares too little", changed, same)
	}
}

func mustWrite(t *testing.T, d *direct, set *CommandSet) {
	t.Helper()
	if _, err := SyncCommands(t.Context(), d, &memory{}, d.sim.Bot(), set, SyncOptions{}); err != nil {
		t.Fatal(err)
	}
}

// change edits one field of a command, maybe only its spelling.
func (a author) change(fields map[string]any) {
	kind := max(intOf(fields["type"]), chatInput)
	if options := listOf(fields["options"]); len(options) > 0 && a.maybe() {
		if option, ok := options[a.IntN(len(options))].(map[string]any); ok {
			switch a.IntN(4) {
			case 0:
				option["description"] = a.text(1, 100)
			case 1:
				option["description"] = fmt.Sprintf(" %.97s ", option["description"])
			case 2:
				option["name_localizations"] = map[string]any{"de": option["name"]}
			case 3:
				slices.Reverse(listOf(option["channel_types"]))
			}
		}
		return
	}
	other := a.command(kind, 0)
	for _, key := range []string{"nsfw", "dm_permission", "contexts", "default_member_permissions", "description_localizations"} {
		if value, ok := other[key]; ok && a.IntN(3) == 0 {
			fields[key] = value
		} else if a.IntN(6) == 0 {
			delete(fields, key)
		}
	}
	slices.Reverse(listOf(fields["contexts"]))
}

// TestTheHostRefusesWhatDiscordRefuses: a command that is spoilt in one place is
// refused before it is sent if, and only if, the simulator refuses it.
func TestTheHostRefusesWhatDiscordRefuses(t *testing.T) {
	a := author{testSeed(t)}
	d := startDirect(t)
	path := fmt.Sprintf("/applications/%d/commands", d.sim.Bot())
	taken, refused := 0, 0
	for range rounds(800, 10_000) {
		kind := 1 + a.IntN(4)
		fields := a.command(kind, 0)
		if kind == chatInput {
			fields["options"] = a.options(optionGroup)
		}
		a.spoil(fields)
		raw := written(t, fields)
		key := keyOf(0, must(canonical(raw, false)))
		ours := checkCommand(raw, false, key.kind)
		status, answer, err := d.Do(t.Context(), http.MethodPut, path, written(t, []any{fields}))
		if err != nil {
			t.Fatal(err)
		}
		theirs := status == http.StatusBadRequest && strings.Contains(string(answer), `"code":50035`)
		if theirs != (ours != nil) {
			t.Fatalf("%s\nours: %v\nDiscord: %d %s", raw, ours, status, answer)
		}
		if theirs {
			refused++
		} else {
			taken++
		}
	}
	if taken < 100 || refused < 100 {
		t.Errorf("%d taken and %d refused: the test compares too little", taken, refused)
	}
}

func must(fields map[string]any, err error) map[string]any {
	if err != nil {
		panic(err)
	}
	return fields
}

// spoil makes one thing wrong, or not quite.
func (a author) spoil(fields map[string]any) {
	if options := listOf(fields["options"]); len(options) > 0 && a.IntN(4) > 0 {
		a.spoilOptions(fields, options)
		return
	}
	spoils := []func(){
		func() { fields["name"] = a.text(20, 50) },
		func() { fields["name"] = "Upper" },
		func() { fields["name_localizations"] = map[string]any{"de": strings.Repeat("n", 30+a.IntN(5))} },
		func() { fields["description"] = strings.Repeat("d", 98+a.IntN(5)) },
		func() { fields["description"] = " " },
		func() { fields["description_localizations"] = map[string]any{"de": strings.Repeat("d", 98+a.IntN(5))} },
		func() { fields["contexts"] = []any{} },
		func() { fields["contexts"] = []any{0, 0} },
		func() { fields["integration_types"] = []any{1} },
		func() { fields["handler"] = 1 },
		func() { fields["default_member_permissions"] = "many" },
		func() { delete(fields, "description") },
	}
	spoils[a.IntN(len(spoils))]()
}

func (a author) spoilOptions(fields map[string]any, options []any) {
	option := options[a.IntN(len(options))].(map[string]any)
	if within := listOf(option["options"]); len(within) > 0 && a.maybe() {
		a.spoilOptions(option, within)
		return
	}
	choice := map[string]any{"name": "n", "value": "v"}
	spoils := []func(){
		func() { option["name"] = a.text(1, 40) },
		func() { option["name"] = "o1" },
		func() { option["type"] = 1 + a.IntN(11) },
		func() { option["required"] = true },
		func() { option["description"] = strings.Repeat("d", a.IntN(120)) },
		func() { option["options"] = []any{map[string]any{"type": 3, "name": "x", "description": "d"}} },
		func() { option["options"] = []any{map[string]any{"type": 1, "name": "x", "description": "d"}} },
		func() { option["options"] = []any{map[string]any{"type": 2, "name": "x", "description": "d"}} },
		func() { option["choices"] = []any{choice} },
		func() { option["choices"] = []any{map[string]any{"name": "n", "value": 1.5}} },
		func() { option["choices"] = []any{map[string]any{"name": "n", "value": 2}} },
		func() {
			option["choices"] = []any{map[string]any{"name": strings.Repeat("n", 98+a.IntN(5)), "value": "v"}}
		},
		func() { option["choices"] = slices.Repeat([]any{choice}, 23+a.IntN(5)) },
		func() { option["autocomplete"] = true },
		func() { option["max_length"] = a.IntN(2) * 6001 },
		func() { option["name_localizations"] = map[string]any{"de": "Not Lower Case"} },
		func() { // many characters
			value := strings.Repeat("v", 1500)
			option["type"], option["choices"] = optionString, slices.Repeat([]any{map[string]any{"name": "n", "value": value}}, 4+a.IntN(3))
			delete(option, "options")
			delete(option, "autocomplete")
		},
		func() { // many options
			for i := range 22 + a.IntN(5) {
				fields["options"] = append(listOf(fields["options"]), map[string]any{"type": option["type"], "name": fmt.Sprint("p", i), "description": "d"})
			}
		},
	}
	spoils[a.IntN(len(spoils))]()
}
