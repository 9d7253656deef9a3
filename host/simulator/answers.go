package simulator

import "encoding/json"

// Answers are what REST tells of a guild at one moment.
type Answers struct {
	Guild    json.RawMessage // GET /guilds/{guild}?with_counts=true
	Channels json.RawMessage // GET /guilds/{guild}/channels
	Threads  json.RawMessage // GET /guilds/{guild}/threads/active
	Member   json.RawMessage // GET /guilds/{guild}/members/{the bot}
}

// Answers tells what REST would answer of a guild now, whatever failures and limits there are. False: the bot is not
// in it.
func (s *Server) Answers(guild uint64) (a Answers, ok bool) {
	ok = guild != 0 && s.in(guild, func(g *guildState) {
		a.Guild = s.built(func(o *jsonOut) { o.restGuild(g, true) })
		a.Channels = s.built(func(o *jsonOut) { o.restChannels(g) })
		a.Threads = s.built(func(o *jsonOut) { o.activeThreads(s, g) })
		a.Member = s.built(func(o *jsonOut) { o.restMember(s, g.someone(s.world.bot)) })
	})
	return a, ok
}

// built gives what build writes for an answer of REST.
func (s *Server) built(build func(o *jsonOut)) []byte {
	o := s.scratch()
	o.rest = true
	build(o)
	return s.finish(o)
}

func (o *jsonOut) restGuild(g *guildState, counts bool) {
	o.open('{')
	o.guild(g, g.view(), false)
	if counts {
		o.num("approximate_member_count", int64(g.count))
		o.num("approximate_presence_count", int64((g.count+1)/2))
	}
	o.shut('}')
}

func (o *jsonOut) restChannels(g *guildState) {
	c := g.view()
	o.open('[')
	for i := range c.channels {
		o.open('{')
		o.channel(&c.channels[i], g.lastMessage(c.channels[i].id), false)
		o.shut('}')
	}
	o.shut(']')
}

// activeThreads lists the threads, and the bot's members of those that it has joined beside them.
func (o *jsonOut) activeThreads(s *Server, g *guildState) {
	c := g.view()
	o.open('{')
	o.key("threads")
	o.open('[')
	for i := range c.threads {
		if !c.threads[i].archived {
			o.open('{')
			o.channel(&c.threads[i], g.lastMessage(c.threads[i].id), false)
			o.shut('}')
		}
	}
	o.shut(']')
	o.key("members")
	o.open('[')
	for i := range c.threads {
		if th := &c.threads[i]; !th.archived && th.botSince != 0 {
			o.open('{')
			o.threadMember(s, th)
			o.shut('}')
		}
	}
	o.shut(']')
	o.raw(`"has_more":false`)
	o.shut('}')
}
