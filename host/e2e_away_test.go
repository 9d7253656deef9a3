package host_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestPluginThatDoesNotComeUpMissesNothing: the only plugin, whose intents no other
// needs, is broken when the host is started again. The sessions are resumed all the
// same, and what it asked for when it last ran waits until it is mended.
func TestPluginThatDoesNotComeUpMissesNothing(t *testing.T) {
	for name, hurt := range map[string]func(t *testing.T, file string){
		"exits": func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"not executable": func(t *testing.T, file string) {
			if err := os.Chmod(file, 0o644); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of its time is waiting
			const guilds, each = 2, 10
			sim := discord(t, simulator.Config{World: simulator.World{Guilds: guilds}})
			sent := 0
			say := func() {
				for range each {
					for _, g := range sim.Guilds() {
						sim.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(sent))
					}
					sent++
				}
			}
			o, files := recorders(t, 1, nil)
			h := start(t, sim, o)
			say()
			h.handled(files, guilds*sent)
			h.stop()
			say()

			file := filepath.Join(h.plugins, "recorder-0")
			hurt(t, file)
			o.again, o.plugins = h, nil
			h = launch(t, sim, o)
			h.await("the session is resumed and the plugin is away", func(s control.Status) bool {
				return len(s.Shards) == 1 && s.Shards[0].State == "ready" && len(s.Plugins) == 1 && s.Plugins[0].State == "waiting"
			})
			say()
			h.await("what it asked for waits", func(s control.Status) bool { return s.Plugins[0].Queued == guilds*(sent-each) })

			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			install(t, h.plugins, "recorder-0", recorder)
			for _, step := range h.reload(control.ReloadOptions{}).Steps {
				if step.Result != control.ResultDone {
					t.Errorf("%+v", step)
				}
			}
			say()
			h.handled(files, guilds*sent)
			if n := witness(t, files[0], guilds, guilds*sent); n != 0 {
				t.Errorf("%d came again", n)
			}
			resumedOnly(t, sim, 1)
			h.stop()
		})
	}
}
