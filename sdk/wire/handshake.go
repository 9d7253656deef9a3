package wire

import (
	"context"
	"errors"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// ProtocolVersion is the version of this contract. A host takes plugins of
// its own version only; fields and calls can be added within one version.
const ProtocolVersion = 1

const (
	// PluginKind is the name under which go-plugin serves the Plugin service.
	PluginKind = "holdfast"
	// TicketKey is the metadata key of the ticket in calls to Host.
	TicketKey = "holdfast-ticket"
	// CookieKey is the variable that tells a plugin that a host has started it.
	CookieKey = "HOLDFAST_PLUGIN"
	// CookieValue is what it says. It is no secret.
	CookieValue = "1f0c5b8e-holdfast"
	// Window is the fixed HTTP/2 window of both sides in bytes. Fixed windows
	// switch grpc's bandwidth probes off, a quarter of the CPU at low rates;
	// what may be in flight is bounded by the host's credit instead.
	Window = 8 << 20
	// MaxMessage bounds what either side takes in one message, in bytes: one
	// event of MaxEvent, with what surrounds it.
	MaxMessage = MaxEvent + 1<<20
)

// Handshake is go-plugin's handshake for both sides.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  ProtocolVersion,
		MagicCookieKey:   CookieKey,
		MagicCookieValue: CookieValue,
	}
}

// Glue is go-plugin's view of the contract. On the plugin's side Plugin is
// what it serves; on the host's side Glue is empty and dispenses a
// PluginClient.
type Glue struct {
	plugin.NetRPCUnsupportedPlugin
	Plugin PluginServer
}

var _ plugin.GRPCPlugin = (*Glue)(nil)

// GRPCServer implements plugin.GRPCPlugin.
func (g *Glue) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if g.Plugin == nil {
		return errors.New("serve plugin: no server given")
	}
	RegisterPluginServer(s, g.Plugin)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin.
func (g *Glue) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewPluginClient(conn), nil
}

// ServerOptions are the options of both grpc servers, Plugin and Host.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.InitialWindowSize(Window),
		grpc.InitialConnWindowSize(Window),
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxSendMsgSize(MaxMessage),
	}
}

// DialOptions are the options of both grpc clients.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithInitialWindowSize(Window),
		grpc.WithInitialConnWindowSize(Window),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessage),
			grpc.MaxCallSendMsgSize(MaxMessage),
		),
	}
}
