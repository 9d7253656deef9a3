package simulator

import (
	"slices"
	"strconv"
)

func appendNumber(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

func getReactions(q *query) answer {
	return q.withMessage(func(_ *guildState, m *message) answer {
		emoji := q.emojiOf()
		return q.done(func(o *jsonOut) {
			o.open('[')
			for _, r := range m.reactions {
				for _, user := range r.users {
					if r.emoji == emoji {
						o.open('{')
						o.user(q.s, user)
						o.shut('}')
					}
				}
			}
			o.shut(']')
		})
	})
}

func clearReactions(q *query) answer {
	return q.withMessage(func(g *guildState, m *message) answer {
		m.reactions = nil
		q.s.emit(g, "MESSAGE_REACTION_REMOVE_ALL", func(o *jsonOut) {
			o.open('{')
			o.id("channel_id", m.channel)
			o.id("message_id", m.id)
			o.guildID(g)
			o.shut('}')
		})
		return empty()
	})
}

func clearEmoji(q *query) answer {
	return q.withMessage(func(g *guildState, m *message) answer {
		emoji := q.emojiOf()
		before := len(m.reactions)
		m.reactions = slices.DeleteFunc(m.reactions, func(r reaction) bool { return r.emoji == emoji })
		if len(m.reactions) == before {
			return unknown(10014, "Emoji")
		}
		q.s.emit(g, "MESSAGE_REACTION_REMOVE_EMOJI", func(o *jsonOut) {
			o.open('{')
			o.id("channel_id", m.channel)
			o.id("message_id", m.id)
			o.guildID(g)
			o.emoji(emoji)
			o.shut('}')
		})
		return empty()
	})
}
