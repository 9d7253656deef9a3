package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// shown is a demo that runs, in a process of its own.
type shown struct {
	t        *testing.T
	cmd      *exec.Cmd
	temp     string
	lines    *bufio.Scanner
	said     strings.Builder
	reported chan string // all of stderr, once nobody can write to it any more
}

// showDemo starts holdfast demo. Its standard error belongs to its host as well.
func showDemo(t *testing.T, args ...string) *shown {
	t.Helper()
	// Sockets need a short path.
	temp, err := os.MkdirTemp("/tmp", "hf")
	if err != nil {
		t.Fatal(err)
	}
	s := &shown{t: t, temp: temp, reported: make(chan string, 1)}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	s.cmd = exec.CommandContext(t.Context(), "holdfast", append([]string{"demo", "-v"}, args...)...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr, s.lines = write, bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	go func() { // ended waits for it
		defer read.Close()
		all, _ := io.ReadAll(read)
		s.reported <- string(all)
	}()
	return s
}

// until reads what the demo tells until it matches, and returns the last group.
func (s *shown) until(pattern string) string {
	s.t.Helper()
	wanted := regexp.MustCompile(pattern)
	for s.lines.Scan() {
		s.said.WriteString(s.lines.Text() + "\n")
		if found := wanted.FindStringSubmatch(s.lines.Text()); found != nil {
			return found[len(found)-1]
		}
	}
	_ = s.cmd.Wait()
	s.t.Fatalf("the demo ended before it said %q:\n%s%s", pattern, s.said.String(), <-s.reported)
	return ""
}

// ended waits until the demo and its host have ended, and returns the demo's
// exit code and what was written to standard error.
func (s *shown) ended() (code int, stderr string) {
	for s.lines.Scan() {
		s.said.WriteString(s.lines.Text() + "\n")
	}
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode(), <-s.reported
}

func (s *shown) signal(pid int, what syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(pid, what); err != nil {
		s.t.Fatal(err)
	}
}

// left checks that nothing lies where the demo had its files.
func (s *shown) left() {
	s.t.Helper()
	if names, err := filepath.Glob(filepath.Join(s.temp, "*")); err != nil || len(names) > 0 {
		s.t.Errorf("left behind: %v, %v", names, err)
	}
}

// Ctrl-C while the host is dead: the act is finished, and the demo comes to its
// verdict.
func TestDemoInterruptedWhileItsHostIsDead(t *testing.T) {
	s := showDemo(t)
	leaves := s.until(`welcome got (\d+) leaves`)
	s.until(`kill -9 of the host \(process \d+\)`)
	s.signal(s.cmd.Process.Pid, syscall.SIGINT)
	code, stderr := s.ended()
	if code != exitOK {
		t.Fatalf("exit code %d:\n%s%s", code, s.said.String(), stderr)
	}
	for _, want := range []string{
		`the host is back as process \d+, .*: [2-9] shards resumed, 0 IDENTIFYs`,
		`nothing from before the kill is lost`,
		`there was no time for .*a leave`,
		`host       1 times killed`,
		`sessions   2 identifies`,
		`mass bans  ` + leaves + ` left`,
		`nothing lost, nothing twice, everything in order`,
	} {
		if !regexp.MustCompile(want).MatchString(s.said.String()) {
			t.Errorf("%q is missing in\n%s", want, s.said.String())
		}
	}
	if n, _ := strconv.Atoi(leaves); n < 1000 {
		t.Errorf("%s people left, want a mass", leaves)
	}
	s.left()
}

func TestDemoWhoseHostEndsByItselfFails(t *testing.T) {
	s := showDemo(t)
	pid, err := strconv.Atoi(s.until(`its host is process (\d+)`))
	if err != nil {
		t.Fatal(err)
	}
	s.signal(pid, syscall.SIGKILL)
	code, stderr := s.ended()
	if code != exitFailure || !strings.Contains(stderr, "holdfast: the host has ended by itself: signal: killed") {
		t.Errorf("exit code %d:\n%s%s", code, s.said.String(), stderr)
	}
	s.left()
}

// The host ends with the demo, however that ends: the test hangs if it does not.
func TestDemoThatIsKilledLeavesNoHost(t *testing.T) {
	s := showDemo(t)
	s.until(`its host is process (\d+)`)
	s.signal(s.cmd.Process.Pid, syscall.SIGKILL)
	if code, stderr := s.ended(); code != -1 {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
	dropDeadDemos(s.temp) // as the next demo does
	s.left()
}

// The folder of a demo that lives stays, and so does what is not a demo's.
func TestDeadDemosAreDropped(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	living, remove, err := newDemoFolder()
	if err != nil {
		t.Fatal(err)
	}
	strange := filepath.Join(os.TempDir(), demoFolder+"of-before") // it has no lock
	dead := filepath.Join(os.TempDir(), demoFolder+"dead")
	for _, dir := range []string{strange, dead} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := holdFolder(dead)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(os.TempDir(), demoFolder+"link")
	if err := os.Symlink(living, link); err != nil {
		t.Fatal(err)
	}
	left := func(want ...string) {
		t.Helper()
		dropDeadDemos(os.TempDir())
		got, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("left %q, want %q (%v)", got, want, err)
		}
	}
	left(living, strange, dead, link)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	left(living, strange, link)
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	left(strange, link)
}

func TestWitness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recorded")
	w := newWitness(path)
	w.read() // there is no file yet
	var file bytes.Buffer
	for _, part := range []string{"7 1 first\n7 3 fi", "rst\n7 2 first\n8 1", "0 first\n7 3 again\n", "7 4 again\n7 3 first\n", "7 9"} {
		file.WriteString(part)
		if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		w.read()
	}
	if len(w.times) != 5 || w.again != 2 || w.repeated != 1 || w.twice != 1 || w.disorder != 1 {
		t.Errorf("%d messages, %d again, %d of them repeated, %d twice, %d in disorder", len(w.times), w.again, w.repeated, w.twice, w.disorder)
	}
	if n := w.missing(map[uint64][]uint64{7: {1, 2, 3, 9}, 8: {10, 11}}); n != 2 {
		t.Errorf("%d missing, want 2", n)
	}
}

