package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-bot/holdfast/host/router"
)

// Intents is a set of gateway intents, as Discord's bits.
type Intents uint64

// String lists the names of Discord's documentation.
func (i Intents) String() string { return strings.Join(router.IntentNames(uint64(i)), ", ") }

// MarshalText is String.
func (i Intents) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads names, separated by commas or spaces.
func (i *Intents) UnmarshalText(text []byte) error {
	var out Intents
	for name := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == ',' || r == ' ' }) {
		bit, ok := router.Intent(name)
		if !ok {
			return unknownIntent(name)
		}
		out |= Intents(bit)
	}
	if out == 0 {
		return errors.New("no intent is named: write one like MESSAGE_CONTENT, or leave the setting out")
	}
	*i = out
	return nil
}

func unknownIntent(name string) error {
	all := router.IntentNames(router.KnownIntents())
	if near := nearest(strings.ToUpper(name), all, max(2, len(name)/3)); near != "" {
		return fmt.Errorf("%q is no intent of Discord's: did you mean %s?", name, near)
	}
	return fmt.Errorf("%q is no intent of Discord's: the privileged ones are %s", name, strings.Join(router.IntentNames(router.PrivilegedIntents()), ", "))
}

// checkDenied judges what deny_intents names.
func (i Intents) checkDenied() error {
	if guilds, _ := router.Intent("GUILDS"); i&Intents(guilds) != 0 {
		return errors.New("GUILDS cannot be denied, without it there are no guilds: leave it out")
	}
	if unknown := i &^ Intents(router.KnownIntents()); unknown != 0 {
		return fmt.Errorf("%s is no intent of Discord's: leave it out", unknown)
	}
	return nil
}
