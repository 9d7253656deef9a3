package simulator

import "encoding/json"

// moveVoice takes op 4: the bot joins, moves or leaves. Everybody sees its voice state; the session that asked
// is told the voice server.
func (s *Server) moveVoice(ses *session, d json.RawMessage) bool {
	var in struct {
		Guild   json.RawMessage `json:"guild_id"`
		Channel json.RawMessage `json:"channel_id"`
		Mute    *bool           `json:"self_mute"`
		Deaf    *bool           `json:"self_deaf"`
	}
	if json.Unmarshal(d, &in) != nil || in.Mute == nil || in.Deaf == nil || snowflake(in.Guild) == 0 {
		return false
	}
	g := s.world.guild(snowflake(in.Guild))
	if g == nil || !ses.covers(g.id) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	channel := snowflake(in.Channel)
	if channel != 0 && !g.has(channel) {
		return true
	}
	s.voiceLocked(g, s.world.bot, voiceState{channel: channel, session: ses.id[:16], selfMute: *in.Mute, selfDeaf: *in.Deaf})
	if channel == 0 {
		return true
	}
	o := s.scratch()
	o.open('{')
	o.str("token", s.mint.token(12))
	o.id("guild_id", g.id)
	o.raw(`"endpoint":"127.0.0.1:443"`)
	o.shut('}')
	if ses.push(g.id, "VOICE_SERVER_UPDATE", s.finish(o), &s.cfg) {
		s.sent(ses.shard, "VOICE_SERVER_UPDATE")
	}
	return true
}

// voiceLocked changes who is in voice; the caller holds the guild's lock. Channel 0: the user leaves.
func (s *Server) voiceLocked(g *guildState, user uint64, v voiceState) {
	if g.voice == nil {
		g.voice = make(map[uint64]voiceState)
	}
	if v.channel == 0 {
		delete(g.voice, user)
	} else {
		g.voice[user] = v
	}
	s.emit(g, "VOICE_STATE_UPDATE", func(o *jsonOut) {
		o.open('{')
		o.id("guild_id", g.id)
		o.voice(user, v)
		o.key("member")
		o.memberObject(s, g.someone(user))
		o.shut('}')
	})
}

// Voice puts a user into a voice channel, or takes him out with channel 0.
func (s *Server) Voice(guild, channel, user uint64) {
	s.await(guild)
	s.in(guild, func(g *guildState) {
		s.voiceLocked(g, user, voiceState{channel: channel, session: s.mint.token(12)})
	})
}

// sendSounds answers op 31 with one SOUNDBOARD_SOUNDS for each guild.
func (s *Server) sendSounds(ses *session, d json.RawMessage) bool {
	var in struct {
		Guilds []json.RawMessage `json:"guild_ids"`
	}
	if json.Unmarshal(d, &in) != nil || in.Guilds == nil {
		return false
	}
	for _, raw := range in.Guilds {
		id := snowflake(raw)
		if s.world.guild(id) == nil || !ses.covers(id) {
			continue
		}
		o := s.scratch()
		o.open('{')
		o.id("guild_id", id)
		o.raw(`"soundboard_sounds":[]`)
		o.shut('}')
		if ses.push(id, "SOUNDBOARD_SOUNDS", s.finish(o), &s.cfg) {
			s.sent(ses.shard, "SOUNDBOARD_SOUNDS")
		}
	}
	return true
}

// sendChannelInfo answers op 43 with CHANNEL_INFO.
func (s *Server) sendChannelInfo(ses *session, d json.RawMessage) bool {
	var in struct {
		Guild  json.RawMessage `json:"guild_id"`
		Fields []string        `json:"fields"`
	}
	if json.Unmarshal(d, &in) != nil || snowflake(in.Guild) == 0 || in.Fields == nil {
		return false
	}
	g := s.world.guild(snowflake(in.Guild))
	if g == nil || !ses.covers(g.id) {
		return true
	}
	o := s.scratch()
	o.open('{')
	o.id("guild_id", g.id)
	o.raw(`"channels":[]`)
	o.shut('}')
	if ses.push(g.id, "CHANNEL_INFO", s.finish(o), &s.cfg) {
		s.sent(ses.shard, "CHANNEL_INFO")
	}
	return true
}
