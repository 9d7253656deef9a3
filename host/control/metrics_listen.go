package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/hashicorp/go-hclog"
)

// Metrics answers GET /metrics on a TCP address, and nothing else: it knows neither
// the token nor what a message says, but it tells everyone who can reach it the names
// of plugins and how much happens.
type Metrics struct {
	address string
	listen  net.Listener
	server  *http.Server
}

// ListenMetrics opens the address, such as 127.0.0.1:9464. Serve must follow. A nil
// log is silent.
func ListenMetrics(address string, status func() Status, log hclog.Logger) (*Metrics, error) {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	listen, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics on %s: %w: give another --metrics, or none", address, cause(err))
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", newMetrics(status))
	return &Metrics{address: listen.Addr().String(), listen: listen, server: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       requestTimeout,
		MaxHeaderBytes:    headerLimit,
		ErrorLog:          log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}}, nil
}

// Address is where it listens.
func (m *Metrics) Address() string { return m.address }

// Serve answers until ctx ends, and closes the address.
func (m *Metrics) Serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = m.server.Close() })()
	if err := m.server.Serve(m.listen); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics on %s: %w", m.address, err)
	}
	return nil
}
