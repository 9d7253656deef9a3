package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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
	err := ask(ctx, socket, http.MethodGet, "/v1/status", http.NoBody, &status)
	return status, err
}

// Reload asks the host behind the control socket to reload plugins and returns
// what became of each; the error is for a request that was turned down as a whole,
// and wraps [ErrNotRunning] if there is no host. It waits as long as ctx allows.
// A reload that has begun goes on when ctx ends: only the report is lost.
func Reload(ctx context.Context, socket string, o ReloadOptions) (ReloadReport, error) {
	var report ReloadReport
	raw, err := json.Marshal(o)
	if err != nil {
		return report, fmt.Errorf("ask for a reload: %w", err)
	}
	err = ask(ctx, socket, http.MethodPost, "/v1/reload?asker="+url.QueryEscape(o.Asker), bytes.NewReader(raw), &report)
	if err != nil && ctx.Err() != nil {
		return report, fmt.Errorf("wait for the reload: %w: if it has begun it goes on, and holdfast's log tells how it went", ctx.Err())
	}
	return report, err
}

// ask reads a whole answer.
func ask(ctx context.Context, socket, method, path string, body io.Reader, into any) error {
	answer, err := open(ctx, socket, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	raw, err := io.ReadAll(io.LimitReader(answer, answerLimit))
	if err != nil {
		return fmt.Errorf("read holdfast's answer on %s: %w", socket, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decode holdfast's answer to %s: %w: use the same version as the running host", path, err)
	}
	return nil
}

// open sends a request and returns the body of an answer that is well; its
// caller closes it.
func open(ctx context.Context, socket, method, path string, body io.Reader) (io.ReadCloser, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://holdfast"+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask holdfast: %w", err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, explain(ctx, socket, err)
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("read holdfast's answer on %s: %w", socket, err)
	}
	said := strings.TrimSpace(string(raw))
	switch response.StatusCode {
	case http.StatusConflict: // the host's own sentence
		return nil, errors.New(said)
	case http.StatusNotFound:
		return nil, fmt.Errorf("the running holdfast does not know %s: it is another version: restart it with this one", path)
	default:
		return nil, fmt.Errorf("holdfast answered %s to %s: %s", response.Status, path, said)
	}
}

func explain(ctx context.Context, socket string, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("wait for holdfast on %s: %w: it hangs, or the machine is overloaded", socket, ctx.Err())
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w on %s: start one with holdfast run", ErrNotRunning, socket)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("holdfast on %s ended before it answered: its log tells why", socket)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("open %s: %w: ask as the user that runs holdfast", socket, os.ErrPermission)
	default:
		return fmt.Errorf("ask holdfast on %s: %w", socket, cause(err))
	}
}
