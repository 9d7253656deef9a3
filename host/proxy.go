package host

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/state"
	"golang.org/x/net/netutil"
)

const (
	// proxyCaller is the gate's caller of programs that use the proxy; no plugin can be
	// called so. Requests that are authorised by an interaction's or a webhook's token,
	// and may come without the key, are another's, so that they cannot use up what the
	// key's owner may do wrong.
	proxyCaller   = "rest proxy"
	keylessCaller = "rest proxy, without its key"

	// proxyRequests bounds the requests inside the proxy; with proxyWhole it bounds the
	// memory of their bodies. proxyKeyless bounds those without the key, which have places
	// of their own.
	proxyRequests = 1024
	proxyKeyless  = 128
	// proxyConnections bounds the connections; further ones wait in the kernel, and cost
	// the host no open file.
	proxyConnections = 2048
	// proxyWhole is the size in bytes up to which a body is read before its request
	// enters the gate, which may then repeat it. Larger ones are streamed.
	proxyWhole = 256 << 10

	proxyHeaderTimeout = 10 * time.Second
	proxyBodyTimeout   = 30 * time.Second
	proxyAnswerTimeout = time.Minute // for the largest answer, 16 MiB
	proxyIdleTimeout   = 2 * time.Minute
	proxyHeaderBytes   = 64 << 10
	// proxyStop is how long requests may go on when the host stops.
	proxyStop = 2 * time.Second
)

// proxy is the gate for other programs: they speak to it as to Discord's API, with a
// key in place of the token.
type proxy struct {
	gate   *rest.Gate
	key    string
	base   string // path of the API, such as /api/v10
	places chan struct{}
	// keyless are the places of requests without the key.
	keyless chan struct{}
	log     hclog.Logger
}

// openProxy listens, if the settings say where.
func (h *Host) openProxy(folder *state.State, gate *rest.Gate, owner bot) (closeProxy func() error, err error) {
	settings := h.config.Settings
	if settings.RestProxy == "" {
		return func() error { return nil }, nil
	}
	key, err := folder.ProxyKey(func() string { return inventKey(owner.id) })
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(settings.APIURL)
	if err != nil {
		return nil, fmt.Errorf("API address: %w", err)
	}
	listen, err := listenProxy(settings.RestProxy, settings.RestProxyReach)
	if err != nil {
		return nil, err
	}
	log := h.log.Named("proxy")
	p := newProxy(gate, key, apiPath.FindString(base.Path), log)
	server := proxyServer(p, log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listen) }()
	log.Info("programs may use the gate as Discord's API: the key stands in for the bot's token",
		"address", "http://"+listen.Addr().String()+p.base, "key_file", folder.ProxyKeyPath())
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), proxyStop)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() // what is under way has had its time
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the REST proxy: %w", err)
		}
		return nil
	}, nil
}

func proxyServer(p *proxy, log hclog.Logger) *http.Server {
	return &http.Server{
		Handler: p, ReadHeaderTimeout: proxyHeaderTimeout, IdleTimeout: proxyIdleTimeout, MaxHeaderBytes: proxyHeaderBytes,
		ErrorLog: log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

func newProxy(gate *rest.Gate, key, base string, log hclog.Logger) *proxy {
	return &proxy{
		gate: gate, key: key, base: base, log: log,
		places: make(chan struct{}, proxyRequests), keyless: make(chan struct{}, proxyKeyless),
	}
}

// inventKey makes a key that has a token's form: some libraries read the bot's id from
// what stands before the first dot.
func inventKey(bot uint64) string {
	return base64.RawStdEncoding.EncodeToString([]byte(strconv.FormatUint(bot, 10))) + ".holdfast." + rand.Text()
}

func listenProxy(address, reach string) (net.Listener, error) {
	listen, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the REST proxy on %s: %w: give another --rest-proxy, or none", address, err)
	}
	// A name may lead anywhere.
	if at, ok := listen.Addr().(*net.TCPAddr); reach != reachAny && (!ok || !at.IP.IsLoopback()) {
		_ = listen.Close() // nobody has used it
		return nil, beyondLoopback(address)
	}
	return netutil.LimitListener(listen, proxyConnections), nil
}

const (
	reachLoopback = "loopback"
	reachAny      = "any"
)

func beyondLoopback(address string) error {
	return fmt.Errorf("%s can be reached from other machines, and whoever has the key there is the bot: give an address like 127.0.0.1:8080, or --rest-proxy-reach any", address)
}

// checkProxy judges the address before anything listens on it.
func (s Settings) checkProxy() error {
	if s.RestProxy == "" || s.RestProxyReach == reachAny {
		return nil
	}
	name, _, err := net.SplitHostPort(s.RestProxy)
	if err != nil {
		return nil //nolint:nilerr // which the setting's own check tells
	}
	if ip := net.ParseIP(name); name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("setting rest_proxy: %w", beyondLoopback(s.RestProxy))
	}
	return nil
}
