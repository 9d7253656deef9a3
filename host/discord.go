package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/holdfast-bot/holdfast/host/rest"
)

// introduceTimeout bounds one attempt at the first requests.
// Several hosts of one bot that start together share GET /gateway/bot, of which
// Discord takes two in 5 s: some wait that long.
const introduceTimeout = 10 * time.Second

// introducePause is how long the host waits after an attempt that did not reach
// Discord, then twice as long each time, up to introduceMost: a machine may be up
// before its network is.
const (
	introducePause = time.Second
	introduceMost  = time.Minute
)

const gatewayPath = "/gateway/bot"

// bot is who the token belongs to.
type bot struct {
	id, applicationID uint64
	name              string
}

// gatewayInfo is the answer of GET /gateway/bot.
type gatewayInfo struct {
	URL               string            `json:"url"`
	Shards            int               `json:"shards"`
	SessionStartLimit sessionStartLimit `json:"session_start_limit"`
}

// sessionStartLimit is how many IDENTIFYs Discord allows the bot.
type sessionStartLimit struct {
	Total          int   `json:"total"` // in a day, over all shards
	Remaining      int   `json:"remaining"`
	ResetAfter     int64 `json:"reset_after"` // milliseconds
	MaxConcurrency int   `json:"max_concurrency"`
}

// discord is what the host must know before it can begin.
type discord struct {
	bot     bot
	gateway gatewayInfo
}

// introduce asks Discord who the bot is and where its gateway is.
func introduce(ctx context.Context, gate *rest.Gate, base string) (*discord, error) {
	ctx, cancel := context.WithTimeout(ctx, introduceTimeout)
	defer cancel()
	var d discord
	var user, application struct {
		ID       string `json:"id"`
		Username string `json:"username"`
	}
	for _, step := range []struct {
		path string
		into any
	}{{"/users/@me", &user}, {"/applications/@me", &application}, {gatewayPath, &d.gateway}} {
		if err := get(ctx, gate, step.path, step.into); err != nil {
			return nil, unreachable(ctx, base, err)
		}
	}
	var err error
	if d.bot.id, err = strconv.ParseUint(user.ID, 10, 64); err != nil {
		return nil, fmt.Errorf("read who the bot is: id %q: %w (%s)", user.ID, errNotDiscord, base)
	}
	if d.bot.applicationID, err = strconv.ParseUint(application.ID, 10, 64); err != nil {
		return nil, fmt.Errorf("read the bot's application: id %q: %w (%s)", application.ID, errNotDiscord, base)
	}
	d.bot.name = user.Username
	if d.gateway.URL == "" || d.gateway.Shards < 1 {
		return nil, fmt.Errorf("read the gateway's address: %s/gateway/bot names none: %w", base, errNotDiscord)
	}
	return &d, nil
}

// unreachable says why the first requests failed and what to do about it.
func unreachable(ctx context.Context, base string, err error) error {
	if _, network := errors.AsType[*net.OpError](err); ctx.Err() != nil || network {
		return fmt.Errorf("reach Discord at %s: %w: check the network and --api-url", base, err)
	}
	return fmt.Errorf("reach Discord at %s: %w", base, err)
}

// errNotDiscord says that something else answers.
var errNotDiscord = errors.New("is this Discord's API?")

// answerError is an answer other than 200.
type answerError struct {
	status int
	body   []byte
}

func (e *answerError) Error() string {
	if said := discordSaid(e.body); said != nil {
		return fmt.Sprintf("Discord answered %d: %v", e.status, said)
	}
	return fmt.Sprintf("answered %d: %.200q", e.status, e.body)
}

// refuses says whether an attempt has shown that others will not do either: the
// token, or the address, is wrong. All else, such as a network that is not up yet,
// may mend by itself.
func refuses(err error) bool {
	if answer, ok := errors.AsType[*answerError](err); ok {
		return answer.status < http.StatusInternalServerError && answer.status != http.StatusTooManyRequests
	}
	for _, final := range []error{errNotDiscord, rest.ErrUnauthorized, rest.ErrRequest, rest.ErrTooLarge, rest.ErrClosed} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

func get(ctx context.Context, gate *rest.Gate, path string, into any) error {
	response, err := gate.Do(ctx, &rest.Request{Caller: "host", Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	if response.Status != http.StatusOK {
		return fmt.Errorf("GET %s: %w", path, &answerError{response.Status, response.Body})
	}
	if err := json.Unmarshal(response.Body, into); err != nil {
		return fmt.Errorf("GET %s: read the answer: %w: %w", path, err, errNotDiscord)
	}
	return nil
}