func TestVerdict(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*totals)
		want   bool
	}{
		"all well":        {func(*totals) {}, true},
		"marked":          {func(t *totals) { t.witness.again, t.witness.repeated = 5, 5 }, true},
		"silence":         {func(t *totals) { t.said = 0 }, false},
		"lost":            {func(t *totals) { t.lost = 1 }, false},
		"twice":           {func(t *totals) { t.witness.twice = 1 }, false},
		"disorder":        {func(t *totals) { t.witness.disorder = 1 }, false},
		"identified anew": {func(t *totals) { t.identifies++ }, false},
		"429":             {func(t *totals) { t.limited = 1 }, false},
		"flaw":            {func(t *totals) { t.flaws = 1 }, false},
		"breach":          {func(t *totals) { t.breaches = []string{"x"} }, false},
		"no answer":       {func(t *totals) { t.unanswered = 1 }, false},
		"reload":          {func(t *totals) { t.reloadFaults = 1 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			totals := &totals{said: 1, identifies: demoShards, witness: newWitness("")}
			test.change(totals)
			var out bytes.Buffer
			if err := totals.report(newNarrator(&out)); (err == nil) != test.want {
				t.Errorf("got %v, want well: %v", err, test.want)
			}
		})
	}
}

func TestIDInAPath(t *testing.T) {
	for path, want := range map[string]uint64{
		"/guilds/12?with_counts=true": 12, "/guilds/12": 12, "/guilds/12/channels": 12, "/channels/34/messages": 34,
		"/users/@me": 0, "/gateway": 0, "": 0,
	} {
		if got := idIn(path); got != want {
			t.Errorf("%q: %d, want %d", path, got, want)
		}
	}
}
