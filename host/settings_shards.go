package host

import (
	"fmt"
	"strconv"
	"strings"
)

// maxShards is what the state folder holds; the largest bots have a tenth of it.
const maxShards = 1 << 16

// Shards is how many shards a bot has and which of them a host runs. The zero
// value means all of the number that Discord recommends.
type Shards struct {
	// Count is the number of the bot's shards; 0: what Discord recommends.
	Count int
	// From is the first that this host runs, Until the first after it that it does
	// not. An Until of 0 stands for all shards.
	From, Until int
}

// String returns "auto", the number, or the range as A-B/N.
func (s Shards) String() string {
	switch {
	case s.Count == 0:
		return "auto"
	case s.Until == 0:
		return strconv.Itoa(s.Count)
	default:
		return fmt.Sprintf("%d-%d/%d", s.From, s.Until-1, s.Count)
	}
}

// MarshalText is String.
func (s Shards) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "auto", a number from 1 on, or a range: A-B/N are the shards
// A to B, both included, of N; A/N is one shard.
func (s *Shards) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*s = Shards{}
		return nil
	}
	some, all, ranged := strings.Cut(string(text), "/")
	if !ranged {
		all = some
	}
	var out Shards
	ok := number(all, &out.Count) && out.Count > 0
	if ranged {
		first, last, several := strings.Cut(some, "-")
		if !several {
			last = first
		}
		ok = ok && number(first, &out.From) && number(last, &out.Until) && out.Until < maxShards
		out.Until++
	}
	if !ok {
		return fmt.Errorf("%q is not a number of shards: give auto, a number from 1 on, or A-B/N for the shards A to B of N", text)
	}
	if err := out.check(); err != nil {
		return err
	}
	if out.From == 0 && out.Until == out.Count {
		out.Until = 0
	}
	*s = out
	return nil
}

// number reads digits and nothing else.
func number(text string, into *int) bool {
	n, err := strconv.ParseUint(text, 10, 31)
	*into = int(n)
	return err == nil
}

func (s Shards) check() error {
	switch {
	case s.Count < 0:
		return fmt.Errorf("%d is not a number of shards: give auto, or a number from 1 on", s.Count)
	case s.Count > maxShards:
		return fmt.Errorf("%d shards are too many: give at most %d", s.Count, maxShards)
	case s.From == 0 && s.Until == 0:
		return nil
	case s.Count == 0:
		return fmt.Errorf("the shards %d to %d of a number that Discord chooses: give the number, too, as in %d-%d/32", s.From, s.Until-1, s.From, s.Until-1)
	case s.From < 0 || s.From >= s.Until:
		return fmt.Errorf("the range %s is empty: give the lower shard first, as in 0-15/32", s)
	case s.Until > s.Count:
		return fmt.Errorf("the range %s goes beyond the last shard: shards are numbered from 0, so the last of %d is %d", s, s.Count, s.Count-1)
	}
	return nil
}

// Of lists the shards that this host runs, and how many the bot has, where
// Discord recommends a number.
func (s Shards) Of(recommended int) (shards []int, count int) {
	count = s.Count
	if count == 0 {
		count = recommended
	}
	until := s.Until
	if until == 0 {
		until = count
	}
	for n := s.From; n < until; n++ {
		shards = append(shards, n)
	}
	return shards, count
}
