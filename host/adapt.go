package host

import (
	"context"
	"net/http"

	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/plugins"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// gateFor is the router's view of the gate.
type gateFor struct {
	gate   *rest.Gate
	caller string
}

func restFor(gate *rest.Gate, caller string) gateFor { return gateFor{gate, caller} }

// Do implements router.REST.
func (g gateFor) Do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	request := &rest.Request{Caller: g.caller, Method: method, Path: path, Body: body}
	if body != nil {
		request.Header = http.Header{"Content-Type": {"application/json"}}
	}
	response, err := g.gate.Do(ctx, request)
	if err != nil {
		return 0, nil, err
	}
	return response.Status, response.Body, nil
}

// pluginREST carries the plugins' requests through the gate.
func pluginREST(gate *rest.Gate) plugins.REST {
	return func(ctx context.Context, caller string, r *wire.RestRequest) (*wire.RestResponse, error) {
		header := make(http.Header, len(r.GetHeader()))
		for key, value := range r.GetHeader() {
			header.Set(key, value)
		}
		response, err := gate.Do(ctx, &rest.Request{
			Caller: caller, Method: r.GetMethod(), Path: r.GetPath(), Header: header, Body: r.GetBody(),
		})
		if err != nil {
			return nil, err
		}
		out := &wire.RestResponse{Status: uint32(response.Status), Header: make(map[string]string, len(response.Header)), Body: response.Body}
		for key := range response.Header {
			out.Header[key] = response.Header.Get(key)
		}
		return out, nil
	}
}

// targets are the plugins as the router sees them.
func targets(set *plugins.Set) []router.Plugin {
	var out []router.Plugin
	for _, p := range set.Plugins() {
		out = append(out, p)
	}
	return out
}

func manifests(set *plugins.Set) []*wire.Manifest {
	var out []*wire.Manifest
	for _, p := range set.Plugins() {
		out = append(out, p.Manifest())
	}
	return out
}
