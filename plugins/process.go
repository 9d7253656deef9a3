package plugins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// starter starts all processes from one goroutine that never leaves its
// thread: Pdeathsig fires when the starting thread ends, not the process.
type starter struct {
	requests chan startRequest
	quit     chan struct{}
	done     chan struct{}
}

type startRequest struct {
	cmd    *exec.Cmd
	answer chan error
}

func newStarter() *starter {
	s := &starter{requests: make(chan startRequest), quit: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *starter) run() {
	defer close(s.done)
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	for {
		select {
		case r := <-s.requests:
			r.answer <- r.cmd.Start()
		case <-s.quit:
			return
		}
	}
}

func (s *starter) start(cmd *exec.Cmd) error {
	r := startRequest{cmd: cmd, answer: make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.answer
	case <-s.done:
		return errors.New("the host stops")
	}
}

// close ends the thread, and with it every child that is still alive.
func (s *starter) close() {
	close(s.quit)
	<-s.done
}

// process is one running plugin process and all that it forks: they share a
// process group and end together. It is go-plugin's runner.Runner.
type process struct {
	path     string
	cmd      *exec.Cmd
	starter  *starter
	guardian *guardian
	log      hclog.Logger
	printed  io.Writer // what comes on standard output after the handshake

	stdout, stderr *os.File
	exited         chan struct{} // closed when the whole group has been killed and the process reaped
	exit           error         // of cmd.Wait, once exited is closed

	mu     sync.Mutex
	pid    int  // 0 until started
	reaped bool // pid is not ours any more
	killed bool
}

// newProcess prepares path to run under name, without standard input. Its
// environment is set before Start.
func newProcess(path, name string, s *starter, g *guardian, printed io.Writer, log hclog.Logger) *process {
	cmd := exec.Command(path) //nolint:noctx // its end is Kill, which takes the whole group
	cmd.Args = []string{name} // a hash in the list of processes says nothing
	cmd.SysProcAttr = childAttributes()
	return &process{path: path, cmd: cmd, starter: s, guardian: g, log: log, printed: printed, exited: make(chan struct{})}
}

// Start implements runner.Runner. A process that was killed before does not
// start.
func (p *process) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		close(p.exited)
		return fmt.Errorf("start %s: %w", p.path, context.Canceled)
	}
	if err := p.startPiped(); err != nil {
		close(p.exited)
		return fmt.Errorf("start %s: %w", p.path, unwrapPath(err))
	}
	p.pid = p.cmd.Process.Pid
	p.guardian.watch(p.pid)
	go p.reap(p.pid)
	return nil
}

func (p *process) startPiped() error {
	stdout, childOut, err := os.Pipe()
	if err != nil {
		return err
	}
	defer childOut.Close()
	stderr, childErr, err := os.Pipe()
	if err != nil {
		stdout.Close()
		return err
	}
	defer childErr.Close()
	p.cmd.Stdout, p.cmd.Stderr = childOut, childErr
	if err := p.starter.start(p.cmd); err != nil {
		stdout.Close()
		stderr.Close()
		return err
	}
	p.stdout, p.stderr = stdout, stderr
	return nil
}

// reap waits for the process and kills what it forked while its number still
// belongs to it. go-plugin reads the pipes to their end, so they must not stay
// open in a grandchild.
func (p *process) reap(pid int) {
	defer close(p.exited)
	waitExited(pid)
	p.mu.Lock()
	p.killGroup()
	p.reaped = true
	p.mu.Unlock()
	p.exit = p.cmd.Wait()
	p.guardian.forget(pid)
	// The pipes end with the group, but for what left it (setsid) and holds
	// them on: go-plugin waits for their end, and nobody else closes them.
	time.AfterFunc(exitMargin, func() {
		p.stdout.Close()
		p.stderr.Close()
	})
}

func (p *process) killGroup() {
	if err := syscall.Kill(-p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM) {
		p.log.Warn("kill process group", "pid", p.pid, "error", err)
	}
}

// Kill implements runner.Runner: it kills the whole group and may be called
// at any time.
func (p *process) Kill(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	if p.pid != 0 && !p.reaped {
		p.killGroup()
	}
	return nil
}

// Wait implements runner.Runner.
func (p *process) Wait(context.Context) error {
	<-p.exited
	return p.exit
}

// Stdout implements runner.Runner: it gives go-plugin the line with the
// handshake.
func (p *process) Stdout() io.ReadCloser { return &handshakeLine{from: p.stdout, rest: p.printed} }

// Stderr implements runner.Runner.
func (p *process) Stderr() io.ReadCloser { return p.stderr }

// Name implements runner.Runner.
func (p *process) Name() string { return p.path }

// ID implements runner.Runner.
func (p *process) ID() string {
	pid := p.number()
	if pid == 0 {
		return ""
	}
	return strconv.Itoa(pid)
}

func (p *process) number() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Diagnose implements runner.Runner. The host tells why in its own words.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner: host and plugin share a file system.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
