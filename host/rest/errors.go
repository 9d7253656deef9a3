package rest

import "errors"

// What Do may answer beside an error of the network or of the caller's context. Every one comes wrapped with the request's
// method and route; the route names no ids and no tokens.
var (
	// ErrUnauthorized follows a 401 on the bot's token. Discord resets the token of a bot that goes on, so nothing is sent
	// any more until a new gate is made.
	ErrUnauthorized = errors.New("Discord refused the token (401): nothing more is sent; check DISCORD_TOKEN or --token-file and restart") //nolint:staticcheck // begins with a name
	// ErrClosed follows Close.
	ErrClosed = errors.New("the gate is closed: the host is stopping")
	// ErrQueueFull says that a bound of the queue is reached.
	ErrQueueFull = errors.New("too many requests are waiting: send fewer, or slower")
	// ErrWaited says that the request's turn did not come within [Config.Wait].
	ErrWaited = errors.New("its turn did not come in time: Discord's rate limit allows no more; send fewer, or slower")
	// ErrLimited says that Discord answered 429 time after time although each was waited out.
	ErrLimited = errors.New("Discord goes on answering 429: look for another program that uses this token") //nolint:staticcheck // begins with a name
	// ErrInvalidBudget says that so many answers of the last ten minutes were 401, 403 or 429 that going on risks a ban.
	ErrInvalidBudget = errors.New("too many refused requests (401, 403, 429) in the last 10 minutes, stopped before Discord bans this address: look in the log for who sends them") //nolint:lll // one sentence
	// ErrRequest says that the request is none that the gate would send: method, path, header or size.
	ErrRequest = errors.New("the host does not send this request")
	// ErrTooLarge says that Discord's answer is larger than [Config.ResponseBytes].
	ErrTooLarge = errors.New("the answer is larger than the gate holds")
	// ErrUncertain says that a request which must not be repeated broke off after it was sent: it may have been carried out.
	ErrUncertain = errors.New("the connection broke after the request was sent, so it may have been carried out: look before sending it again")
)
