package plugins

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// callTimeout bounds Describe and Start.
	callTimeout = 10 * time.Second
	// stopGrace is how long handlers may go on when an instance is asked to
	// stop; what the host wants finished it drains before.
	stopGrace = 2 * time.Second
	// hangMargin is how much longer than a handler's deadline and the SDK's own
	// grace an acknowledgement may take before the instance counts as hung.
	hangMargin = 20 * time.Second
	// stopLimit is how long a process may take to exit when it is asked to.
	stopLimit = 2 * time.Second
	// probeTimeout is how long a process that is to be replaced and does not come to
	// an end may take to answer a question that is none.
	probeTimeout = 2 * time.Second
	// exitMargin is how long a process whose stream has ended may take to exit.
	exitMargin = time.Second
)

var (
	// errStopped ends an instance that was asked to stop.
	errStopped = errors.New("stopped")
	// errRemoved ends a plugin whose file is gone.
	errRemoved = errors.New("removed")
	// errAbsent says that there has been no instance yet.
	errAbsent = errors.New("not come up")
	// errHung ends one that acknowledges nothing.
	errHung = errors.New("hung")
)

// instance is one running process of a plugin.
type instance struct {
	generation uint64 // from begin on
	started    time.Time
	manifest   *wire.Manifest
	link       *link
	services   *services
}

// describe asks the new process what it is.
func (in *instance) describe(ctx context.Context) (*wire.Manifest, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m, err := in.link.plugin.Describe(ctx, new(wire.DescribeRequest))
	if err != nil {
		return nil, fmt.Errorf("ask for the manifest: %w", answered(err, callTimeout))
	}
	if err := checkManifest(m); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	return m, nil
}

// begin gives the process its place: from here on it may use the host.
func (in *instance) begin(ctx context.Context, c *Config) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := in.link.plugin.Start(ctx, &wire.StartRequest{
		HostSocket:       in.services.socket,
		Ticket:           in.services.ticket,
		ApplicationId:    c.ApplicationID,
		BotUserId:        c.BotUserID,
		Generation:       in.generation,
		HandlerTimeoutMs: uint64(c.HandlerTimeout.Milliseconds()),
	})
	if err != nil {
		return answered(err, callTimeout)
	}
	return nil
}

// silent says whether the process answers nothing at all: it was stopped
// (SIGSTOP), or hangs.
func (in *instance) silent(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := in.link.plugin.Describe(ctx, new(wire.DescribeRequest))
	return status.Code(err) == codes.DeadlineExceeded
}

// answered is the error of a call in the plugin's words, without grpc's.
func answered(err error, limit time.Duration) error {
	switch st, ok := status.FromError(err); {
	case !ok:
		return err
	case st.Code() == codes.DeadlineExceeded:
		return fmt.Errorf("no answer within %s", limit)
	default:
		return errors.New(st.Message())
	}
}

// serve carries events to the instance until it ends or ctx does, or an event
// is not acknowledged for as long as hang, and always returns why. Its
// goroutines end before it returns: one sends, one receives acknowledgements,
// one watches for a hang, one for the end.
//
// A swap that arrives on swaps is tried at the barrier; if it succeeds it is
// returned as the reason, and the instance has been asked to stop.
func (in *instance) serve(ctx context.Context, q *queue, swaps <-chan *swap, hang time.Duration) error {
	group, inner := errgroup.WithContext(context.WithoutCancel(ctx))
	stream, err := in.link.plugin.Events(inner, grpc.ForceCodecV2(wire.StreamCodec()))
	if err != nil {
		return fmt.Errorf("open the event stream: %w", err)
	}
	q.setAway(false)
	q.resume()
	sending, stopSending := context.WithCancel(ctx)
	defer stopSending()
	sent, received := make(chan struct{}), make(chan struct{})
	group.Go(func() error {
		defer close(sent)
		return send(sending, inner, stream, q)
	})
	group.Go(func() error {
		defer close(received)
		return receive(stream, q)
	})
	group.Go(func() error { return watchHang(inner, q, hang) })
	var swapped *swap
	group.Go(func() error {
		reason := in.untilEnd(ctx, inner, q, swaps)
		if s, ok := errors.AsType[*swap](reason); ok {
			swapped = s
		} else if !errors.Is(reason, errStopped) {
			return reason
		}
		in.askToStop()
		stopSending()
		<-sent // closing beside a send is not allowed
		_ = stream.CloseSend()
		select { // acknowledgements that are on their way
		case <-received:
		case <-time.After(exitMargin):
		}
		return reason
	})
	err = group.Wait()
	switch {
	case swapped != nil:
		return swapped
	case ctx.Err() != nil:
		return errStopped // whichever goroutine noticed first
	}
	return err
}

// untilEnd waits until the instance is to stop, for good (errStopped) or for
// the swap that it returns, or has ended by itself.
func (in *instance) untilEnd(ctx, inner context.Context, q *queue, swaps <-chan *swap) error {
	for {
		select {
		case <-ctx.Done():
			return errStopped
		case s := <-swaps:
			if in.handOver(ctx, inner, q, s) {
				return s
			}
		case <-in.link.process.exited:
			return errors.New("the process exited")
		case <-inner.Done():
			return inner.Err()
		}
	}
}

// send drains the queue into the stream: as much as there is, without waiting
// for more. An instance that is to stop (ctx) gets nothing more, but its
// stream (inner) stays for acknowledgements.
func send(ctx, inner context.Context, stream grpc.ClientStream, q *queue) error {
	var batch wire.Batch
	for ctx.Err() == nil {
		if q.take(&batch) > 0 {
			if err := stream.SendMsg(&batch); err != nil {
				return fmt.Errorf("send events: %w", err)
			}
			continue
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
		case <-inner.Done():
			return inner.Err()
		}
	}
	return nil
}

func receive(stream grpc.ClientStream, q *queue) error {
	var acks wire.Acks
	for {
		if err := stream.RecvMsg(&acks); err != nil {
			return fmt.Errorf("receive acknowledgements: %w", err)
		}
		q.ack(&acks)
	}
}

// watchHang ends an instance that acknowledges nothing for so long that its
// SDK cannot be running.
func watchHang(ctx context.Context, q *queue, limit time.Duration) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if oldest, name, ok := q.stuckSince(); ok && q.now().Sub(oldest) > limit {
				return fmt.Errorf("%w: %s not acknowledged for %s", errHung, name, limit)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// askToStop lets handlers end; their acknowledgements still arrive.
func (in *instance) askToStop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace+exitMargin)
	defer cancel()
	// A plugin that does not answer is stopped all the same.
	_, _ = in.link.plugin.Stop(ctx, &wire.StopRequest{GraceMs: uint64(stopGrace.Milliseconds())})
}

// stop asks the process to end. Nothing of the instance is left when it returns.
func (in *instance) stop() {
	in.link.stop()
	if in.services != nil {
		in.services.close()
	}
}

// crashed ends what is left of an instance that failed for a reason, and says
// what happened in the words that help most: those of the process.
func (in *instance) crashed(reason error) error {
	how := strings.TrimPrefix(in.link.end().String(), ", ")
	if in.services != nil {
		in.services.close()
	}
	switch {
	case errors.Is(reason, errHung), how == "":
		return reason
	case strings.HasPrefix(how, "it ended"):
		return errors.New(how)
	default:
		return fmt.Errorf("%w, %s", reason, how)
	}
}
