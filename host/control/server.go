package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// socketLimit is what fits everywhere into a unix socket's address: macOS has
	// 104 bytes, Linux 108, both with a zero at the end.
	socketLimit = 103
	// requestTimeout bounds the reading of a request and the writing of its answer.
	requestTimeout = 10 * time.Second
	// closeTimeout is what requests under way get when Serve's context ends.
	closeTimeout = 2 * time.Second
	// headerLimit bounds a request's header; nobody has a reason to send more.
	headerLimit = 16 << 10
)

// Server answers operators on a unix socket.
type Server struct {
	path   string
	listen net.Listener
	source Source
	log    hclog.Logger

	timeout, grace time.Duration // requestTimeout, closeTimeout
	// works is held for reading by each reload, or other lasting work, that is under
	// way. Serve's end takes it whole, when its context has ended and no other begins.
	works sync.RWMutex
}

// Listen opens the socket at path, which must lie in a private folder that this
// host owns: a socket that is already there is taken for a killed host's and
// replaced. A nil log is silent. Serve must follow, or Close.
func Listen(path string, source Source, log hclog.Logger) (*Server, error) {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	if len(path) > socketLimit {
		return nil, fmt.Errorf("control socket %s: its path has %d bytes, %d fit into a socket's address: give a shorter --state", path, len(path), socketLimit)
	}
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	listen, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open control socket %s: %w: make its folder writable, or give another --state", path, cause(err))
	}
	// The folder is private, so nobody else came in before this.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = listen.Close()
		return nil, fmt.Errorf("make control socket %s private: %w", path, err)
	}
	return &Server{path: path, listen: listen, source: source, log: log, timeout: requestTimeout, grace: closeTimeout}, nil
}

// removeSocket removes a left-over socket, and nothing that is not one.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open control socket %s: %w", path, cause(err))
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("control socket %s: another kind of file is there: remove it, or give another --state", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove left-over control socket %s: %w", path, cause(err))
	}
	return nil
}

// Path is the socket's path.
func (s *Server) Path() string { return s.path }

// Close ends a server that never served and removes its socket.
func (s *Server) Close() error { return s.listen.Close() }

// Serve answers until ctx ends, then lets requests under way finish for a moment,
// removes the socket and returns nil. A reload, or other lasting work, that is
// under way sees ctx end and is waited for. A Server serves once.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.awaitWorks()
	defer cancel() // before that
	server := &http.Server{
		Handler:           s.routes(ctx),
		ReadHeaderTimeout: s.timeout,
		ReadTimeout:       s.timeout,
		WriteTimeout:      s.timeout,
		IdleTimeout:       s.timeout,
		MaxHeaderBytes:    headerLimit,
		ErrorLog:          s.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(s.listen) }()
	select {
	case err := <-ended:
		_ = server.Close() // nobody is answered by half a server
		return fmt.Errorf("serve control socket %s: %w", s.path, err)
	case <-ctx.Done():
	}
	grace, giveUp := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer giveUp()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close() // cuts what did not finish
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve control socket %s: %w", s.path, err)
	}
	return nil
}

func (s *Server) routes(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, s.source.Status())
	})
	mux.Handle("GET /metrics", newMetrics(s.source.Status))
	mux.HandleFunc("GET /v1/commands", func(w http.ResponseWriter, r *http.Request) { s.commands(ctx, w, r) })
	mux.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, r *http.Request) { s.reload(ctx, w, r) })
	mux.HandleFunc("POST /v1/shard/restart", func(w http.ResponseWriter, r *http.Request) {
		work(ctx, s, w, r, "restart of a shard", "shard and identify", s.source.RestartShard)
	})
	mux.HandleFunc("POST /v1/reshard", func(w http.ResponseWriter, r *http.Request) {
		work(ctx, s, w, r, "resharding", "shards", s.source.Reshard)
	})
	return mux
}

// awaitWorks returns when nothing lasting is under way; Serve's context has ended.
func (s *Server) awaitWorks() {
	s.works.Lock()
	s.works.Unlock() //nolint:gocritic,staticcheck // having had it is the point
}

// answer sends one JSON value.
func (s *Server) answer(w http.ResponseWriter, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		s.log.Error("encode an operator's answer", "error", err)
		http.Error(w, "answer cannot be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw) // the operator has gone: nobody to tell
}

// cause strips what net and os wrap round an error: our sentence says it already.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
