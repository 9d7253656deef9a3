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
// certain reader have. default_permission is what default_member_permissions
// has replaced: Discord still answers it at times, and checkCommand refuses it
// where it would say something.
var given = []string{ //nolint:gochecknoglobals // a constant that Go cannot write
	"id", "application_id", "guild_id", "version", "name_localized", "description_localized", "default_permission",
}

// globalOnly are the fields that Discord knows for global commands alone.
var globalOnly = []string{"contexts", "integration_types", "dm_permission"} //nolint:gochecknoglobals // a constant that Go cannot write

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
	fields, err := readObject(raw)
	if err != nil {
		return nil, err
	}
	for _, key := range given {
		delete(fields, key)
	}
	if n, ok := fields["default_member_permissions"].(json.Number); ok {
		fields["default_member_permissions"] = n.String() // Discord answers a string
	}
	if guild {
		for _, key := range globalOnly {
			delete(fields, key)
		}
	} else {
		mergeContexts(fields)
	}
	if err := simplify(fields, 0); err != nil {
		return nil, err
	}
	mergeLocalizations(fields)
	if text, ok := fields["default_member_permissions"].(string); ok {
		if bits, err := strconv.ParseUint(text, 10, 64); err == nil {
			fields["default_member_permissions"] = strconv.FormatUint(bits, 10)
		}
	}
	if fields["type"] == nil {
		fields["type"] = json.Number("1")
	}
	return fields, nil
}

// readObject reads one JSON object with its numbers as they are written.
func readObject(raw json.RawMessage) (map[string]any, error) {
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
	return fields, nil
}

// mergeContexts says in contexts what the older dm_permission says: without
// direct messages only guilds are left. With contexts dm_permission says nothing
// of its own. (All three contexts are not the default, whatever Discord's
// documentation once said: without contexts a command is not there in private
// channels. See discord-api-docs, issue 6744 and pull request 7583.)
func mergeContexts(fields map[string]any) {
	noDM := fields["dm_permission"] == false
	delete(fields, "dm_permission")
	if contexts, _ := fields["contexts"].([]any); len(contexts) == 0 && noDM {
		fields["contexts"] = []any{json.Number("0")}
	}
}

// mergeLocalizations drops localized texts that equal the text itself, down to
// those of choices: "Any localized values that are identical to the default will
// be ignored" (Discord's documentation, "Localization").
func mergeLocalizations(fields map[string]any) {
	for _, key := range []string{"name", "description"} {
		texts, _ := fields[key+"_localizations"].(map[string]any)
		for locale, text := range texts {
			if sameText(text, fields[key]) {
				delete(texts, locale)
			}
		}
		if len(texts) == 0 {
			delete(fields, key+"_localizations")
		}
	}
	for _, key := range []string{"options", "choices"} {
		for _, each := range listOf(fields[key]) {
			if below, ok := each.(map[string]any); ok {
				mergeLocalizations(below)
			}
		}
	}
}

// sameText compares what may be anything: only texts are the same.
func sameText(a, b any) bool {
	x, ok := a.(string)
	y, too := b.(string)
	return ok && too && x == y
}

func listOf(value any) []any {
	list, _ := value.([]any)
	return list
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
func sameCommand(want, have map[string]any) bool { return len(differences(want, have)) == 0 }

// differences names the fields in which what Discord has is not what an author
// wants, sorted, such as "description" and "options sides max_value".
func differences(want, have map[string]any) []string {
	var found []string
	for key, value := range want {
		found = append(found, fieldDifferences(key, value, have[key])...)
	}
	for key := range have {
		if _, ok := want[key]; !ok && declared[key] {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	return found
}

func fieldDifferences(key string, want, have any) []string {
	wants, ok := want.([]any)
	haves, too := have.([]any)
	if key != "options" && key != "choices" || !ok || !too || len(wants) != len(haves) {
		if reflect.DeepEqual(want, have) {
			return nil
		}
		return []string{key}
	}
	var found []string
	for i := range wants {
		w, ok := wants[i].(map[string]any)
		h, too := haves[i].(map[string]any)
		switch {
		case ok && too && sameText(w["name"], h["name"]):
			for _, below := range differences(w, h) {
				found = append(found, fmt.Sprintf("%s %s %s", key, w["name"], below))
			}
		case !reflect.DeepEqual(wants[i], haves[i]): // others, or in another order
			return []string{key}
		}
	}
	return found
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
