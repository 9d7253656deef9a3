package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// lineLimit bounds one line of progress.
const lineLimit = 1 << 20

// RestartShard asks the host behind the control socket to replace the connection
// of a shard, and tells what is done as it is done. It returns when the shard is
// ready again; the error wraps [ErrNotRunning] if there is no host. What has
// begun goes on when ctx ends.
func RestartShard(ctx context.Context, socket string, o ShardRestart, tell func(line string)) error {
	return follow(ctx, socket, "/v1/shard/restart", "restart of the shard", o, tell)
}

// AskReshard asks the host behind the control socket to change the number of
// shards, and tells what is done as it is done. It returns when that is done, or
// why it is not; the error wraps [ErrNotRunning] if there is no host. What has
// begun goes on when ctx ends.
func AskReshard(ctx context.Context, socket string, to Reshard, tell func(line string)) error {
	return follow(ctx, socket, "/v1/reshard", "resharding", to, tell)
}

// follow asks for lasting work and tells its progress.
func follow(ctx context.Context, socket, path, name string, what any, tell func(string)) error {
	raw, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("ask for the %s: %w", name, err)
	}
	body, err := open(ctx, socket, http.MethodPost, path, bytes.NewReader(raw))
	if err == nil {
		err = listen(body, socket, tell)
		body.Close()
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("wait for the %s: %w: if it has begun it goes on, and holdfast's log tells how it went", name, ctx.Err())
	}
	return err
}

// listen tells each line until the last one.
func listen(body io.Reader, socket string, tell func(string)) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, lineLimit)
	for lines.Scan() {
		var p Progress
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return fmt.Errorf("decode holdfast's progress: %w: use the same version as the running host", err)
		}
		switch {
		case p.Error != "":
			return errors.New(p.Error)
		case p.Done:
			return nil
		}
		tell(p.Line)
	}
	return fmt.Errorf("holdfast on %s ended before it was done: its log tells why", socket)
}
