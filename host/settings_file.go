package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/holdfast-bot/holdfast/cache"
)

const (
	// settingsFile is read when no other is named and it is there.
	settingsFile = "holdfast.yaml"
	// settingsLimit bounds a settings file in bytes: a larger one is another file.
	settingsLimit = 1 << 20
)

// LoadSettings layers the settings file over the defaults and the environment
// (NAME=value entries) over both. An empty file name stands for holdfast.yaml in
// the working folder, if there is one; a named file must exist. Relative paths
// in the file are relative to its folder.
//
// All faults are told at once, joined, those of the file with its line. The
// settings are returned as far as they could be read even then.
func LoadSettings(file string, environ []string) (Settings, error) {
	s := Settings{}.WithDefaults()
	optional := file == ""
	if optional {
		file = settingsFile
	}
	var faults []error
	raw, err := os.ReadFile(file)
	switch {
	case err == nil:
		faults = append(faults, takeFile(&s, file, raw))
	case optional && errors.Is(err, os.ErrNotExist):
	case errors.Is(err, os.ErrNotExist):
		faults = append(faults, fmt.Errorf("settings file %s is missing: create it, or give another --config", file))
	default:
		faults = append(faults, fmt.Errorf("read settings file %s: %w: make it readable for this user, or give another --config", file, bare(err)))
	}
	faults = append(faults, takeEnvironment(&s, environ))
	return s, errors.Join(faults...)
}

// fileReader walks a settings file's tree and collects what is wrong with it.
type fileReader struct {
	name   string
	folder string
	faults []error
}

func takeFile(s *Settings, name string, raw []byte) error {
	r := &fileReader{name: name, folder: filepath.Dir(name)}
	if len(raw) > settingsLimit {
		r.faultf(nil, "the file is longer than %d bytes: give the settings file with --config", settingsLimit)
		return errors.Join(r.faults...)
	}
	// Keys that come twice are found below, where all faults are collected.
	file, err := parser.ParseBytes(bytes.TrimPrefix(raw, []byte("\ufeff")), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return r.syntax(err)
	}
	for i, doc := range file.Docs {
		if i > 0 {
			r.faultf(doc.Start, "a second document begins here: keep all settings in one, without ---")
			break
		}
		if doc.Body != nil && doc.Body.Type() != ast.CommentType && doc.Body.Type() != ast.NullType {
			r.settings(doc.Body, s)
		}
	}
	return errors.Join(r.faults...)
}

func (r *fileReader) faultf(at *token.Token, format string, args ...any) {
	line := 1
	if at != nil && at.Position != nil {
		line = at.Position.Line
	}
	r.faults = append(r.faults, fmt.Errorf("%s:%d: %w", r.name, line, fmt.Errorf(format, args...)))
}

