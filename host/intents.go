package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Close codes that a plugin's wish for intents brings about.
const (
	codeInvalidIntents    = 4013
	codeDisallowedIntents = 4014
)

// intentExpressions brings emojis and stickers, which are in each guild that the
// cache keeps: without it they would be as old as the load.
const intentExpressions Intents = 1 << 3

// intentsFor are those that plugins need, and those that keep the guild cache true,
// as far as they are not denied, also of what it keeps of people.
func intentsFor(all []*wire.Manifest, people KeepPeople, denied Intents) uint64 {
	return router.Intents(all) | uint64(people.intents()|intentExpressions&^denied)
}

// refuseDenied refuses a plugin that needs an intent which deny_intents names, and
// says which line would let it in.
func refuseDenied(m *wire.Manifest, denied Intents) error {
	needs := router.Needs([]*wire.Manifest{m}, uint64(denied))
	if len(needs) == 0 {
		return nil
	}
	rest := denied
	for _, n := range needs {
		rest &^= Intents(n.Intent)
	}
	remedy := "remove the line deny_intents"
	if rest != 0 {
		remedy = fmt.Sprintf("change the line to deny_intents: %s", rest)
	}
	return fmt.Errorf("%s, which deny_intents denies: %s, or remove the plugin", sentence(needs), remedy)
}

// explainIntents adds to Discord's refusal of the intents which plugins want them,
// or that the guild cache does.
func explainIntents(err error, all []*wire.Manifest, people KeepPeople) error {
	refusal, ok := errors.AsType[*gateway.CloseError](err)
	if !ok {
		return err
	}
	var intents uint64
	switch refusal.Code {
	case codeInvalidIntents:
		if intents = router.Intents(all) &^ router.KnownIntents(); intents == 0 {
			intents = router.Intents(all)
		}
	case codeDisallowedIntents:
		intents = router.PrivilegedIntents()
	}
	if needs := router.Needs(all, intents); len(needs) > 0 {
		err = fmt.Errorf("%w: %s (deny_intents keeps such plugins out)", err, sentence(needs))
	}
	if wanted := people.intents() & Intents(intents); wanted != 0 {
		err = fmt.Errorf("%w: the setting cache_people (%s) needs %s", err, people, wanted)
	}
	return err
}

func sentence(needs []router.Need) string {
	var parts []string
	for _, n := range needs {
		parts = append(parts, n.String())
	}
	return strings.Join(parts, ", ")
}
