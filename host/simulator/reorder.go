package simulator

import (
	"encoding/json"
	"math/rand/v2"
)

// reorder gives the same JSON with the keys of all its objects in an order that follows from seed; what is no JSON
// as it is. Discord promises none.
func reorder(data []byte, seed uint64) []byte {
	if !json.Valid(data) {
		return data
	}
	r := reorderer{rand: rand.New(rand.NewPCG(seed, 1)), in: data, out: make([]byte, 0, len(data))}
	r.value()
	return r.out
}

// reorderer copies valid JSON, value by value.
type reorderer struct {
	rand *rand.Rand
	in   []byte
	at   int
	out  []byte
}

func (r *reorderer) space() {
	for r.at < len(r.in) && (r.in[r.at] == ' ' || r.in[r.at] == '\n' || r.in[r.at] == '\r' || r.in[r.at] == '\t') {
		r.at++
	}
}

func (r *reorderer) value() {
	r.space()
	switch r.in[r.at] {
	case '{':
		r.object()
	case '[':
		r.list()
	default:
		r.out = append(r.out, r.plain()...)
	}
}

// plain is a string, a number or a word.
func (r *reorderer) plain() []byte {
	start, quoted := r.at, r.in[r.at] == '"'
	for r.at++; r.at < len(r.in); r.at++ {
		switch c := r.in[r.at]; {
		case quoted && c == '\\':
			r.at++
		case quoted && c == '"':
			r.at++
			return r.in[start:r.at]
		case quoted:
		case c == ',' || c == '}' || c == ']' || c <= ' ':
			return r.in[start:r.at]
		}
	}
	return r.in[start:]
}

func (r *reorderer) list() {
	r.out = append(r.out, '[')
	r.at++
	for r.space(); r.in[r.at] != ']'; r.space() {
		if r.in[r.at] == ',' {
			r.at++
			r.out = append(r.out, ',')
		}
		r.value()
	}
	r.at++
	r.out = append(r.out, ']')
}

func (r *reorderer) object() {
	var members [][]byte
	outer := r.out
	r.at++
	for r.space(); r.in[r.at] != '}'; r.space() {
		if r.in[r.at] == ',' {
			r.at++
			r.space()
		}
		r.out = append([]byte(nil), r.plain()...)
		r.space()
		r.at++ // the colon
		r.out = append(r.out, ':')
		r.value()
		members = append(members, r.out)
	}
	r.at++
	r.rand.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	r.out = outer
	r.out = append(r.out, '{')
	for i, m := range members {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = append(r.out, m...)
	}
	r.out = append(r.out, '}')
}
