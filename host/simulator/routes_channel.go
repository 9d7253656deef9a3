package simulator

import "time"

// channelRoutes are channels, threads and typing.
func channelRoutes() []route {
	return []route{
		{name: "GET " + pathChannel, handle: getChannel, limit: readLimit()},
		{name: "PATCH " + pathChannel, handle: patchChannel, limit: perFive()},
		{name: "DELETE " + pathChannel, handle: deleteChannel, limit: perFive()},
		{name: "POST " + pathChannel + "/typing", handle: postTyping, limit: perFive()},
		{name: "POST " + pathChannel + "/threads", handle: postThread, limit: perFive()},
		{name: "POST " + pathMessage + "/threads", handle: postThread, limit: perFive()},
	}
}

func getChannel(q *query) answer {
	return q.inChannel(func(g *guildState, id uint64) answer { return q.channel(g, id) })
}

func patchChannel(q *query) answer {
	m, bad := q.form(channelShape(false))
	if m == nil {
		return bad
	}
	return q.inChannel(func(g *guildState, id uint64) answer {
		ch := g.keep().find(id)
		ch.change(m)
		if g.id != 0 {
			q.s.emitChannel(g, ch, "UPDATE")
		}
		return q.channel(g, id)
	})
}

func deleteChannel(q *query) answer {
	return q.inChannel(func(g *guildState, id uint64) answer {
		a := q.channel(g, id)
		if g.id != 0 {
			q.s.deleteChannelLocked(g, id)
		}
		return a
	})
}

func postTyping(q *query) answer {
	return q.inChannel(func(g *guildState, id uint64) answer {
		q.s.emit(g, "TYPING_START", func(o *jsonOut) {
			o.open('{')
			o.id("channel_id", id)
			o.id("user_id", q.s.world.bot)
			o.num("timestamp", time.Now().Unix())
			o.guildID(g)
			if g.id != 0 {
				o.key("member")
				o.memberObject(q.s, g.someone(q.s.world.bot))
			}
			o.shut('}')
		})
		return empty()
	})
}

func postThread(q *query) answer {
	m, bad := q.form(shape{
		"name": {kind: isString, required: true, min: 1, max: 100}, "type": {kind: isInt, min: 10, max: 12},
		"auto_archive_duration": {kind: isInt, max: 10080}, "rate_limit_per_user": {kind: isInt, max: 21600},
	})
	if m == nil {
		return bad
	}
	return q.inChannel(func(g *guildState, id uint64) answer {
		if g.id == 0 || g.kindOf(id) != kindText {
			return problem(400, 50024, "Cannot execute action on this channel type")
		}
		if text := q.r.PathValue("message"); text != "" && g.room(id).find(q.id("message")) == nil {
			return unknown(10008, "Message")
		}
		ch := channel{kind: kindThread, parent: id, owner: q.s.world.bot}
		ch.change(m)
		ch.parent = id
		a := q.channel(g, q.s.channelLocked(g, ch))
		a.status = 201
		return a
	})
}
