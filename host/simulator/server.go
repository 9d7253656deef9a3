package simulator

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Server is one running Discord. Its methods may be called from any goroutine.
type Server struct {
	cfg   Config
	log   hclog.Logger
	world *world
	mint  *mint

	done    chan struct{} // closed by Close; it frees drivers that wait for room
	http    *http.Server
	served  chan error
	running sync.WaitGroup // HTTP handlers and websockets

	base, gatewayURL, resumeURL string

	buffers sync.Pool
	live    atomic.Pointer[[]*session] // sessions that events go to; replaced under mu

	mu        sync.Mutex
	closed    bool
	invited   int
	conns     map[*conn]bool
	starts    starts
	revoked   bool
	shards    int              // of the last identify
	ended     map[string]place // of sessions that are gone
	gone      []*session       // the same, and
	missed    []Missed         // what was emitted without a session: if KeepMissed is set
	mute      map[place]bool   // never READY
	fullLists map[uint64]time.Time

	breaches       breaches
	counts         counts
	requests       requestLog
	limits         *limiter
	faults         restFaults
	commands       commandStore
	interactions   interactionStore
	resumesRefused atomic.Uint64
	made           atomic.Uint64 // sessions
	aim            atomic.Int64  // shards of the sets that faults hit
}

// Start runs a Discord with this configuration until Close.
func Start(cfg Config) (*Server, error) {
	cfg = cfg.filled()
	addr, err := net.ResolveTCPAddr("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", cfg.Addr, err)
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", cfg.Addr, err)
	}
	s := newServer(cfg)
	host := l.Addr().String()
	s.base = "http://" + host + "/api/v10"
	s.gatewayURL, s.resumeURL = "ws://"+host+"/gateway", "ws://"+host+"/resume"
	if cfg.QueryURLs {
		s.gatewayURL += "/?v=10&encoding=json"
		s.resumeURL += "/?v=10&encoding=json"
	}
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: s.log.StandardLogger(nil)}
	go func() { s.served <- s.http.Serve(links{l}) }() // Close waits for it
	return s, nil
}

// newServer makes everything but the listener.
func newServer(cfg Config) *Server {
	s := &Server{
		cfg: cfg, log: cfg.Log, done: make(chan struct{}), world: newWorld(cfg.Seed, cfg.World), mint: newMint(cfg.Seed), served: make(chan error, 1),
		conns: make(map[*conn]bool), starts: newStarts(cfg), shards: cfg.Shards, ended: make(map[string]place), mute: make(map[place]bool),
		fullLists: make(map[uint64]time.Time),
	}
	s.live.Store(&[]*session{})
	s.limits = newLimiter(cfg.RateLimits)
	s.commands = newCommandStore(s.world.bot)
	s.interactions = newInteractionStore()
	return s
}

// URL is the base of the REST API with its version: http://127.0.0.1:PORT/api/v10.
func (s *Server) URL() string { return s.base }

// GatewayURL is what GET /gateway tells.
func (s *Server) GatewayURL() string { return s.gatewayURL }

// Token is the bot's token.
func (s *Server) Token() string { return s.cfg.Token }

// Bot is the id of the bot's user and of its application.
func (s *Server) Bot() uint64 { return s.world.bot }

// Close ends every connection and waits until nothing of the server is left: no goroutine, no socket.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		close(s.done)
	}
	s.closed = true
	for c := range s.conns {
		_ = c.link.Close() // its reader and its writer end with it
	}
	s.mu.Unlock()
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.served <- http.ErrServerClosed // for a second Close
	s.running.Wait()
	if err != nil {
		return fmt.Errorf("close simulator: %w", err)
	}
	return nil
}

// handler is the whole of HTTP: the gateway's two URLs and REST.
func (s *Server) handler() http.Handler {
	rest := s.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/gateway" || path == "/gateway/":
			s.serveGateway(w, r, false)
		case path == "/resume" || path == "/resume/":
			s.serveGateway(w, r, true)
		case strings.HasPrefix(path, "/api/"):
			if s.enter() {
				defer s.running.Done()
				rest.ServeHTTP(w, r)
			}
		default:
			http.NotFound(w, r)
		}
	})
}

// enter counts a handler in; false: the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

func (s *Server) track(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.connections.Add(1)
	if s.closed {
		return false
	}
	s.conns[c] = true
	return true
}

func (s *Server) untrack(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *Server) validToken(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.revoked && strings.TrimPrefix(token, "Bot ") == s.cfg.Token
}

// start takes an identify from the budget and names the rule it breaks.
func (s *Server) start(at place) Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starts.take(at, time.Now())
}

// revoke resets the token, as Discord does when session starts are exhausted: all sessions end.
func (s *Server) revoke() {
	s.mu.Lock()
	s.revoked = true
	s.mu.Unlock()
	for _, ses := range *s.live.Load() {
		s.remove(ses)
	}
}

func (s *Server) addSession(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shards = ses.shards
	list := append(slices.Clone(*s.live.Load()), ses)
	s.live.Store(&list)
}

// remove ends a session: no event goes to it any more, and it cannot be resumed.
func (s *Server) remove(ses *session) {
	ses.end(&s.cfg)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.ended[ses.id]; !again && s.cfg.KeepMissed {
		s.gone = append(s.gone, ses)
	}
	s.ended[ses.id] = ses.place()
	list := slices.DeleteFunc(slices.Clone(*s.live.Load()), func(o *session) bool { return o == ses })
	s.live.Store(&list)
}

func (s *Server) session(id string) *session {
	for _, ses := range *s.live.Load() {
		if ses.id == id {
			return ses
		}
	}
	return nil
}

// placeOfLost gives the place that a session had which is gone; shard -1 when it never was.
func (s *Server) placeOfLost(id string) place {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.ended[id]; ok {
		return at
	}
	return place{-1, 1}
}
