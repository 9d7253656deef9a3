package sdktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Request is one that the plugin sent to Discord.
type Request struct {
	Method string
	Path   string // below the base, without the query
	Query  url.Values
	Header map[string]string
	Body   []byte
}

// JSON decodes the body.
func (r Request) JSON(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("decode the body of %s %s: %w", r.Method, r.Path, err)
	}
	return nil
}

// Requests are those that the plugin has sent until now, in order.
func (h *Host) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// Handle answers requests of a method whose path, below the API's base, matches
// a pattern of net/http's ServeMux: Handle("GET", "/guilds/{id}", …). It
// replaces what answered the same pattern before. Without it callbacks of
// interactions are answered by 204, new messages by the message, and all else
// by 404. Who answers GET /guilds/{id} has a host that keeps no guilds: unless
// SetGuild or MissGuild was called for it, Bot.Guild is that request.
func (h *Host) Handle(method, pattern string, answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.patterns[method+" "+pattern] = answer
	h.mux = http.NewServeMux()
	for pattern, answer := range h.patterns {
		h.mux.HandleFunc(pattern, answer)
	}
}

// JSON is an answer for Handle.
func JSON(status int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // into memory
	}
}

// admit lets calls of the plugin pass.
func admit(ctx context.Context) error {
	if md, _ := metadata.FromIncomingContext(ctx); !slices.Equal(md.Get(wire.TicketKey), []string{ticket}) {
		return status.Error(codes.Unauthenticated, "the call lacks the ticket of the plugin's start")
	}
	return nil
}

// Do implements wire.HostServer.
func (h *Host) Do(ctx context.Context, r *wire.RestRequest) (*wire.RestResponse, error) {
	if err := admit(ctx); err != nil {
		return nil, err
	}
	target, err := url.ParseRequestURI(r.GetPath())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	request, err := http.NewRequestWithContext(ctx, r.GetMethod(), target.String(), bytes.NewReader(r.GetBody()))
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	for key, value := range r.GetHeader() {
		request.Header.Set(key, value)
	}
	h.mu.Lock()
	h.requests = append(h.requests, Request{
		Method: r.GetMethod(), Path: target.Path, Query: target.Query(), Header: r.GetHeader(), Body: r.GetBody(),
	})
	mux := h.mux
	if _, pattern := mux.Handler(request); pattern == "" {
		mux = h.defaults
	}
	h.mu.Unlock()
	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, request)
	if ctx.Err() != nil {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	answer := &wire.RestResponse{Status: uint32(recorder.Code), Header: make(map[string]string), Body: recorder.Body.Bytes()}
	for key := range recorder.Header() {
		answer.Header[key] = recorder.Header().Get(key)
	}
	return answer, nil
}

// Upload implements wire.HostServer.
func (h *Host) Upload(stream grpc.BidiStreamingServer[wire.UploadRequest, wire.UploadResponse]) error {
	if err := admit(stream.Context()); err != nil {
		return err
	}
	request, err := wire.ReceiveUpload(stream, func(int) error { return nil })
	if err != nil {
		return err
	}
	answer, err := h.Do(stream.Context(), request)
	if err != nil {
		return err
	}
	return stream.Send(&wire.UploadResponse{Answer: answer})
}

func (h *Host) defaultAnswers() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /interactions/{id}/{token}/callback", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /channels/{channel}/messages", func(w http.ResponseWriter, r *http.Request) {
		message := map[string]any{"content": ""}
		_ = json.NewDecoder(r.Body).Decode(&message) // an upload is no JSON: a message without content then
		message["id"] = strconv.FormatUint(h.nextID(), 10)
		message["channel_id"] = r.PathValue("channel")
		message["timestamp"] = time.Now().UTC().Format(time.RFC3339)
		message["author"] = map[string]any{"id": BotUserID, "username": "bot", "bot": true}
		JSON(http.StatusOK, message)(w, r)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		JSON(http.StatusNotFound, map[string]any{
			"code": 0, "message": fmt.Sprintf("404: nothing answers %s %s in this test: add it with Handle", r.Method, r.URL.Path),
		})(w, r)
	})
	return mux
}
