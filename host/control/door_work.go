package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// work answers an operator's request for something that lasts. ctx is Serve's and
// not the request's: the work ends with the server, never with the operator.
func work[T any](ctx context.Context, s *Server, w http.ResponseWriter, r *http.Request, name, fields string, do func(context.Context, T, func(string)) error) {
	var what T
	if err := readObject(http.MaxBytesReader(w, r.Body, requestLimit), &what, "the request for a "+name, fields); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.works.RLock()
	defer s.works.RUnlock()
	if ctx.Err() != nil {
		http.Error(w, "nothing done: holdfast is stopping", http.StatusConflict)
		return
	}
	t := &teller{server: s, name: name, w: w, door: http.NewResponseController(w)}
	t.end(do(ctx, what, t.line))
}

// teller passes on what is told of one work. It belongs to the goroutine of the
// request.
type teller struct {
	server *Server
	name   string
	w      http.ResponseWriter
	door   *http.ResponseController
	begun  bool // an answer is under way, and it is 200
	gone   bool // nobody listens any more
}

func (t *teller) line(text string) {
	if !t.gone {
		t.send(Progress{Line: text})
	}
	if t.gone {
		t.server.log.Info("the "+t.name+" goes on, and its operator has gone", "did", text)
	}
}

// end says how it went. What is turned down before anything was done is answered
// as any other request.
func (t *teller) end(refusal error) {
	switch {
	case t.gone:
	case refusal == nil:
		t.send(Progress{Done: true})
	case t.begun:
		t.send(Progress{Error: refusal.Error()})
	default:
		t.inTime()
		http.Error(t.w, refusal.Error(), http.StatusConflict)
		t.gone = t.door.Flush() != nil
	}
	switch {
	case !t.gone:
	case refusal != nil:
		t.server.log.Warn("the "+t.name+" has failed, and its operator has gone", "error", refusal)
	default:
		t.server.log.Info("the " + t.name + " has ended, and its operator has gone")
	}
}

func (t *teller) send(p Progress) {
	raw, err := json.Marshal(p)
	if err != nil {
		t.server.log.Error("encode a line for an operator", "error", err)
		return
	}
	if !t.begun {
		t.begun = true
		t.w.Header().Set("Content-Type", "application/x-ndjson")
	}
	t.inTime()
	if _, err = t.w.Write(append(raw, '\n')); err == nil {
		err = t.door.Flush()
	}
	t.gone = err != nil
}

// inTime lets the time-out for operators that do not read begin anew: it has been
// running since the request came.
func (t *teller) inTime() {
	if err := t.door.SetWriteDeadline(time.Now().Add(t.server.timeout)); err != nil {
		t.server.log.Warn("answer to a "+t.name+" may be cut", "error", err)
	}
}

// readObject reads exactly one JSON object with known keys: a misspelt dry_run
// must not reload anything.
func readObject(body io.Reader, into any, what, fields string) error {
	raw, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("decode %s: %w: send %s as a JSON object", what, err, fields)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("decode %s: there is more than one JSON object: send one", what)
	}
	return nil
}
