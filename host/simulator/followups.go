package simulator

import "net/http"

// interactionRoutes are what carries an interaction's token: it needs no Authorization and is exempt from the
// global limit.
func interactionRoutes() []route {
	const messages = pathWebhook + "/messages"
	return []route{
		{name: "POST /interactions/{interaction}/{token}/callback", handle: postCallback, limit: perSecond(), exempt: true, top: "token"},
		{name: "POST " + pathWebhook, handle: postFollowUp, limit: webhookLimit(), exempt: true},
		{name: "GET " + messages + "/{message}", handle: getFollowUp, limit: webhookLimit(), exempt: true, group: "webhook messages"},
		{name: "PATCH " + messages + "/{message}", handle: patchFollowUp, limit: webhookLimit(), exempt: true, group: "webhook messages"},
		{name: "DELETE " + messages + "/{message}", handle: deleteFollowUp, limit: webhookLimit(), exempt: true, group: "webhook messages"},
	}
}

// withInteraction runs look with the interaction of the webhook's token and its guild locked.
func (q *query) withInteraction(look func(i *Interaction, g *guildState) answer) answer {
	i := q.s.interactions.get(q.r.PathValue("token"))
	if i == nil || q.id("application") != q.s.world.bot {
		q.s.breach(RuleInteraction, -1, q.rt.name)
		return unknown(10015, "Webhook")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case q.now.Sub(i.Created) > tokenLife:
		q.s.breach(RuleFollowUp, -1, i.describe())
		return problem(http.StatusUnauthorized, 50027, "Invalid Webhook Token")
	case i.kind == 0:
		q.s.breach(RuleUnacknowledged, -1, i.describe())
		return unknown(10015, "Webhook")
	}
	a := unknown(10015, "Webhook")
	q.s.in(i.Guild, func(g *guildState) { a = look(i, g) })
	return a
}

// postFollowUp sends one more message. After a deferral the first one takes the place of the message that shows
// that the bot is thinking.
func postFollowUp(q *query) answer {
	form, bad := q.form(messageShape())
	if form == nil {
		return bad
	}
	return q.withInteraction(func(i *Interaction, g *guildState) answer {
		data := q.body
		if thinking := i.original; thinking != nil && thinking.flags&flagLoading != 0 && !i.gone {
			if bad := q.edit(g, thinking, form); bad.status != 0 {
				return bad
			}
			i.note(i.heard("followup", thinking, data))
			return q.message(g, thinking)
		}
		m, bad := q.build(form, i.Channel)
		if m == nil {
			return bad
		}
		m.cause, m.webhook = i, true
		if i.original != nil {
			m.kind, m.reference = 19, &reference{message: i.original.id, channel: i.Channel}
		}
		q.s.place(g, m)
		i.note(i.heard("followup", m, data))
		return q.message(g, m)
	})
}

func (i *Interaction) heard(action string, m *message, data []byte) Answer {
	return Answer{Action: action, Data: data, Message: m.id, Content: m.content, Ephemeral: m.flags&flagEphemeral != 0}
}

// withFollowUp runs look with the message of the path, "@original" or an id.
func (q *query) withFollowUp(look func(i *Interaction, g *guildState, m *message) answer) answer {
	return q.withInteraction(func(i *Interaction, g *guildState) answer {
		if q.r.PathValue("message") == "@original" {
			if i.original == nil || i.gone {
				return unknown(10008, "Message")
			}
			return look(i, g, i.original)
		}
		if m := g.room(i.Channel).find(q.id("message")); m != nil && m.author == q.s.world.bot {
			return look(i, g, m)
		}
		return unknown(10008, "Message")
	})
}

func getFollowUp(q *query) answer {
	return q.withFollowUp(func(_ *Interaction, g *guildState, m *message) answer { return q.message(g, m) })
}

func patchFollowUp(q *query) answer {
	form, bad := q.form(messageShape())
	if form == nil {
		return bad
	}
	return q.withFollowUp(func(i *Interaction, g *guildState, m *message) answer {
		if bad := q.edit(g, m, form); bad.status != 0 {
			return bad
		}
		i.note(i.heard("edit", m, q.body))
		return q.message(g, m)
	})
}

func deleteFollowUp(q *query) answer {
	return q.withFollowUp(func(i *Interaction, g *guildState, m *message) answer {
		g.room(m.channel).remove(m.id)
		if m == i.original {
			i.gone = true
		}
		if m.flags&flagEphemeral == 0 {
			q.s.emitDeleted(g, m.channel, m.id)
		}
		i.note(i.heard("delete", m, nil))
		return empty()
	})
}
