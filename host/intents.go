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

// explainIntents adds to Discord's refusal of the intents which plugins want them.
func explainIntents(err error, all []*wire.Manifest) error {
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
	needs := router.Needs(all, intents)
	if len(needs) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s (deny_intents keeps such plugins out)", err, sentence(needs))
}

func sentence(needs []router.Need) string {
	var parts []string
	for _, n := range needs {
		parts = append(parts, n.String())
	}
	return strings.Join(parts, ", ")
}
