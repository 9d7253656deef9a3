package plugins

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// guardianScript keeps a list of process groups and kills them when its input
// ends, which is when the host is gone, however it died. Pdeathsig alone
// would miss what plugins fork, and is Linux only.
const guardianScript = `
groups=
while read -r sign group; do
	if [ "$sign" = + ]; then
		groups="$groups $group"
	else
		kept=
		for g in $groups; do [ "$g" = "$group" ] || kept="$kept $g"; done
		groups=$kept
	fi
done
for g in $groups; do kill -9 "-$g" 2>/dev/null; done
`

// guardian is a small shell that outlives the host by a moment. It gets its
// own process group, so that a terminal's Ctrl-C does not end it first, and
// an empty environment: it needs nothing and shall know nothing.
type guardian struct {
	cmd *exec.Cmd

	mu    sync.Mutex
	input io.WriteCloser
}

func startGuardian(start func(*exec.Cmd) error) (*guardian, error) {
	cmd := exec.Command("/bin/sh", "-c", guardianScript) //nolint:noctx // it ends when its input does
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	if err := start(cmd); err != nil {
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	return &guardian{cmd: cmd, input: input}, nil
}

// watch and forget a process group. A guardian that is gone is no reason to
// stop: Pdeathsig still stands.
func (g *guardian) watch(group int)  { g.tell('+', group) }
func (g *guardian) forget(group int) { g.tell('-', group) }

func (g *guardian) tell(sign rune, group int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintf(g.input, "%c %d\n", sign, group)
}

// close ends the guardian, and with it every group that it still watches.
func (g *guardian) close() {
	if g == nil {
		return
	}
	g.mu.Lock()
	g.input.Close()
	g.mu.Unlock()
	_ = g.cmd.Wait() // its exit code says nothing
}
