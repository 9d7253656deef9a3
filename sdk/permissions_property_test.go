package sdk

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// object is JSON as it comes.
type object = map[string]any

// reading is a second one of Discord's documentation, from the JSON, one bit at a
// time, as a person would go through the page. It shares nothing with what it
// judges.
type secondReading struct {
	guild, member, channel, parent object // parent of a thread, else nil
	user                           string
	now                            time.Time
}

// bitOf looks into a serialized number of any length; what is none has no bits.
func bitOf(number any, bit int) bool {
	digits, _ := number.(string)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	n, ok := new(big.Int).SetString(digits, 10)
	return ok && n.Bit(bit) == 1
}

func objects(list any) (all []object) {
	elements, _ := list.([]any)
	for _, e := range elements {
		if o, ok := e.(object); ok {
			all = append(all, o)
		}
	}
	return all
}

func (r *secondReading) isOneOfMine(role any) bool {
	mine, _ := r.member["roles"].([]any)
	return slices.Contains(mine, role)
}

// base is compute_base_permissions.
func (r *secondReading) base(bit int) bool {
	if r.guild["owner_id"] == r.user {
		return true
	}
	for _, role := range objects(r.guild["roles"]) {
		if role["id"] == r.guild["id"] || r.isOneOfMine(role["id"]) {
			if bitOf(role["permissions"], bit) || bitOf(role["permissions"], 3) {
				return true
			}
		}
	}
	return false
}

// bypasses is "overrides any potential permission overwrites", and is exempt from
// timeouts.
func (r *secondReading) bypasses() bool { return r.base(3) }

// explicit goes through the eight steps.
func (r *secondReading) explicit(bit int) bool {
	has := r.base(bit)
	if r.bypasses() {
		return true
	}
	from := r.channel
	if r.parent != nil {
		from = r.parent
	}
	isEveryone := func(id any) bool { return id == r.guild["id"] }
	isRole := func(id any) bool { return !isEveryone(id) && id != r.user && r.isOneOfMine(id) }
	isMember := func(id any) bool { return !isEveryone(id) && id == r.user }
	for _, whose := range []func(any) bool{isEveryone, isRole, isMember} {
		for _, step := range []string{"deny", "allow"} {
			for _, o := range objects(from["permission_overwrites"]) {
				if whose(o["id"]) && bitOf(o[step], bit) {
					has = step == "allow"
				}
			}
		}
	}
	return has
}

// has is what counts in the end.
func (r *secondReading) has(bit int) bool {
	const viewChannel, sendMessages, readHistory, connect, inThreads = 10, 11, 16, 20, 38
	if until, ok := r.member["communication_disabled_until"].(string); ok && !r.bypasses() {
		if end, err := time.Parse(time.RFC3339, until); err == nil && end.After(r.now) && bit != viewChannel && bit != readHistory {
			return false
		}
	}
	if r.channel == nil {
		return r.base(bit)
	}
	if r.bypasses() {
		return true
	}
	kind, _ := r.channel["type"].(int)
	speech := sendMessages
	if r.parent != nil {
		if speech = inThreads; bit == sendMessages {
			return false
		}
	}
	switch {
	case !r.explicit(viewChannel):
		return false
	case (kind == 2 || kind == 13) && !r.explicit(connect):
		return bit == viewChannel
	case slices.Contains([]int{12, 14, 15, 17}, bit) && !r.explicit(speech):
		return false
	}
	return r.explicit(bit)
}

func (r *secondReading) all() (p Permissions) {
	for bit := range 64 {
		if r.has(bit) {
			p |= 1 << bit
		}
	}
	return p
}

// dice make a world that is as odd as Discord's JSON may be.
type dice struct{ *rand.Rand }

func (d dice) one(of ...any) any { return of[d.IntN(len(of))] }

