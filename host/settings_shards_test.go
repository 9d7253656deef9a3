package host

import (
	"slices"
	"strings"
	"testing"
)

func TestShards(t *testing.T) {
	for text, want := range map[string]Shards{
		"auto": {}, "1": {Count: 1}, "64": {Count: 64}, "65536": {Count: 65536},
		"0-15/32": {Count: 32, Until: 16}, "16-31/32": {Count: 32, From: 16, Until: 32}, "0-0/2": {Count: 2, Until: 1}, "1-1/2": {Count: 2, From: 1, Until: 2},
	} {
		var s Shards
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want || s.String() != text {
			t.Errorf("%s: %+v %s %v", text, s, s, err)
		}
	}
	for text, short := range map[string]string{"3/8": "3-3/8", "0-7/8": "8", "0/1": "1"} { // other words for the same
		var s Shards
		if err := s.UnmarshalText([]byte(text)); err != nil || s.String() != short {
			t.Errorf("%s: %s %v, want %s", text, s, err, short)
		}
	}
	for text, remedy := range map[string]string{
		"": "give auto, a number from 1 on, or A-B/N", "0": "give auto", "-1": "give auto", "1.5": "give auto", "x": "give auto", "0x10": "give auto",
		"99999999999999999999": "give auto", "/": "give auto", "0-1": "give auto", "0-1/": "give auto", "-1/2": "give auto", "1-/2": "give auto", "0-1/0": "give auto",
		"0-1-2/4": "give auto", "0-1/4/8": "give auto", "+0-1/4": "give auto", "0-65536/65536": "give auto", "0-auto/4": "give auto", "0-1/auto": "give auto",
		"65537": "give at most 65536", "2-1/4": "give the lower shard first", "0-4/4": "the last of 4 is 3", "4/4": "the last of 4 is 3",
	} {
		var s Shards
		if err := s.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), remedy) {
			t.Errorf("%q: %v %v", text, s, err)
		}
	}
	for _, set := range []Shards{{Count: -1}, {Count: 1 << 17}, {Until: 3}, {Count: 4, From: -1, Until: 2}, {Count: 4, From: 2}, {Count: 4, From: 3, Until: 5}} {
		if err := (Settings{Shards: set}).Validate(); err == nil {
			t.Errorf("%+v was accepted", set)
		}
	}
}

func TestShardsOfAHost(t *testing.T) {
	for text, want := range map[string]struct {
		shards []int
		count  int
	}{
		"auto": {[]int{0, 1, 2}, 3}, "2": {[]int{0, 1}, 2}, "2-3/5": {[]int{2, 3}, 5}, "4/5": {[]int{4}, 5},
	} {
		var s Shards
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if shards, count := s.Of(3); !slices.Equal(shards, want.shards) || count != want.count {
			t.Errorf("%s: %v of %d", text, shards, count)
		}
	}
}
