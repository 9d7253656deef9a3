package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// answerLimit bounds an answer: a host with thousands of plugins stays below.
const answerLimit = 16 << 20

// ErrNotRunning says that no host answers on a control socket.
var ErrNotRunning = errors.New("no holdfast answers")

// GetStatus asks the host behind the control socket for its status. The error
// wraps [ErrNotRunning] if there is none. It waits as long as ctx allows.
func GetStatus(ctx context.Context, socket string) (Status, error) {
	var status Status
	err := get(ctx, socket, "/v1/status", &status)
	return status, err
}

func get(ctx context.Context, socket, path string, into any) error {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://holdfast"+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask holdfast: %w", err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return explain(ctx, socket, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("read holdfast's answer on %s: %w", socket, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("holdfast answered %s to %s: %s", response.Status, path, strings.TrimSpace(string(raw)))
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decode holdfast's answer to %s: %w: use the same version as the running host", path, err)
	}
	return nil
}

func explain(ctx context.Context, socket string, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("wait for holdfast on %s: %w: it hangs, or the machine is overloaded", socket, ctx.Err())
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w on %s: start one with holdfast run", ErrNotRunning, socket)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("open %s: %w: ask as the user that runs holdfast", socket, os.ErrPermission)
	default:
		return fmt.Errorf("ask holdfast on %s: %w", socket, cause(err))
	}
}
