package router

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxDepth is deeper than Discord nests commands (groups, subcommands,
// options, choices, localizations).
const maxDepth = 16

// given are the fields that only Discord sets, or that only answers to a
// certain reader have.
var given = []string{ //nolint:gochecknoglobals // a constant that Go cannot write
	"id", "application_id", "guild_id", "version", "name_localized", "description_localized", "default_permission",
}

// declared are the fields that an author can set. A field of Discord's that is
// not among them and that he does not set is no difference.
var declared = map[string]bool{ //nolint:gochecknoglobals // a constant that Go cannot write
	"name": true, "name_localizations": true, "description": true, "description_localizations": true, "type": true,
	"options": true, "default_member_permissions": true, "nsfw": true, "contexts": true,
	"required": true, "choices": true, "channel_types": true, "autocomplete": true, "value": true,
	"min_value": true, "max_value": true, "min_length": true, "max_length": true,
}

// canonical reads a command and takes out all in which two spellings of the
// same command can differ: what Discord adds, what equals its default, the
// order of keys and of sets, and the form of numbers.
func canonical(raw json.RawMessage, guild bool) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("it is no JSON object")
	}
	if decoder.More() {
		return nil, errors.New("there is something after the JSON object")
	}
	for _, key := range given {
		delete(fields, key)
	}
	if n, ok := fields["default_member_permissions"].(json.Number); ok {
		fields["default_member_permissions"] = n.String() // Discord answers a string
	}
	if guild { // only global commands have these
		delete(fields, "contexts")
		delete(fields, "integration_types")
		delete(fields, "dm_permission")
	} else {
		mergeContexts(fields)
	}
	if err := simplify(fields, 0); err != nil {
		return nil, err
	}
	if fields["type"] == nil {
		fields["type"] = json.Number("1")
	}
	return fields, nil
}

// mergeContexts says in contexts what the older dm_permission says: without
// direct messages only guilds are left. All contexts are the default.
func mergeContexts(fields map[string]any) {
	noDM := fields["dm_permission"] == false
	delete(fields, "dm_permission")
	contexts, _ := fields["contexts"].([]any)
	switch {
	case len(contexts) == 0 && noDM:
		fields["contexts"] = []any{json.Number("0")}
	case len(contexts) >= 3: //nolint:mnd // GUILD, BOT_DM, PRIVATE_CHANNEL
		delete(fields, "contexts")
	}
}

// simplify drops what equals a default, in place: null, false and what is empty
// say as much as nothing does.
func simplify(fields map[string]any, depth int) error {
	if depth > maxDepth {
		return errors.New("it is nested too deeply")
	}
	for key, value := range fields {
		switch v := value.(type) {
		case nil:
			delete(fields, key)
		case bool:
			if !v {
				delete(fields, key)
			}
		case string:
			if key != "value" { // Discord trims all but the values of choices
				v = strings.TrimSpace(v)
			}
			if fields[key] = v; v == "" {
				delete(fields, key)
			}
		case json.Number:
			fields[key] = number(v)
		case map[string]any:
			if err := simplify(v, depth+1); err != nil {
				return err
			}
			if len(v) == 0 {
				delete(fields, key)
			}
		case []any:
			if len(v) == 0 {
				delete(fields, key)
			}
			if err := simplifyList(key, v, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func simplifyList(key string, list []any, depth int) error {
	for i, value := range list {
		switch v := value.(type) {
		case map[string]any:
			if err := simplify(v, depth); err != nil {
				return err
			}
		case json.Number:
			list[i] = number(v)
		}
	}
	switch key {
	case "contexts", "integration_types", "channel_types": // sets
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return nil
}

// number writes 10, 10.0 and 1e1 alike. What a float64 does not hold exactly
// stays as it is.
func number(n json.Number) json.Number {
	const exact = 15 // decimal digits
	if len(strings.TrimLeft(n.String(), "-")) > exact && !strings.ContainsAny(n.String(), ".eE") {
		return n
	}
	value, err := n.Float64()
	if err != nil {
		return n
	}
	if value == 0 {
		return "0"
	}
	return json.Number(strconv.FormatFloat(value, 'g', -1, 64))
}

// sameCommand tells whether what Discord has is what an author wants. Fields
// that he leaves to Discord are no difference: those that this code does not
// know, and the integration types, whose default is a setting of the
// application.
func sameCommand(want, have map[string]any) bool {
	for key, value := range want {
		if !sameField(key, value, have[key]) {
			return false
		}
	}
	for key := range have {
		if _, ok := want[key]; !ok && declared[key] {
			return false
		}
	}
	return true
}

func sameField(key string, want, have any) bool {
	wants, ok := want.([]any)
	haves, too := have.([]any)
	if key != "options" && key != "choices" || !ok || !too {
		return reflect.DeepEqual(want, have)
	}
	if len(wants) != len(haves) {
		return false
	}
	for i := range wants {
		w, ok := wants[i].(map[string]any)
		h, too := haves[i].(map[string]any)
		if ok != too || ok && !sameCommand(w, h) || !ok && !reflect.DeepEqual(wants[i], haves[i]) {
			return false
		}
	}
	return true
}

func keyOf(guild uint64, fields map[string]any) commandKey {
	key := commandKey{guild: guild}
	key.name, _ = fields["name"].(string)
	if n, ok := fields["type"].(json.Number); ok {
		key.kind, _ = strconv.Atoi(n.String())
	}
	return key
}

// fingerprint is short for a canonical command.
func fingerprint(fields map[string]any) string {
	written, err := json.Marshal(fields) // with sorted keys
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(written)
	return hex.EncodeToString(sum[:8])
}
