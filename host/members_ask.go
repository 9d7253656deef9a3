package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Discord's bounds of a request for members (its documentation, "Request Guild
// Members"). A name has at most 32 characters, so a longer query finds nobody.
const (
	maxMembersUsers = 100
	maxMembersQuery = 100 // members that a query finds
	maxQueryText    = 32  // characters

	intentGuildMembers   = 1 << 1
	intentGuildPresences = 1 << 8
)

// membersAsk is what is asked for; those who ask for the same have equal ones.
type membersAsk struct {
	guild     uint64
	users     string // ids, ascending, with commas between; "" for none
	query     string
	limit     uint32 // of a query
	presences bool
}

// newMembersAsk checks what a plugin asks for, for sessions that have these
// intents: what Discord would not answer is refused.
func newMembersAsk(r *wire.MembersRequest, intents uint64) (membersAsk, error) {
	ask := membersAsk{guild: r.GetGuild(), query: r.GetQuery(), limit: r.GetLimit(), presences: r.GetPresences()}
	ids := slices.Clone(r.GetUsers())
	slices.Sort(ids)
	ids = slices.Compact(ids)
	texts := make([]string, len(ids))
	for n, id := range ids {
		texts[n] = strconv.FormatUint(id, 10)
	}
	ask.users = strings.Join(texts, ",")
	switch {
	case ask.guild == 0:
		return ask, errors.New("members of guild 0: there is none: give the id of a guild")
	case len(ids) > 0 && ids[0] == 0:
		return ask, errors.New("user 0: there is none: give ids of users")
	case len(ids) > maxMembersUsers:
		return ask, fmt.Errorf("%d users: Discord takes at most %d: ask several times", len(ids), maxMembersUsers)
	case len(ids) > 0 && (ask.query != "" || ask.limit != 0):
		return ask, errors.New("users and a query: Discord takes one of them: ask twice")
	case ask.query == "" && ask.limit != 0:
		return ask, errors.New("a limit without a query: give a query, or no limit for the whole list")
	case ask.limit > maxMembersQuery:
		return ask, fmt.Errorf("limit %d: a query finds at most %d members: make it longer", ask.limit, maxMembersQuery)
	case utf8.RuneCountInString(ask.query) > maxQueryText:
		return ask, fmt.Errorf("a query of more than %d characters: no name is so long: give the beginning of one", maxQueryText)
	case ask.full() && intents&intentGuildMembers == 0:
		return ask, missingIntent("the whole list of a guild's members", "GUILD_MEMBERS", "Server Members Intent")
	case ask.presences && intents&intentGuildPresences == 0:
		return ask, missingIntent("members' presences", "GUILD_PRESENCES", "Presence Intent")
	}
	if ask.query != "" && ask.limit == 0 {
		ask.limit = maxMembersQuery
	}
	return ask, nil
}

func missingIntent(what, intent, toggle string) error {
	return fmt.Errorf("%s: the sessions do not have the intent %s: call Intents(disgo.FlagIntent%s) before Run, switch the %s on in Discord's developer portal, then run holdfast reload --reidentify, with which nothing is missed",
		what, intent, intent, toggle)
}

// full says whether the whole list is asked for, which Discord sends once in
// 30 s.
func (a *membersAsk) full() bool { return a.users == "" && a.query == "" }

// payload is Discord's "Request Guild Members Structure".
func (a *membersAsk) payload(nonce string) (json.RawMessage, error) {
	d := map[string]any{"guild_id": strconv.FormatUint(a.guild, 10), "presences": a.presences, "nonce": nonce}
	if a.users != "" {
		d["user_ids"] = strings.Split(a.users, ",")
	} else {
		d["query"], d["limit"] = a.query, a.limit
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode the request for members: %w", err)
	}
	return raw, nil
}
