package simulator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// commandName is Discord's pattern for the names of chat commands and options.
var commandName = regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)

// Limits of commands.
const (
	maxOptions      = 25
	maxChatCommands = 100
	maxMenuCommands = 15
	maxCommandText  = 8000
	typeChat        = 1
	optionGroup     = 2
	optionSub       = 1
	optionLast      = 11
)

func options(raw json.RawMessage) []map[string]json.RawMessage {
	var list []map[string]json.RawMessage
	_ = json.Unmarshal(raw, &list) // what is no list has been refused
	return list
}

// commandForm reads the form of one command.
func (q *query) commandForm(data []byte) (map[string]json.RawMessage, answer) {
	m, ok := object(data)
	if !ok {
		q.s.breach(RuleBody, -1, q.rt.name)
		return nil, problem(400, 50109, "The request body contains invalid JSON.")
	}
	e := formErrors{}
	checkCommand(m, e)
	if !e.prune() {
		return nil, q.malformed(e)
	}
	return m, answer{}
}

// commandForms reads the forms of a bulk overwrite.
func (q *query) commandForms() ([]map[string]json.RawMessage, answer) {
	data, bad := q.payload()
	if data == nil {
		return nil, bad
	}
	var raw []json.RawMessage
	if json.Unmarshal(data, &raw) != nil || raw == nil {
		q.s.breach(RuleBody, -1, q.rt.name)
		return nil, problem(400, 50109, "The request body contains invalid JSON.")
	}
	e := formErrors{}
	forms := make([]map[string]json.RawMessage, 0, len(raw))
	seen := make(map[string]bool)
	for i, r := range raw {
		at := e.at(strconv.Itoa(i))
		m, ok := object(r)
		if !ok {
			at.add("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
			continue
		}
		checkCommand(m, at)
		kind := typeChat
		setNumber(&kind, m["type"])
		key := strconv.Itoa(kind) + " " + textOf(m["name"])
		if seen[key] {
			at.at("name").add("APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
		}
		seen[key] = true
		forms = append(forms, m)
	}
	if !e.prune() {
		return nil, q.malformed(e)
	}
	return forms, answer{}
}

// checkCount compares how many commands of each type there are with Discord's limits.
func (q *query) checkCount(list []*command) answer {
	counts := make(map[int]int)
	for _, c := range list {
		counts[c.kind]++
		limit := maxMenuCommands
		switch c.kind {
		case typeChat:
			limit = maxChatCommands
		case 4:
			limit = 1
		}
		if counts[c.kind] > limit {
			q.s.breach(RuleCommandLimit, -1, fmt.Sprintf("%s: more than %d of type %d", q.rt.name, limit, c.kind))
			return problem(400, 30032, fmt.Sprintf("Maximum number of application commands reached (%d).", limit))
		}
	}
	return answer{}
}

func commandShape() shape {
	return shape{
		"name": {kind: isString, required: true, min: 1, max: 32}, "type": {kind: isInt, min: 1, max: 4},
		"description": {kind: isString, max: 100}, "options": {kind: isList, max: maxOptions, each: shape{}},
		"default_member_permissions": {kind: isInt}, "dm_permission": {kind: isBool}, "nsfw": {kind: isBool},
		"contexts": {kind: isList, max: 3}, "integration_types": {kind: isList, max: 2},
		"name_localizations": {kind: isObject}, "description_localizations": {kind: isObject},
	}
}

func checkCommand(m map[string]json.RawMessage, e formErrors) {
	commandShape().check(m, e)
	kind := typeChat
	setNumber(&kind, m["type"])
	if kind == typeChat {
		checkName(textOf(m["name"]), e.at("name"))
		if n := utf8.RuneCountInString(textOf(m["description"])); n < 1 {
			e.at("description").add("BASE_TYPE_REQUIRED", "This field is required")
		}
	} else {
		if textOf(m["description"]) != "" {
			e.at("description").add("APPLICATION_COMMAND_DESCRIPTION_CANNOT_BE_SET", "Context menu commands cannot have description")
		}
		if len(options(m["options"])) > 0 {
			e.at("options").add("APPLICATION_COMMAND_OPTIONS_CANNOT_BE_SET", "Context menu commands cannot have options")
		}
	}
	checkOptions(options(m["options"]), e.at("options"), 0)
	if size := textSize(m); size > maxCommandText {
		e.add("APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size ("+strconv.Itoa(maxCommandText)+")")
	}
}

func checkName(name string, e formErrors) {
	lower := true
	for _, r := range name {
		lower = lower && unicode.ToLower(r) == r
	}
	if !commandName.MatchString(name) || !lower {
		e.add("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
	}
}

func optionShape() shape {
	return shape{
		"type": {kind: isInt, required: true, min: 1, max: optionLast}, "name": {kind: isString, required: true, min: 1, max: 32},
		"description": {kind: isString, required: true, min: 1, max: 100}, "required": {kind: isBool}, "autocomplete": {kind: isBool},
		"options":    {kind: isList, max: maxOptions, each: shape{}},
		"choices":    {kind: isList, max: maxOptions, each: shape{"name": {kind: isString, required: true, min: 1, max: 100}, "value": {kind: isAny, required: true}}},
		"min_length": {kind: isInt, max: 6000}, "max_length": {kind: isInt, min: 1, max: 6000}, "channel_types": {kind: isList},
	}
}

// checkOptions checks a list of options; depth is how many subcommands or groups are above.
func checkOptions(list []map[string]json.RawMessage, e formErrors, depth int) {
	seen := make(map[string]bool)
	optional := false
	for i, m := range list {
		at := e.at(strconv.Itoa(i))
		optionShape().check(m, at)
		name, kind := textOf(m["name"]), 0
		setNumber(&kind, m["type"])
		checkName(name, at.at("name"))
		if seen[name] {
			at.at("name").add("APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option names must be unique")
		}
		seen[name] = true
		required := string(m["required"]) == "true"
		if required && optional {
			at.add("APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options must be placed before non-required options")
		}
		optional = optional || !required
		nested := options(m["options"])
		switch {
		case kind == optionGroup && depth > 0, kind == optionSub && depth > 1:
			at.at("type").add("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-command option cannot be nested here")
		case kind > optionGroup && len(nested) > 0:
			at.at("options").add("APPLICATION_COMMAND_OPTIONS_CANNOT_BE_SET", "Only sub-commands have options")
		default:
			checkOptions(nested, at.at("options"), nesting(kind))
		}
		if string(m["autocomplete"]) == "true" && len(options(m["choices"])) > 0 {
			at.add("APPLICATION_COMMAND_AUTOCOMPLETE_CHOICES", "Autocomplete cannot be set together with choices")
		}
	}
}

// nesting is how deep the options below one of this kind are: a group may hold subcommands, which hold values.
func nesting(kind int) int {
	if kind == optionGroup {
		return 1
	}
	return 2
}

// textSize counts the characters that Discord limits: names, descriptions and values of a command.
func textSize(m map[string]json.RawMessage) int {
	n := utf8.RuneCountInString(textOf(m["name"])) + utf8.RuneCountInString(textOf(m["description"]))
	if raw, ok := m["value"]; ok {
		n += utf8.RuneCountInString(strings.Trim(string(raw), `"`))
	}
	for _, key := range [...]string{"options", "choices"} {
		for _, sub := range options(m[key]) {
			n += textSize(sub)
		}
	}
	return n
}

// options writes options as Discord answers with them: flags that are false are left out.
func (o *jsonOut) options(list []map[string]json.RawMessage) {
	o.open('[')
	for _, m := range list {
		o.open('{')
		o.orJSON("type", m["type"], "0")
		o.str("name", textOf(m["name"]))
		o.str("description", textOf(m["description"]))
		for _, flag := range [...]string{"required", "autocomplete"} {
			if string(m[flag]) == "true" {
				o.raw(`"` + flag + `":true`)
			}
		}
		for _, key := range [...]string{
			"name_localizations", "description_localizations", "choices", "channel_types", "min_value", "max_value", "min_length", "max_length",
		} {
			if raw := nullless(m[key]); len(raw) > 0 && string(raw) != "[]" {
				o.json(key, raw)
			}
		}
		if sub := options(m["options"]); len(sub) > 0 {
			o.key("options")
			o.options(sub)
		}
		o.shut('}')
	}
	o.shut(']')
}