// syntax turns the parser's report, which prints the source over several lines,
// into one line.
func (r *fileReader) syntax(err error) error {
	var detail interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &detail) {
		r.faultf(detail.GetToken(), "not valid YAML: %s", strings.ReplaceAll(detail.GetMessage(), "\n", " "))
	} else {
		r.faultf(nil, "not valid YAML: %s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return errors.Join(r.faults...)
}

// settings reads the top level.
func (r *fileReader) settings(node ast.Node, s *Settings) {
	v := reflect.ValueOf(s).Elem()
	fields := map[string]settingField{}
	known := []string{"plugins"}
	for f := range settingFields() {
		fields[f.key] = f
		known = append(known, f.key)
	}
	r.each(node, "", known, func(key string, value ast.Node) {
		if key == "plugins" {
			s.Plugins = r.plugins(value)
			return
		}
		f := fields[key]
		read := r.scalar
		switch f.kind {
		case "list":
			read = r.list
		case "lists":
			read = r.lists
		}
		read(key, value, func(text string) error {
			return f.parse(f.beside(r.folder, text), v.FieldByIndex(f.index))
		})
	})
}

// plugins reads the map of plugins by name.
func (r *fileReader) plugins(node ast.Node) map[string]PluginSettings {
	if text, ok := scalarText(node); ok {
		r.faultf(node.GetToken(), "plugins holds settings by plugin name, not %q: the folder is plugins_dir", text)
		return nil
	}
	all := map[string]PluginSettings{}
	r.each(node, "plugins", nil, func(name string, value ast.Node) {
		path := "plugins." + name
		var p PluginSettings
		r.each(value, path, []string{"env", "env_file"}, func(key string, value ast.Node) {
			switch key {
			case "env":
				p.Env = r.variables(path+".env", value)
			case "env_file":
				r.scalar(path+".env_file", value, func(text string) error {
					p.EnvFile = settingField{kind: "path"}.beside(r.folder, text)
					return nil
				})
			}
		})
		all[name] = p
	})
	return all
}

func (r *fileReader) variables(path string, node ast.Node) map[string]string {
	env := map[string]string{}
	r.each(node, path, nil, func(name string, value ast.Node) {
		r.scalar(path+"."+name, value, func(text string) error {
			if err := checkVariable(name, text); err != nil {
				return err
			}
			env[name] = text
			return nil
		})
	})
	return env
}

// each calls do for every key of a mapping. With known keys, any other is a fault.
func (r *fileReader) each(node ast.Node, path string, known []string, do func(key string, value ast.Node)) {
	var entries []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return
	default:
		what := path
		if what == "" {
			what = "the file"
		}
		r.faultf(node.GetToken(), "%s must hold lines like name: value", what)
		return
	}
	seen := map[string]int{}
	for _, entry := range entries {
		at := entry.Key.GetToken()
		key, ok := scalarText(entry.Key)
		if !ok {
			r.faultf(at, "%s is not a plain name", entry.Key.String())
			continue
		}
		if line, twice := seen[key]; twice {
			r.faultf(at, "%s is already set in line %d: remove one", joinPath(path, key), line)
			continue
		}
		seen[key] = at.Position.Line
		if known != nil && !slices.Contains(known, key) {
			r.unknown(at, path, key, known)
			continue
		}
		do(key, entry.Value)
	}
}

func (r *fileReader) unknown(at *token.Token, path, key string, known []string) {
	if near := nearest(key, known, max(2, len(key)/2)); near != "" {
		r.faultf(at, "unknown setting %s: did you mean %s?", joinPath(path, key), near)
		return
	}
	r.faultf(at, "unknown setting %s: the settings here are %s", joinPath(path, key), strings.Join(slices.Sorted(slices.Values(known)), ", "))
}

// scalar hands a plain value's text to set and reports what set says.
func (r *fileReader) scalar(path string, node ast.Node, set func(text string) error) {
	text, ok := scalarText(node)
	if node.Type() == ast.NullType {
		r.faultf(node.GetToken(), "setting %s has no value: give one, or remove the line", path)
		return
	}
	if !ok {
		r.faultf(node.GetToken(), "setting %s must be one plain value", path)
		return
	}
	if err := set(text); err != nil {
		r.faultf(node.GetToken(), "setting %s: %w", path, err)
	}
}

// list is scalar for a value that may also be a list of plain ones.
func (r *fileReader) list(path string, node ast.Node, set func(text string) error) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		r.scalar(path, node, set)
		return
	}
	var all []string
	for _, value := range sequence.Values {
		text, ok := scalarText(value)
		if !ok {
			r.faultf(value.GetToken(), "setting %s must be a list of plain values", path)
			return
		}
		all = append(all, text)
	}
	if err := set(strings.Join(all, ",")); err != nil {
		r.faultf(node.GetToken(), "setting %s: %w", path, err)
	}
}

// lists is scalar for a value that may also be lists by kind of object.
func (r *fileReader) lists(path string, node ast.Node, set func(text string) error) {
	if _, plain := scalarText(node); plain || node.Type() == ast.NullType {
		r.scalar(path, node, set)
		return
	}
	var all []string
	before := len(r.faults)
	r.each(node, path, cache.KeepKinds(), func(kind string, value ast.Node) {
		r.list(joinPath(path, kind), value, func(text string) error {
			one := kind + "=" + strings.ReplaceAll(text, " ", "")
			all = append(all, one)
			return new(KeepLists).UnmarshalText([]byte(one))
		})
	})
	if len(r.faults) > before {
		return
	}
	if err := set(strings.Join(all, " ")); err != nil {
		r.faultf(node.GetToken(), "setting %s: %w", path, err)
	}
}

// scalarText returns a plain value as it is written: 010 stays 010.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
