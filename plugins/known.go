package plugins

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"google.golang.org/protobuf/proto"
)

// What a plugin declares outlives the host: one that does not come up at a start is
// then, as after a crash, a plugin that is away. Its events wait in the journal, its
// intents are asked for, its commands stay, and it is tried again.

const knownEnding = ".manifest"

// knownPath is where the manifest of the plugin in the file of this name is kept, ""
// for nowhere.
func (s *Set) knownPath(file string) string {
	if s.config.Known == "" {
		return ""
	}
	return filepath.Join(s.config.Known, file+knownEnding)
}

// remember keeps what the plugin's build declares, which has begun.
func (p *Plugin) remember() {
	p.mu.Lock()
	m, path := p.manifest, p.set.knownPath(p.file.Name)
	p.mu.Unlock()
	if path == "" {
		return
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err == nil {
		if before, failed := readSaved(path); failed == nil && bytes.Equal(before, raw) {
			return
		}
		err = writeWhole(path, raw)
	}
	if err != nil {
		p.log.Warn("what the plugin declares is not remembered: if it does not come up at the next start of the host its events do not wait for it", "error", err)
	}
}

// recall is what the plugin in the file of this name declared when it last ran, nil if
// nobody knows.
func (s *Set) recall(file string) *wire.Manifest {
	path := s.knownPath(file)
	if path == "" {
		return nil
	}
	raw, err := readSaved(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	m := new(wire.Manifest)
	if err == nil {
		err = proto.Unmarshal(raw, m)
	}
	if err == nil {
		err = checkManifest(m)
	}
	if err != nil {
		s.config.Log.Warn("what a plugin declared before cannot be read: its events do not wait for it", "file", path, "error", err)
		return nil
	}
	return m
}

// disremember forgets what the plugin in the file of this name declared.
func (s *Set) disremember(file string) {
	if path := s.knownPath(file); path != "" {
		s.removeKnown(path)
	}
}

func (s *Set) removeKnown(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.config.Log.Warn("what a removed plugin declared is not forgotten", "file", path, "error", err)
	}
}

// sweepKnown removes what plugins declared from the files whose names are fit for it.
func (s *Set) sweepKnown(fit func(file string) bool) {
	if s.config.Known == "" {
		return
	}
	entries, err := os.ReadDir(s.config.Known)
	if err != nil {
		s.config.Log.Warn("what plugins that are gone declared is not forgotten", "error", err)
		return
	}
	for _, e := range entries {
		if e.Type().IsRegular() && fit(e.Name()) {
			s.removeKnown(filepath.Join(s.config.Known, e.Name()))
		}
	}
}

// asBefore says whether a build that comes up declares what is known of the plugin. What
// else it declares nobody has checked against the others: a reload does.
func (p *Plugin) asBefore(m *wire.Manifest) error {
	p.mu.Lock()
	begun, before := p.generation > 0, p.manifest
	p.mu.Unlock()
	if begun {
		return nil
	}
	known, now := proto.CloneOf(before), proto.CloneOf(m)
	known.Version, known.Sdk, now.Version, now.Sdk = "", "", "", ""
	if !proto.Equal(known, now) {
		return fmt.Errorf("start plugin %s: it comes up now, and declares something else than the build that ran before: holdfast reload takes it", p.Name())
	}
	return nil
}
