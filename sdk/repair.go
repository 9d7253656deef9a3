package sdk

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// lastKnownComponent is the highest component type that disgo knows: 1 to 8,
// from action row to channel select (Discord's documentation, "Component
// Reference").
const lastKnownComponent = 8

// lastKnownInteraction is the highest interaction type that disgo knows.
const lastKnownInteraction = 5

// repair rewrites a payload so that disgo can decode it: components that disgo
// does not know are left out wherever they are, a numeric nonce becomes a
// string, a timestamp in seconds (TYPING_START) a time, the labels of a
// presence's buttons become buttons, the values of a select menu its options.
// Everything else stays, numbers to the last digit. changed is false when there
// is nothing to repair or data is no JSON.
func repair(data []byte) (better []byte, changed bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var payload any
	if decoder.Decode(&payload) != nil || decoder.More() {
		return nil, false
	}
	changed = repairValue(payload)
	if top, ok := payload.(map[string]any); ok && repairInteraction(top) {
		changed = true
	}
	if !changed {
		return nil, false
	}
	better, err := json.Marshal(payload)
	if err != nil {
		return nil, false
	}
	return better, true
}

// repairValue repairs all objects below v and reports whether it changed any.
// Its depth is bounded by encoding/json, which reads 10,000 levels.
func repairValue(v any) (changed bool) {
	switch v := v.(type) {
	case map[string]any:
		changed = repairObject(v)
		for _, inner := range v {
			if repairValue(inner) {
				changed = true
			}
		}
	case []any:
		for _, inner := range v {
			if repairValue(inner) {
				changed = true
			}
		}
	}
	return changed
}

func repairObject(object map[string]any) (changed bool) {
	if components, ok := object["components"]; ok && components != nil {
		if kept, dropped := knownComponents(components); dropped {
			object["components"] = kept
			changed = true
		}
	}
	if nonce, ok := object["nonce"]; ok {
		switch nonce := nonce.(type) {
		case string, nil:
		case json.Number:
			object["nonce"] = nonce.String()
			changed = true
		default:
			delete(object, "nonce")
			changed = true
		}
	}
	if stamp, ok := object["timestamp"].(json.Number); ok {
		changed = true
		if seconds, err := stamp.Int64(); err == nil && seconds >= 0 && seconds < 1<<37 {
			object["timestamp"] = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
		} else {
			delete(object, "timestamp")
		}
	}
	if wrapStrings(object["buttons"], "label") {
		changed = true
	}
	if _, ok := object["component_type"]; ok && wrapStrings(object["values"], "value") {
		changed = true
	}
	return changed
}

// wrapStrings makes an object with one key of each string in a list.
func wrapStrings(list any, key string) (changed bool) {
	values, _ := list.([]any)
	for n, value := range values {
		if text, ok := value.(string); ok {
			values[n] = map[string]any{key: text}
			changed = true
		}
	}
	return changed
}

// knownComponents keeps what disgo can decode of a list of components.
func knownComponents(components any) (kept []any, dropped bool) {
	list, ok := components.([]any)
	if !ok {
		return []any{}, true
	}
	kept = make([]any, 0, len(list))
	for _, each := range list {
		if component, ok := each.(map[string]any); ok && known(component["type"], lastKnownComponent) {
			kept = append(kept, component)
		}
	}
	return kept, len(kept) < len(list)
}

// repairInteraction takes the data out of an interaction whose type disgo does
// not know.
func repairInteraction(top map[string]any) (changed bool) {
	_, hasToken := top["token"]
	_, hasData := top["data"]
	if !hasToken || !hasData || known(top["type"], lastKnownInteraction) {
		return false
	}
	delete(top, "data")
	return true
}

func known(kind any, last int) bool {
	number, ok := kind.(json.Number)
	if !ok {
		return false
	}
	n, err := strconv.Atoi(number.String())
	return err == nil && n >= 1 && n <= last
}

// repairAnswer does the same for an answer of the REST API, at little cost for
// the many that need no repair.
func repairAnswer(body []byte) []byte {
	if !anyValue(body, `"components"`, isFilledList) && !anyValue(body, `"nonce"`, isNumber) {
		return body
	}
	if better, changed := repair(body); changed {
		return better
	}
	return body
}

// anyValue says whether a value behind one of the places where key stands is
// such a one. It does not parse: it may find too many, never too few.
func anyValue(body []byte, key string, such func(value []byte) bool) bool {
	for {
		at := bytes.Index(body, []byte(key))
		if at < 0 {
			return false
		}
		body = body[at+len(key):]
		if such(bytes.TrimLeft(body, " \t\r\n:")) {
			return true
		}
	}
}

func isFilledList(value []byte) bool {
	if len(value) == 0 || value[0] != '[' {
		return false
	}
	first := bytes.TrimLeft(value[1:], " \t\r\n")
	return len(first) > 0 && first[0] != ']'
}

func isNumber(value []byte) bool {
	return len(value) > 0 && (value[0] == '-' || value[0] >= '0' && value[0] <= '9')
}
