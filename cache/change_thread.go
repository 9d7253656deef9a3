package cache

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// thread applies THREAD_*. Only active threads are kept: one that is archived
// leaves the list, and comes back with its update.
func (w *world) thread(e event) {
	switch e.name {
	case "THREAD_CREATE", "THREAD_UPDATE":
		w.threadChanged(e.data)
	case "THREAD_DELETE":
		if id := idOf(e.data); id != 0 {
			w.Threads = or(without(w.Threads, has("id", id)), w.Threads)
		}
	case "THREAD_LIST_SYNC":
		w.threadsSynced(e.data)
	case "THREAD_MEMBER_UPDATE":
		if t := find(w.Threads, idOf(e.data)); t != nil {
			w.putThread(idOf(t), with(t, "member", strip(e.data, "guild_id")))
		}
	case "THREAD_MEMBERS_UPDATE":
		w.threadMembers(e.data)
	}
}

func (w *world) putThread(id uint64, t []byte) {
	w.Threads = upsert(w.Threads, id, w.keep.thread.of(t))
}

func (w *world) threadChanged(d []byte) {
	id := idOf(d)
	if id == 0 {
		return
	}
	if isTrue(field(field(d, "thread_metadata"), "archived")) {
		w.Threads = or(without(w.Threads, has("id", id)), w.Threads)
		return
	}
	t := strip(d, "newly_created")
	if field(t, "member") == nil { // an update does not tell it, and does not end it
		if m := field(find(w.Threads, id), "member"); m != nil {
			t = with(t, "member", m)
		}
	}
	w.putThread(id, t)
}

// threadsSynced replaces the threads of the channels that the event names, or
// all.
func (w *world) threadsSynced(d []byte) {
	threads := field(d, "threads")
	if !isList(threads) {
		return
	}
	parents := make(map[uint64]bool)
	of := field(d, "channel_ids")
	elements(of, func(e []byte) bool {
		parents[snowflake(e)] = true
		return true
	})
	kept := without(w.Threads, func(t []byte) bool { return !isList(of) || parents[snowflake(field(t, "parent_id"))] })
	list := or(kept, w.Threads)
	elements(joined(threads, field(d, "members")), func(t []byte) bool {
		if id := idOf(t); id != 0 {
			list = upsert(list, id, w.keep.thread.of(t))
		}
		return true
	})
	w.Threads = list
}

func (w *world) threadMembers(d []byte) {
	id := idOf(d)
	t := find(w.Threads, id)
	if t == nil {
		return
	}
	if n := field(d, "member_count"); n != nil {
		t = with(t, "member_count", n)
	}
	elements(field(d, "removed_member_ids"), func(e []byte) bool {
		if w.self != 0 && snowflake(e) == w.self {
			t = strip(t, "member")
		}
		return true
	})
	elements(field(d, "added_members"), func(m []byte) bool {
		if w.self != 0 && snowflake(field(m, "user_id")) == w.self {
			t = with(t, "member", strip(m, "member", "presence"))
		}
		return true
	})
	w.putThread(id, t)
}

// joined puts the bot's thread members, which REST and THREAD_LIST_SYNC list
// beside the threads, into their threads.
func joined(threads, of []byte) json.RawMessage {
	byThread := make(map[uint64][]byte)
	elements(of, func(m []byte) bool {
		byThread[idOf(m)] = m
		return true
	})
	var all [][]byte
	elements(threads, func(t []byte) bool {
		if idOf(t) == 0 {
			return true
		}
		if m := byThread[idOf(t)]; m != nil {
			t = with(t, "member", m)
		}
		all = append(all, t)
		return true
	})
	return listOf(all)
}

func quoted(id uint64) []byte {
	return append(strconv.AppendUint([]byte{'"'}, id, 10), '"')
}

func trim(b []byte) []byte { return bytes.TrimSpace(b) }
