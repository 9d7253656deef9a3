package sdk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"github.com/switchupcb/disgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// line is the plugin's way to its host: one gRPC connection over the private
// unix socket of StartRequest.
type line struct {
	conn          *grpc.ClientConn
	host          wire.HostClient
	ticket        string
	applicationID string
	userID        string
	config        *disgo.Config // of all clients
	events        tickets
	guilds        *guildReader
	uploads       chan struct{} // holds one for each upload under way
}

// maxUploads is how many uploads of a plugin are under way; further ones wait,
// so that they do not take the places of small requests at the host.
const maxUploads = 4

func openLine(r *wire.StartRequest, dial func(context.Context, string) (net.Conn, error)) (*line, error) {
	options := append(wire.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if dial != nil {
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return dial(ctx, r.GetHostSocket())
		}))
	}
	conn, err := grpc.NewClient("unix:"+r.GetHostSocket(), options...)
	if err != nil {
		return nil, fmt.Errorf("open the line to the host: %w", err)
	}
	l := &line{
		conn:          conn,
		host:          wire.NewHostClient(conn),
		ticket:        r.GetTicket(),
		applicationID: strconv.FormatUint(r.GetApplicationId(), 10),
		userID:        strconv.FormatUint(r.GetBotUserId(), 10),
		events:        tickets{open: make(map[uint64]context.Context)},
		uploads:       make(chan struct{}, maxUploads),
	}
	l.config = clientConfig(l)
	l.guilds = newGuildReader(l)
	return l, nil
}

// close ends the line and every request that is on it.
func (l *line) close() {
	_ = l.conn.Close() // fails only when it is closed already
	l.guilds.close()
}

// outgoing is ctx with what every call to the host carries.
func (l *line) outgoing(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, wire.TicketKey, l.ticket)
}

// callError says in words why a call to the host failed.
func callError(ctx context.Context, err error) error {
	// The host knows the deadline too and may end the call in the moment before
	// ctx does.
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case status.Code(err) == codes.Canceled:
		return errStops
	default:
		return errors.New(status.Convert(err).Message())
	}
}

// do carries one request to the host and back. Answers of Discord that are no
// success are answers here.
func (l *line) do(ctx context.Context, r *wire.RestRequest) (*wire.RestResponse, error) {
	send := l.small
	if len(r.GetBody()) > wire.MaxInline {
		send = l.upload
	}
	answer, err := send(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("send %s request: %w", r.GetMethod(), callError(ctx, err))
	}
	return answer, nil
}

func (l *line) small(ctx context.Context, r *wire.RestRequest) (*wire.RestResponse, error) {
	return l.host.Do(l.outgoing(ctx), r)
}

// upload hands the host the body in pieces, as soon as that has room for it.
func (l *line) upload(ctx context.Context, r *wire.RestRequest) (*wire.RestResponse, error) {
	select {
	case l.uploads <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-l.uploads }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when the way there broke off
	stream, err := l.host.Upload(l.outgoing(ctx))
	if err != nil {
		return nil, err
	}
	return wire.SendUpload(stream, r)
}

// call does a request with a JSON answer for the SDK itself.
func (l *line) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	r := &wire.RestRequest{Method: method, Path: path, Body: body}
	if body != nil {
		r.Header = map[string]string{"Content-Type": "application/json"}
	}
	answer, err := l.do(ctx, r)
	if err != nil {
		return nil, err
	}
	if !isSuccess(answer) {
		return nil, newAPIError(answer)
	}
	return answer.GetBody(), nil
}

func isSuccess(answer *wire.RestResponse) bool {
	return answer.GetStatus() >= 200 && answer.GetStatus() < 300
}

// detachedTicket is of clients that live as long as the plugin.
const detachedTicket = 0

// errEventOver is why the requests of an event's client fail after its handler.
var errEventOver = errors.New("is over: use bot.Detach() for work that outlives its handler")

// tickets tie a client to its event: disgo's Send takes no context, so each
// event's client carries a number as its Authorization header, and the number
// leads to the context of the handler, or of one call of Send. There are as many
// as events in handlers and such calls.
type tickets struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]context.Context
}

func (t *tickets) issue(ctx context.Context) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.open[t.last] = ctx //nolint:fatcontext // each has a number of its own
	return t.last
}

// issued is the last ticket.
func (t *tickets) issued() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

func (t *tickets) revoke(ticket uint64) {
	t.mu.Lock()
	delete(t.open, ticket)
	t.mu.Unlock()
}

// context of the ticket's event, false when that is over.
func (t *tickets) context(ticket uint64) (context.Context, bool) {
	if ticket == detachedTicket {
		return context.Background(), true // its requests end with the line
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx, ok := t.open[ticket]
	return ctx, ok
}

// orOver is err, or that the event is over, if that is why.
func (l *line) orOver(ticket uint64, event string, err error) error {
	if _, ok := l.events.context(ticket); !ok {
		return overError(event)
	}
	return err
}

// overError names the event that is over.
func overError(event string) error {
	return fmt.Errorf("the event %s %w", event, errEventOver)
}
