package host_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// actor lets things happen in guilds, by dice. What it changes carries a number
// that only grows, so that no state comes twice.
type actor struct {
	sim    *simulator.Server
	dice   *rand.Rand
	guilds []uint64
	stands []standing
	number int
}

// standing is whether the bot is in a guild, and the guild there.
type standing uint8

const (
	inGuild standing = iota
	inOutage
	outOfGuild
)

func newActor(sim *simulator.Server, seed uint64) *actor {
	a := &actor{sim: sim, dice: rand.New(rand.NewPCG(seed, 2))}
	for _, g := range sim.Guilds() {
		a.guilds = append(a.guilds, g.ID)
	}
	a.stands = make([]standing, len(a.guilds))
	return a
}

// act does something in a guild: in the first ones often, in the last ones rarely.
func (a *actor) act() {
	share := a.dice.Float64()
	i := int(share * share * float64(len(a.guilds)))
	id := a.guilds[i]
	a.number++
	switch {
	case a.stands[i] == inOutage:
		a.sim.Restore(id)
		a.stands[i] = inGuild
		return
	case a.stands[i] == outOfGuild:
		a.sim.Return(id)
		a.stands[i] = inGuild
		return
	case a.dice.IntN(60) == 0:
		a.sim.Outage(id)
		a.stands[i] = inOutage
		return
	case a.dice.IntN(80) == 0:
		a.sim.Remove(id)
		a.stands[i] = outOfGuild
		return
	}
	g, ok := a.sim.Guild(id)
	if !ok {
		return
	}
	a.change(&g)
}

// mend ends outages, and brings the bot back everywhere but to every third guild
// that it is out of.
func (a *actor) mend() (gone map[uint64]bool) {
	gone = make(map[uint64]bool)
	for i, id := range a.guilds {
		switch {
		case a.stands[i] == inOutage:
			a.sim.Restore(id)
		case a.stands[i] == outOfGuild && a.dice.IntN(3) == 0:
			gone[id] = true
			continue
		case a.stands[i] == outOfGuild:
			a.sim.Return(id)
		}
		a.stands[i] = inGuild
	}
	return gone
}

func oneOf[T any](dice *rand.Rand, list []T) (one T) {
	if len(list) > 0 {
		one = list[dice.IntN(len(list))]
	}
	return one
}

// change does one of the things that happen in a guild. What is not there any
// more is refused by the simulator, and then nothing happens.
func (a *actor) change(g *simulator.Guild) {
	name := fmt.Sprintf("%d of %d", a.number, a.dice.IntN(1000))
	channel, thread, role := oneOf(a.dice, g.Channels), oneOf(a.dice, g.Threads), oneOf(a.dice, g.Roles)
	switch a.dice.IntN(20) {
	case 0:
		a.sim.RenameGuild(g.ID, name)
	case 1:
		a.sim.CreateChannel(g.ID, name)
	case 2, 3:
		a.sim.ChangeChannel(g.ID, channel, name, "about "+name)
	case 4:
		a.sim.SetOverwrites(g.ID, channel, simulator.Overwrite{ID: role, Allow: uint64(a.number)}, simulator.Overwrite{ID: g.Members[0], Member: true, Deny: 8})
	case 5:
		if len(g.Channels) > 2 {
			a.sim.DeleteChannel(g.ID, g.Channels[1+a.dice.IntN(len(g.Channels)-1)]) // one is to talk in
		}
	case 6, 7:
		a.sim.CreateThread(g.ID, channel, name)
	case 8:
		a.sim.ChangeChannel(g.ID, thread, name, "")
	case 9:
		a.sim.Archive(g.ID, thread, a.dice.IntN(2) == 0)
	case 10:
		a.sim.JoinThread(g.ID, thread, a.dice.IntN(3) > 0)
	case 11:
		if len(g.Threads) > 3 {
			a.sim.DeleteChannel(g.ID, thread)
		}
	case 12:
		a.sim.CreateRole(g.ID, name, uint64(a.number))
	case 13:
		a.sim.ChangeRole(g.ID, role, name, uint64(a.number)<<20)
	case 14:
		if len(g.Roles) > 2 {
			a.sim.DeleteRole(g.ID, g.Roles[1+a.dice.IntN(len(g.Roles)-1)])
		}
	case 15:
		a.sim.SetEmojis(g.ID, "one", fmt.Sprint("emoji_", a.number))
		a.sim.SetStickers(g.ID, name)
	case 16:
		a.sim.ChangeMember(g.ID, a.sim.Bot(), name, g.Roles[:1+a.dice.IntN(len(g.Roles))])
	case 17:
		a.sim.ChangeMember(g.ID, oneOf(a.dice, g.Members), name, nil)
	case 18:
		a.sim.Leave(g.ID, a.sim.Join(g.ID, 0))
	default:
		a.sim.Say(g.ID, g.Channels[0], g.Owner, name)
	}
}
