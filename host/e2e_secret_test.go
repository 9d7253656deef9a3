package host_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const (
	spy = "./host/testdata/spy"
	// nobody is an ordinary user: root reads everything, whatever the host does.
	nobody = 65534
)

// TestTokenStaysWithTheHost runs host and plugins as an ordinary user, lets a
// plugin look for the token, and looks for it in what the host writes.
func TestTokenStaysWithTheHost(t *testing.T) {
	const token = "a-token-that-nobody-else-may-see"
	sim := discord(t, simulator.Config{Token: token})
	base, err := os.MkdirTemp("", "hf-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	folders := &running{plugins: filepath.Join(base, "plugins"), state: filepath.Join(base, "state")}
	if err := os.Mkdir(folders.plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(base, "report")
	h := start(t, sim, options{
		plugins: map[string]string{"spy": spy},
		env:     map[string]map[string]string{"spy": {"TARGET": token, "REPORT": report}},
		args:    []string{"--log-level", "trace"},
		again:   folders,
		prepare: func(cmd *exec.Cmd, _ *running) {
			if os.Getuid() != 0 {
				return // we are an ordinary user ourselves
			}
			if err := filepath.Walk(base, func(path string, _ fs.FileInfo, err error) error {
				if err != nil {
					return err
				}
				return os.Chown(path, nobody, nobody)
			}); err != nil {
				t.Fatal(err)
			}
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
			cmd.Dir = base
		},
	})
	g := sim.Guilds()[0]
	sim.Say(g.ID, g.Channels[0], g.Members[0], "look round")
	h.await("the spy has reported", func(control.Status) bool {
		raw, err := os.ReadFile(report)
		return err == nil && strings.HasSuffix(string(raw), "done\n")
	})
	found := read(t, report)
	for _, look := range []string{"own environment: not found", "environment of the host: ", "memory of the host: "} {
		if !strings.Contains(found, look) {
			t.Errorf("the spy did not report %q", look)
		}
	}
	if strings.Contains(found, "FOUND") {
		t.Errorf("the spy found the token:\n%s", found)
	}
	h.stop()
	if strings.Contains(h.log.String(), token) {
		t.Error("the token is in the log")
	}
	err = filepath.Walk(h.state, func(path string, info fs.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		if strings.Contains(read(t, path), token) {
			t.Errorf("the token is in %s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOpenFilesStayWithTheHost: what the host was started with open, such as a
// token file, is not inherited by plugins.
func TestOpenFilesStayWithTheHost(t *testing.T) {
	sim := discord(t, simulator.Config{})
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte(sim.Token()), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(secret)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	o, _ := recorders(t, 1, nil)
	o.prepare = func(cmd *exec.Cmd, _ *running) { cmd.ExtraFiles = []*os.File{file} }
	h := start(t, sim, o)
	for _, pid := range append(children(t, h.cmd.Process.Pid), h.pids()...) {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil || len(links) == 0 {
			t.Fatalf("files of process %d: %v, %v", pid, links, err)
		}
		for _, link := range links {
			if to, _ := os.Readlink(link); to == secret {
				t.Errorf("process %d has the token file open as %s", pid, link)
			}
		}
	}
	h.stop()
}
