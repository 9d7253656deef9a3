package state

const (
	// namesBehind is how many names are remembered of events that are dropped.
	namesBehind = 1 << 18
	namesMost   = 1 << 22
)

// nameList remembers the names of events, a byte each, also for a while
// after the events were dropped: so that a reader can tell what it has missed.
type nameList struct {
	known []string // by code; code 0 is the unknown name
	codes map[string]byte
	first uint64 // index of list[0]
	list  []byte
}

// reset forgets all; the next name is that of the event with this index.
func (n *nameList) reset(first uint64) {
	n.first, n.list = first, n.list[:0]
	if n.codes == nil {
		n.known, n.codes = []string{""}, map[string]byte{"": 0}
	}
}

// set remembers the name of index, which is at most one above the last.
func (n *nameList) set(index uint64, name string) {
	code, ok := n.codes[name]
	if !ok && len(n.known) < 256 {
		code = byte(len(n.known))
		n.known = append(n.known, name)
		n.codes[name] = code
	}
	switch i := index - n.first; {
	case index < n.first:
	case i < uint64(len(n.list)):
		n.list[i] = code
	default:
		n.list = append(n.list, code)
	}
	if len(n.list) > namesMost {
		n.trim(n.first + namesMost/2)
	}
}

// grow makes room up to index, with names not known.
func (n *nameList) grow(index uint64) {
	if index < n.first {
		return
	}
	if index-n.first >= namesMost {
		n.reset(index + 1) // so far ahead that nothing is known
		return
	}
	if size := index - n.first + 1; size > uint64(len(n.list)) {
		n.list = append(n.list, make([]byte, size-uint64(len(n.list)))...)
	}
}

// keep forgets what is far behind the first event that is kept.
func (n *nameList) keep(first uint64) {
	if first > n.first+2*namesBehind {
		n.trim(first - namesBehind)
	}
}

func (n *nameList) trim(first uint64) {
	gone := min(first-n.first, uint64(len(n.list)))
	n.list = n.list[:copy(n.list, n.list[gone:])]
	n.first = first
}

// run is the name of index and how many events from there to last have it.
func (n *nameList) run(index, last uint64) (name string, count uint64) {
	if index < n.first {
		return "", min(n.first-1, last) - index + 1
	}
	i := index - n.first
	if i >= uint64(len(n.list)) {
		return "", last - index + 1
	}
	end := min(last-n.first+1, uint64(len(n.list)))
	code := n.list[i]
	for count = 1; i+count < end && n.list[i+count] == code; count++ {
	}
	return n.known[code], count
}
