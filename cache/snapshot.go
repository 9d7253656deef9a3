package cache

import (
	"bytes"
	"encoding/json"
)

// Snapshot is a guild at one moment, or some parts of it. It is never changed:
// any goroutine may keep and read it.
//
// What moves with every message or member (last_message_id, last_pin_timestamp,
// counts of members) is as old as the load or the event that last carried it.
type Snapshot struct {
	// Version is higher than that of every snapshot made before, of any guild.
	Version uint64

	packing *packing
	pieces  [parts]piece
	raw     *rawPart // nil: none is
}

// piece is a part as it is held, packed or not; nil: not there.
type piece []byte

// Parts are those that the snapshot has.
func (s *Snapshot) Parts() (have Parts) {
	for p, b := range s.pieces {
		if b != nil {
			have |= 1 << p
		}
	}
	return have
}

// Has reports whether the snapshot has all of these parts.
func (s *Snapshot) Has(these Parts) bool {
	for p, b := range s.pieces {
		if b == nil && these>>p&1 != 0 {
			return false
		}
	}
	return true
}

// Part returns the JSON of a part, nil if it is not there. Nobody may write to
// it. It is unpacked anew for each call, about 2 µs for each KB, unless it has just changed.
//
// PartGuild is the guild object with roles, emojis and stickers inside, and, where
// all of them are known, with guild_scheduled_events, stage_instances and
// soundboard_sounds as lists of objects that have nothing but their id
// (sound_id): so many there are, as of the last event. They are known from a
// GUILD_CREATE on; a guild that was asked for has no such list until then.
// PartChannels a list of channel objects, without threads, in no promised order,
// PartThreads the list of active threads; those that the bot has joined have
// their "member" inside, as in GUILD_CREATE. PartMember is the bot's own member
// object, or null if it is not known.
func (s *Snapshot) Part(p Part) json.RawMessage {
	if p >= parts {
		return nil
	}
	return s.body(p)
}

// size is what the pieces hold.
func (s *Snapshot) size() (n int64) {
	for _, b := range s.pieces {
		n += int64(cap(b))
	}
	return n
}

// held is what an entry points at; replaced as a whole.
type held struct {
	Snapshot
	down    bool // GUILD_DELETE with unavailable: true as of late
	removed bool // the bot is out; no entry stays so
}

// answers reports whether the guild is as somebody wants it, or not to be had.
func (h *held) answers(want Parts) bool { return h.down || h.Has(want) }

func (h *held) answer(guild uint64) (*Snapshot, error) {
	if h.down {
		return nil, &MissingError{Guild: guild, Reason: Outage}
	}
	return &h.Snapshot, nil
}

// edited returns what is held after an event, and whether that differs. Only the
// parts that the event may touch are unpacked, only those that it changed are
// packed, or one of them is left raw if it has so many bytes. A part that cannot be unpacked is not there any
// more. The world is that of its guild, with nothing in it.
func (h *held) edited(w world, ev event, rawFrom int) (after held, changed bool) {
	w.down, w.removed = h.down, h.removed
	after = *h
	over, _ := touches(ev.name)
	for p, b := range h.pieces {
		if b != nil && over>>p&1 != 0 {
			if *w.part(Part(p)) = h.body(Part(p)); *w.part(Part(p)) == nil {
				after.pieces[p], changed = nil, true
			}
		}
	}
	before := w.bodies
	if !w.apply(ev) {
		return after, changed
	}
	after.down, after.removed = w.down, w.removed
	for p := range parts {
		if b := *w.part(p); b != nil && !bytes.Equal(b, *before.part(p)) {
			after.replace(p, b, rawFrom)
		}
	}
	return after, true
}

// bodies are parts as JSON. One that is nil is not there, or is left alone.
type bodies struct {
	Guild, Channels, Threads, Member json.RawMessage
}

func (b *bodies) part(p Part) *json.RawMessage {
	switch p {
	case PartGuild:
		return &b.Guild
	case PartChannels:
		return &b.Channels
	case PartThreads:
		return &b.Threads
	default:
		return &b.Member
	}
}

// packed is a snapshot of these parts.
func (b *bodies) packed(k *packing) Snapshot {
	s := Snapshot{packing: k}
	for p := range parts {
		if raw := *b.part(p); raw != nil {
			s.pieces[p] = k.pack(raw)
		}
	}
	return s
}
