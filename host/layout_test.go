package host_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module  = "github.com/holdfast-bot/holdfast/"
	disgo   = "github.com/switchupcb/disgo"
	ristret = "github.com/dgraph-io/ristretto/v2"
	plug    = "github.com/hashicorp/go-plugin"
)

// rooms says which of our packages a room may import. "dir/..." stands for all
// below dir. Tests of a room may besides use what testRooms adds.
var rooms = map[string][]string{
	"host":           {"host/...", "plugins", "cache", "sdk/wire"},
	"host/holdfast":  {"host", "host/control", "host/simulator"},
	"host/gateway":   {},
	"host/rest":      {},
	"host/router":    {"host/gateway", "sdk/wire"}, // the event types; all else by small interfaces
	"host/state":     {},
	"host/control":   {},
	"host/simulator": {}, // a witness must not share our mistakes
	"plugins":        {"sdk/wire"},
	"cache":          {},
	"sdk":            {"sdk/wire"},
	"sdk/wire":       {},
	"sdk/sdktest":    {"sdk", "sdk/wire"},
	"examples":       {"sdk"},
}

// testRooms says what a room's tests may import beyond what the room may.
var testRooms = map[string][]string{
	"host":          {"sdk", "sdk/sdktest"},
	"host/gateway":  {"host/gateway", "host/simulator"},
	"host/rest":     {"host/rest", "host/simulator"},
	"host/router":   {"host/router", "host/rest", "host/simulator", "host/state"},
	"host/holdfast": {"host/holdfast"},
	"plugins":       {"plugins", "sdk"}, // a plugin's process is a program that uses the sdk
	"sdk":           {"sdk", "sdk/sdktest"},
	"examples":      {"sdk/sdktest", "sdk/wire"},
}

// outside says who may import what of others.
var outside = []struct {
	library string
	allowed func(file string, test bool) bool
	rule    string
}{
	{disgo, inRooms("sdk", "sdk/sdktest", "examples"), "disgo's types stay in sdk and examples: the rest forwards Discord's bytes"},
	{plug, onlyPlug, "go-plugin is imported by sdk/wire, sdk and one file of plugins"},
	{ristret, inRooms("cache"), "ristretto is imported by one file of cache"},
}

// topLevel is all that is visible in the root.
var topLevel = []string{"README.md", "Taskfile.yml", "cache", "examples", "go.mod", "go.sum", "host", "plugins", "sdk"}

func inRooms(names ...string) func(string, bool) bool {
	return func(file string, _ bool) bool { return slices.Contains(names, roomOf(path.Dir(file))) }
}

func onlyPlug(file string, test bool) bool {
	room := roomOf(path.Dir(file))
	return room == "sdk/wire" || room == "sdk" || room == "sdk/sdktest" || room == "plugins" || test && room == "host"
}

// source is one Go file and what it imports.
type source struct {
	file    string // slash-separated, from the root
	imports []string
}

func (s source) test() bool { return strings.HasSuffix(s.file, "_test.go") }

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	for _, s := range sources(t) {
		room := roomOf(path.Dir(s.file))
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s: there is no room %q in the house: add it to the table here, with what it may import", s.file, room)
			continue
		}
		if s.test() {
			allowed = slices.Concat(allowed, testRooms[room])
		}
		for _, imported := range s.imports {
			target, ours := strings.CutPrefix(imported, module)
			if ours && !permits(allowed, target) && !within(target, path.Dir(s.file), room) {
				t.Errorf("%s imports %s: room %s may import of ours only %v", s.file, target, room, allowed)
			}
		}
	}
}

func TestLibrariesStayInTheirRooms(t *testing.T) {
	files := map[string][]string{}
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			for _, o := range outside {
				if imported != o.library && !strings.HasPrefix(imported, o.library+"/") {
					continue
				}
				if !o.allowed(s.file, s.test()) {
					t.Errorf("%s imports %s: %s", s.file, imported, o.rule)
				}
				if !s.test() {
					key := roomOf(path.Dir(s.file)) + " " + o.library
					files[key] = append(files[key], s.file)
				}
			}
		}
	}
	for _, key := range []string{"plugins " + plug, "cache " + ristret} {
		if one := slices.Compact(files[key]); len(one) > 1 {
			t.Errorf("%s is imported by %d files, %v: one file of the room wraps it", strings.Fields(key)[1], len(one), one)
		}
	}
}

func TestNothingElseIsVisibleAtTheTop(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	ignored := []string{"holdfast", "bot"} // what the README builds
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) && !slices.Contains(ignored, name) {
			t.Errorf("%s is visible at the top: it belongs into a room, or under a hidden name (allowed: %v)", name, topLevel)
		}
	}
}

// The two tests above find nothing wrong in a house that they do not find.
func TestTheWalkFindsTheHouse(t *testing.T) {
	found := map[string]bool{}
	for _, s := range sources(t) {
		found[roomOf(path.Dir(s.file))] = true
	}
	for _, room := range []string{"host", "host/state", "sdk/wire"} {
		if !found[room] {
			t.Errorf("no Go file found in %s, only in %v: the walk is broken", room, slices.Sorted(maps.Keys(found)))
		}
	}
}

// roomOf is the room that a folder belongs to: the longest name in the table that
// it lies in.
func roomOf(dir string) string {
	for d := dir; d != "." && d != "/"; d = path.Dir(d) {
		if _, ok := rooms[d]; ok {
			return d
		}
	}
	return dir
}

func permits(allowed []string, target string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		if tree, ok := strings.CutSuffix(a, "/..."); ok {
			return strings.HasPrefix(target, tree+"/")
		}
		return a == target
	})
}

// within reports whether a file imports a folder of its own room, or an external
// test the package it tests.
func within(target, dir, room string) bool {
	return target == dir || roomOf(target) == room && target != room
}

// sources parses the imports of every Go file of the module. Folders that the go
// command ignores are left out, and so are modules of their own.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != ".." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || isModule(name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", name)
		if err != nil {
			return err
		}
		one := source{file: filepath.ToSlash(rel)}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			one.imports = append(one.imports, imported)
		}
		all = append(all, one)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// TestDisgoIsPinned: no other version of disgo resolves, and a later fasthttp
// needs modules that cannot be had.
func TestDisgoIsPinned(t *testing.T) {
	raw, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, pin := range []string{"github.com/switchupcb/disgo v1.10.1", "github.com/valyala/fasthttp v1.48.0"} {
		if !strings.Contains(string(raw), "\t"+pin+"\n") {
			t.Errorf("go.mod does not require %s directly", pin)
		}
	}
}