// number is a set: of few bits, so that things meet, now and then of an odd form.
func (d dice) number() any {
	switch d.IntN(12) {
	case 0:
		return d.one("", "-1", "seven", "12x", "0x400", nil)
	case 1:
		high := new(big.Int).Lsh(big.NewInt(d.Int64()), 64)
		return high.Add(high, new(big.Int).SetUint64(d.Uint64()&^8)).String()
	}
	bits := []int{10, 10, 10, 11, 12, 14, 15, 16, 17, 20, 20, 21, 38, 38, 4, 1}
	var p uint64
	for range d.IntN(8) {
		p |= 1 << bits[d.IntN(len(bits))]
	}
	if d.IntN(25) == 0 {
		p |= 8
	}
	return fmt.Sprint(p)
}

func (d dice) some(most int, one func() any) []any {
	list := []any{}
	for range d.IntN(most + 1) {
		list = append(list, one())
	}
	return list
}

func (d dice) overwrites() any {
	if d.IntN(10) == 0 {
		return nil
	}
	return d.some(6, func() any {
		if d.IntN(20) == 0 {
			return nil
		}
		return object{"id": d.one("100", "201", "202", "203", "204", "7", "8"), "type": d.IntN(2), "allow": d.number(), "deny": d.number()}
	})
}

func (d dice) world(now time.Time) secondReading {
	role := func(id string) any {
		return object{"id": id, "name": "role " + id, "permissions": d.number()}
	}
	r := secondReading{now: now, user: "7"}
	r.guild = object{"id": "100", "name": "Kelp", "owner_id": d.one("1", "1", "1", "1", "1", "1", "7"), "roles": []any{role("201"), role("100"), role("202"), role("203")}}
	r.member = object{"roles": d.some(4, func() any { return d.one("201", "202", "203", "204", "999", nil) })}
	if d.IntN(4) == 0 {
		r.member["communication_disabled_until"] = now.Add(time.Duration(d.IntN(200)-100) * time.Hour).Add(30 * time.Minute).Format(time.RFC3339)
	}
	if d.IntN(8) == 0 {
		return r // in the guild as a whole
	}
	r.channel = object{"id": "300", "type": d.one(0, 0, 2, 2, 4, 5, 13, 14, 15, 16), "parent_id": "299", "permission_overwrites": d.overwrites()}
	if d.IntN(4) == 0 {
		r.parent = r.channel
		r.channel = object{"id": "400", "type": d.one(10, 11, 12), "parent_id": "300", "permission_overwrites": d.overwrites()}
	}
	return r
}

// TestPermissionsAgainstASecondReading goes through random worlds, from Discord's
// JSON to the set.
func TestPermissionsAgainstASecondReading(t *testing.T) {
	rounds := 1000
	if os.Getenv("HOLDFAST_FULL") != "" {
		rounds = 50_000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := dice{rand.New(rand.NewPCG(seed, 0))}
	now := time.Now()
	var everything, nothing, other int
	for round := range rounds {
		r := d.world(now)
		got := computed(t, r)
		want := r.all()
		if got != want {
			t.Fatalf("round %d:\nguild %v\nmember %v\nchannel %v\nparent %v\ngot  %s\nwant %s", round, r.guild, r.member, r.channel, r.parent, got, want)
		}
		switch want {
		case 0:
			nothing++
		case AllPermissions:
			everything++
		default:
			other++
		}
	}
	if everything < rounds/20 || nothing < rounds/20 || other < rounds/5 {
		t.Errorf("everything %d times, nothing %d times, else %d times: the test has lost its aim", everything, nothing, other)
	}
}

// computed is what the SDK makes of the same JSON.
func computed(t *testing.T, r secondReading) Permissions {
	t.Helper()
	raw := func(v any) []byte {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	where := ""
	channels, active := []any{object{"id": "299", "type": 4, "permission_overwrites": []any{object{"id": "100", "allow": "1024", "deny": "2048"}}}}, []any{}
	if r.channel != nil {
		where = r.channel["id"].(string)
		channels = append(channels, r.channel)
	}
	if r.parent != nil {
		channels[len(channels)-1], active = r.parent, append(active, r.channel)
	}
	g, err := decodeGuild(&wire.GuildResponse{Version: 1, Guild: raw(r.guild), Channels: raw(channels), Threads: raw(active), Member: raw(r.member)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	member := new(disgo.GuildMember)
	if err := decodeObject(raw(r.member), member); err != nil {
		t.Fatal(err)
	}
	p, err := g.PermissionsOf(r.user, member, where)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
