package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"github.com/switchupcb/disgo"
)

// maxReasons bounds how many of Discord's reasons an error names.
const maxReasons = 5

// APIError is an answer of Discord's REST API that is not a success. Bot's own
// methods, Send and SendOnly return it, and errors.As finds it. disgo's Send
// hides it in an error that cannot be unwrapped: disgo.ErrorRequest is a struct
// with neither Unwrap nor As. AsAPIError finds it there, and so does errors.As
// in that struct's field Err.
type APIError struct {
	// Status is the HTTP status.
	Status int
	// Code is Discord's JSON error code, 0 if the answer had none (Discord's
	// documentation, "Opcodes and Status Codes").
	Code int
	// Message is Discord's, or the HTTP status in words.
	Message string
	// Errors is Discord's tree of what is wrong with which field, nil if none.
	Errors json.RawMessage
}

func newAPIError(answer *wire.RestResponse) *APIError {
	e := &APIError{Status: int(answer.GetStatus())}
	var body struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(answer.GetBody(), &body) == nil {
		e.Code, e.Message, e.Errors = body.Code, body.Message, body.Errors
	}
	return e
}

// Error names Discord's reasons, at most five.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "discord answered %d", e.Status)
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (%d)", e.Code)
	}
	var tree map[string]any
	if len(e.Errors) > 0 && json.Unmarshal(e.Errors, &tree) == nil {
		reasons := flatten("", tree, nil)
		if len(reasons) > maxReasons {
			reasons = append(reasons[:maxReasons], fmt.Sprintf("and %d more", len(reasons)-maxReasons))
		}
		for n, reason := range reasons {
			b.WriteString([...]string{": ", "; "}[min(n, 1)] + reason)
		}
	}
	return b.String()
}

// flatten collects the messages of an error tree, each after its path.
func flatten(path string, tree map[string]any, into []string) []string {
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		switch v := tree[key].(type) {
		case map[string]any:
			into = flatten(path+"."+key, v, into)
		case []any:
			for _, each := range v {
				if reason, ok := each.(map[string]any); ok {
					into = append(into, fmt.Sprintf("%s: %v", strings.TrimPrefix(path, "."), reason["message"]))
				}
			}
		}
	}
	return into
}

// AsAPIError finds Discord's answer in an error, also in one that disgo's Send
// returned.
func AsAPIError(err error) (*APIError, bool) {
	if api, ok := errors.AsType[*APIError](err); ok {
		return api, true
	}
	if request, ok := errors.AsType[disgo.ErrorRequest](err); ok {
		return AsAPIError(request.Err)
	}
	return nil, false
}

// tell is an error in words for a log. disgo puts URLs into its errors, and
// those of interactions and webhooks contain tokens: they never reach a log.
func tell(err error) string {
	text := err.Error()
	if request, ok := errors.AsType[disgo.ErrorRequest](err); ok && request.Err != nil {
		text = strings.ReplaceAll(text, request.Error(), "send request: "+request.Err.Error())
	}
	return mask(text)
}

// mask hides the token in each path /interactions/ID/TOKEN and
// /webhooks/ID/TOKEN of a text.
func mask(text string) string {
	for _, root := range []string{"/interactions/", "/webhooks/"} {
		done := 0
		for {
			at := strings.Index(text[done:], root)
			if at < 0 {
				break
			}
			at += done + len(root)
			done = at
			id := strings.IndexByte(text[at:], '/')
			if id < 0 {
				break
			}
			start := at + id + 1
			end := start
			for end < len(text) && !strings.ContainsRune("/?#\"' \t\n", rune(text[end])) {
				end++
			}
			text = text[:start] + "…" + text[end:]
		}
	}
	return text
}
