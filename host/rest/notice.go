package rest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// RecordKind says what a [Record] is of.
type RecordKind byte

// What a gate must still know after a restart.
const (
	// RecordInvalid is an answer that Discord holds against the bot's address.
	RecordInvalid RecordKind = 'i'
	// RecordWebhook is a webhook that is gone.
	RecordWebhook RecordKind = 'w'
	// RecordBan is Cloudflare's ban.
	RecordBan RecordKind = 'b'
)

// Record is one thing that a gate must still know after a restart: Discord goes on counting.
type Record struct {
	Kind RecordKind
	// At is when it happened; of a ban, when it ends.
	At time.Time
	// Caller whose request it was; of invalid requests only.
	Caller string
	// Mark is that of the request (zero: it came too often, and was not refused for what it is) or of the webhook. Nobody
	// learns a path or a token from it.
	Mark uint64
}

// notice is what an operator is told of the ledger.
type notice struct {
	all      bool // it is about all callers; caller is the worst of them
	caller   string
	standing standing
	invalid  int // of the caller
	of       int // of all
	limit    int
	route    string // of the caller's last
}

// remedies say what to do; each begins where the one before it did not help.
const remedy = "look why Discord refuses these requests (permissions, tokens of webhooks and interactions); mend the plugin, or take its file out of the plugins folder and reload"

func (g *Gate) announce(n notice) {
	at := []any{
		"plugin", n.caller, "route", n.route, "invalid", n.invalid, "of", n.of, "ban_at", n.limit, "window", ledgerWindow, "remedy", remedy,
	}
	switch {
	case n.all && n.standing == standingHard:
		g.log.Error("too many refused requests (401, 403, 429): nothing is sent any more until they are ten minutes old; most are of this plugin", at...)
	case n.all:
		g.log.Error("too many refused requests (401, 403, 429): only interactions and reads go on; most are of this plugin", at...)
	case n.standing == standingHard:
		g.log.Error("too many requests of one plugin are refused (401, 403, 429): nothing of it is sent any more until they are ten minutes old", at...)
	case n.standing == standingSoft:
		g.log.Error("too many requests of one plugin are refused (401, 403, 429): only its interactions and reads go on", at...)
	default:
		g.log.Warn("many requests of one plugin are refused (401, 403, 429): what Discord has refused is not sent again", at...)
	}
}

// stopped is the error of a request that the ledger does not let pass.
type stopped struct {
	caller   bool // because of the caller's own, not of all
	standing standing
	own, all int
}

// Is makes it an [ErrInvalidBudget].
func (stopped) Is(target error) bool { return target == ErrInvalidBudget }

// Error says what still goes.
func (e stopped) Error() string {
	goes := map[standing]string{
		standingRepeats: "this one among them, so it is not sent again",
		standingSoft:    "only interactions, and reads that were not refused, go on",
		standingHard:    "nothing is sent until they are ten minutes old",
	}[e.standing]
	if e.caller {
		return fmt.Sprintf("Discord refused %d requests of this plugin (401, 403, 429) in the last 10 minutes, %s: Discord bans an address that goes on; check what the bot may do before asking", e.own, goes)
	}
	return fmt.Sprintf("%v (%d, of these %d of this plugin; %s)", ErrInvalidBudget, e.all, e.own, goes)
}

// mark names a request by its method and path, without saying them.
func mark(words ...string) uint64 {
	sum := sha256.Sum256([]byte(strings.Join(words, " ")))
	return max(binary.BigEndian.Uint64(sum[:8]), 1)
}
