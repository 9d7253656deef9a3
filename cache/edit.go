package cache

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// Every edit makes new bytes; what was there is never touched.

// listOf writes a list of elements.
func listOf(list [][]byte) json.RawMessage {
	size := 2
	for _, e := range list {
		size += len(e) + 1
	}
	out := append(room(size), '[')
	for i, e := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	return append(out, ']')
}

// room is an empty slice whose capacity is what the allocator really gives, so
// that the books count it.
func room(size int) []byte { return slices.Grow([]byte(nil), size) }

// upsert puts an element in the place of the first one with the same id, or last.
func upsert(list []byte, id uint64, element []byte) json.RawMessage {
	if old := find(list, id); old != nil {
		at := cap(list) - cap(old) // it is cut from the list
		out := append(room(len(list)-len(old)+len(element)), list[:at]...)
		out = append(out, element...)
		return append(out, list[at+len(old):]...)
	}
	var all [][]byte
	elements(list, func(e []byte) bool {
		all = append(all, e)
		return true
	})
	return listOf(append(all, element))
}

// without drops the elements that drop wants; nil if there are none.
func without(list []byte, drop func(element []byte) bool) json.RawMessage {
	var all [][]byte
	dropped := false
	elements(list, func(e []byte) bool {
		if drop(e) {
			dropped = true
		} else {
			all = append(all, e)
		}
		return true
	})
	if !dropped {
		return nil
	}
	return listOf(all)
}

// find returns the first element with this id, nil if there is none. An element that has
// not its digits anywhere is not read: lists are long.
func find(list []byte, id uint64) (found []byte) {
	digits := strconv.AppendUint(nil, id, 10)
	if !bytes.Contains(list, digits) {
		return nil
	}
	elements(list, func(e []byte) bool {
		if bytes.Contains(e, digits) && idOf(e) == id {
			found = e
		}
		return found == nil
	})
	return found
}

// merge lays a patch's members over an object's, but for those it is to leave
// out; null and what is no object count as empty.
func merge(object, patch []byte, leaveOut ...string) json.RawMessage {
	over := make(map[string][]byte)
	var order []string
	members(patch, func(key, value []byte) bool {
		name := string(key)
		if slices.Contains(leaveOut, name) {
			return true
		}
		if _, twice := over[name]; !twice {
			order = append(order, name)
		}
		over[name] = value
		return true
	})
	out := append(room(len(object)+len(patch)), '{')
	members(object, func(key, value []byte) bool {
		if v, replaced := over[string(key)]; replaced {
			if v == nil {
				return true // written already
			}
			value, over[string(key)] = v, nil
		}
		out = appendMember(out, string(key), value)
		return true
	})
	for _, name := range order {
		if v := over[name]; v != nil {
			out = appendMember(out, name, v)
		}
	}
	return append(out, '}')
}

// with sets one member of an object.
func with(object []byte, name string, value []byte) json.RawMessage {
	return merge(object, append(appendMember([]byte{'{'}, name, value), '}'))
}

func appendMember(out []byte, name string, value []byte) []byte {
	if out[len(out)-1] != '{' {
		out = append(out, ',')
	}
	out = append(out, '"')
	out = append(out, name...)
	out = append(out, '"', ':')
	return append(out, value...)
}

// strip leaves an object's members out.
func strip(object []byte, leaveOut ...string) json.RawMessage {
	return merge(nil, object, leaveOut...)
}
