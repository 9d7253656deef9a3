package cache

// channel applies CHANNEL_* and VOICE_CHANNEL_*.
func (w *world) channel(e event) {
	id := idOf(e.data)
	if id == 0 {
		return
	}
	switch {
	case e.name == "CHANNEL_DELETE":
		w.Channels = or(without(w.Channels, has("id", id)), w.Channels)
		w.Threads = or(without(w.Threads, has("parent_id", id)), w.Threads)
	case w.Channels == nil:
	case e.name == "CHANNEL_CREATE", e.name == "CHANNEL_UPDATE":
		w.Channels = upsert(w.Channels, id, w.keep.channel.of(w.withVoice(id, trim(e.data))))
	default: // of a voice channel that is there
		if c := find(w.Channels, id); c != nil {
			w.Channels = upsert(w.Channels, id, w.keep.channel.of(merge(c, e.data, "id", "guild_id")))
		}
	}
}

// withVoice is a channel as an event tells it, with what VOICE_CHANNEL_* have told
// of it: the channel's own events need not, and do not end it.
func (w *world) withVoice(id uint64, channel []byte) []byte {
	if t := string(field(channel, "type")); t != "2" && t != "13" { // voice and stage channels
		return channel
	}
	before := find(w.Channels, id)
	for _, name := range [...]string{"status", "voice_start_time"} {
		if v := field(before, name); v != nil && field(channel, name) == nil {
			channel = with(channel, name, v)
		}
	}
	return channel
}
