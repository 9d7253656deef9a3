package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// kept is a plugin that has v as its state.
func kept(v any) *sdk.Plugin {
	p := sdk.New("kept")
	p.State(v)
	return p
}

// saved starts the plugin and asks for its state.
func saved(t *testing.T, p *sdk.Plugin) *wire.State {
	t.Helper()
	c, _ := bare(t, p)
	start(t, c)
	state, err := c.SaveState(t.Context(), &wire.SaveStateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func restore(t *testing.T, p *sdk.Plugin, state *wire.State) error {
	t.Helper()
	c, _ := bare(t, p)
	_, err := c.RestoreState(t.Context(), state)
	return err
}

type tide struct {
	Height  int
	Names   map[string]string
	Turned  time.Time
	inner   string
	Skipped chan int `json:"-"`
}

func TestStateGoesOver(t *testing.T) {
	old := tide{Height: 7, Names: map[string]string{"1": "reef"}, Turned: time.Unix(1e9, 5).UTC(), inner: "not kept"}
	state := saved(t, kept(&old))
	if state.GetSchema() != 1 || !json.Valid(state.GetData()) {
		t.Fatalf("saved %s", state)
	}
	next := tide{inner: "of the new process", Names: map[string]string{"2": "bay"}}
	if err := restore(t, kept(&next), state); err != nil {
		t.Fatal(err)
	}
	if next.Height != 7 || !next.Turned.Equal(old.Turned) || next.inner != "of the new process" {
		t.Errorf("restored %+v", next)
	}
	if want := map[string]string{"1": "reef", "2": "bay"}; !maps.Equal(next.Names, want) {
		t.Errorf("names %v, want %v: what was not saved stays", next.Names, want)
	}
}

// locked encodes itself under its own lock, as a value does that the plugin's
// goroutines use.
type locked struct {
	mu sync.Mutex
	n  int
}

func (l *locked) MarshalJSON() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return json.Marshal(l.n)
}

func (l *locked) UnmarshalJSON(data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return json.Unmarshal(data, &l.n)
}

func TestStateOfTypesThatEncodeThemselves(t *testing.T) {
	next := new(locked)
	if err := restore(t, kept(next), saved(t, kept(&locked{n: 5}))); err != nil || next.n != 5 {
		t.Errorf("restored %d: %v", next.n, err)
	}
}

// TestNewerTypes are builds whose type has changed since.
func TestNewerTypes(t *testing.T) {
	tests := []struct {
		name string
		into any
		want string // empty: restored
	}{
		{"field added", &struct{ Height, Depth int }{}, ""},
		{"field removed", &struct{ Names map[string]string }{}, ""},
		{"field of another type", &struct{ Height string }{}, "json: cannot unmarshal number into Go struct field .Height of type string: keep a type that reads what is saved, or read it with SaveRestore (State's schema is 1)"},
		{"another type", new([]int), "json: cannot unmarshal object into Go value of type []int: keep a type that reads what is saved, or read it with SaveRestore (State's schema is 1)"},
	}
	state := saved(t, kept(&tide{Height: 7}))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := restore(t, kept(test.into), state)
			if test.want == "" && err == nil {
				return
			}
			if status.Code(err) != codes.Aborted || status.Convert(err).Message() != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestSaveRestore(t *testing.T) {
	var schemas []uint32
	form := func(schema uint32) *sdk.Plugin {
		p := sdk.New("form")
		p.SaveRestore(schema, func() ([]byte, error) { return []byte{0, 0xff, 1}, nil },
			func(had uint32, data []byte) error {
				schemas = append(schemas, had)
				if had > 1 && !bytes.Equal(data, []byte{0, 0xff, 1}) {
					t.Errorf("restored %v", data)
				}
				return nil
			})
		return p
	}
	state := saved(t, form(2))
	for _, p := range []*sdk.Plugin{form(2), form(3)} {
		if err := restore(t, p, state); err != nil {
			t.Error(err)
		}
	}
	if err := restore(t, form(3), saved(t, kept(new(int)))); err != nil {
		t.Error(err)
	}
	if len(schemas) != 3 || schemas[0] != 2 || schemas[1] != 2 || schemas[2] != 1 {
		t.Errorf("restored schemas %v, want 2, 2 and State's 1", schemas)
	}
	for _, older := range []*sdk.Plugin{form(1), kept(new(int))} {
		err := restore(t, older, state)
		if status.Code(err) != codes.Aborted || !strings.HasPrefix(status.Convert(err).Message(), "it has schema 2 and this build reads up to 1 (S") {
			t.Errorf("an older build got a newer state: %v", err)
		}
	}
	if len(schemas) != 3 {
		t.Errorf("asked for schemas %v", schemas)
	}
	if err := restore(t, form(1), new(wire.State)); status.Convert(err).Message() != "it has no schema" {
		t.Errorf("state without a schema: %v", err)
	}
}

// TestSizeOfStates is exact at the bound, and carries the largest one over.
func TestSizeOfStates(t *testing.T) {
	const most = 16 << 20
	var got int
	sized := func(size int) *sdk.Plugin {
		p := sdk.New("sized")
		p.SaveRestore(1, func() ([]byte, error) { return make([]byte, size), nil },
			func(_ uint32, data []byte) error { got = len(data); return nil })
		return p
	}
	state := saved(t, sized(most))
	if err := restore(t, sized(0), state); err != nil || got != most {
		t.Errorf("restored %d bytes: %v", got, err)
	}
	const want = "it has 16777217 bytes, and 16777216 (16 MiB) can be handed over: keep less in memory, or a database"
	c, _ := bare(t, sized(most+1))
	start(t, c)
	_, err := c.SaveState(t.Context(), &wire.SaveStateRequest{})
	if status.Code(err) != codes.ResourceExhausted || status.Convert(err).Message() != want {
		t.Errorf("saved: %v", err)
	}
	state.Data = append(state.GetData(), 0)
	if err := restore(t, sized(0), state); status.Code(err) != codes.ResourceExhausted || status.Convert(err).Message() != want {
		t.Errorf("restored: %v", err)
	}
	if err := restore(t, sized(0), saved(t, sized(0))); err != nil || got != 0 {
		t.Errorf("nothing restored: %d bytes, %v", got, err)
	}
}

func TestMistakesWithState(t *testing.T) {
	save := func() ([]byte, error) { return nil, nil }
	load := func(uint32, []byte) error { return nil }
	tests := []struct {
		name string
		do   func(*sdk.Plugin)
		want string
	}{
		{"nil", func(p *sdk.Plugin) { p.State(nil) }, "State: <nil> cannot be restored: give a pointer to what shall be kept"},
		{"nil pointer", func(p *sdk.Plugin) { p.State((*tide)(nil)) }, "State: *sdk_test.tide cannot be restored: give a pointer"},
		{"map", func(p *sdk.Plugin) { p.State(map[string]int{}) }, "State: map[string]int cannot be restored: give a pointer"},
		{"no exported fields", func(p *sdk.Plugin) { p.State(&struct{ n int }{}) }, "State: struct { n int } has no exported fields, so nothing would be kept: export them, or use SaveRestore"},
		{"no JSON", func(p *sdk.Plugin) { p.State(&struct{ C chan int }{}) }, "State: struct { C chan int } cannot be kept: json: unsupported type: chan int: leave it out with"},
		{"State twice", func(p *sdk.Plugin) { p.State(new(int)); p.State(new(int)) }, "State: the plugin has its state from State already: register one, once"},
		{"both", func(p *sdk.Plugin) { p.State(new(int)); p.SaveRestore(1, save, load) }, "SaveRestore: the plugin has its state from State already: register one, once"},
		{"both, the other way", func(p *sdk.Plugin) { p.SaveRestore(1, save, load); p.State(new(int)) }, "State: the plugin has its state from SaveRestore already: register one, once"},
		{"no schema", func(p *sdk.Plugin) { p.SaveRestore(0, save, load) }, "SaveRestore: the schema is 0: count from 1"},
		{"no save", func(p *sdk.Plugin) { p.SaveRestore(1, nil, load) }, "SaveRestore: the save function is nil"},
		{"no restore", func(p *sdk.Plugin) { p.SaveRestore(1, save, nil) }, "SaveRestore: the restore function is nil"},
		{"too late", func(p *sdk.Plugin) { p.Server(sdk.ServerConfig{}); p.State(new(int)) }, "State: the plugin is running already: register before Run"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, test.want) {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}()
			test.do(sdk.New("test"))
		})
	}
}

// TestTypesThatStateTakes holds that registration refuses none of them.
func TestTypesThatStateTakes(t *testing.T) {
	type embedded struct{ N int }
	for _, v := range []any{
		new(int), &map[string]int{}, new([]string), new(any), new(locked), new(time.Time), new(tide),
		&struct{ embedded }{}, &struct{ *locked }{}, &struct{ Error error }{errors.New("x")},
	} {
		kept(v)
	}
}
