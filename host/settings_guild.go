package host

import (
	"fmt"
	"strconv"
)

// GuildID is Discord's id of a guild; 0 stands for none.
type GuildID uint64

// String writes the id's digits, "" for none.
func (g GuildID) String() string { return idText(uint64(g)) }

// MarshalText is String.
func (g GuildID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads the digits of an id.
func (g *GuildID) UnmarshalText(text []byte) error {
	id, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || id == 0 {
		return fmt.Errorf("%q is no guild's id: copy it from Discord (with its developer mode, Copy Server ID)", text)
	}
	*g = GuildID(id)
	return nil
}
