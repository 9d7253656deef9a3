package simulator

import (
	"encoding/json"
	"fmt"
	"math"
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
	maxLocales      = 34
	typeChat        = 1
	typeEntryPoint  = 4
	optionGroup     = 2
	optionSub       = 1
	optionString    = 3
	optionInteger   = 4
	optionNumber    = 10
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
	q.checkScope(m, e)
	if !e.prune() {
		return nil, q.malformed(e)
	}
	return m, answer{}
}

// checkScope refuses what is only for global commands.
func (q *query) checkScope(m map[string]json.RawMessage, e formErrors) {
	kind := typeChat
	setNumber(&kind, m["type"])
	if kind == typeEntryPoint && q.r.PathValue("guild") != "" {
		e.at("type").add("APPLICATION_COMMAND_INVALID_TYPE", "Entry Point commands cannot be registered in a guild")
	}
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
		q.checkScope(m, at)
		kind := typeChat
		setNumber(&kind, m["type"])
		key := strconv.Itoa(kind) + " " + strings.TrimSpace(textOf(m["name"]))
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
		case typeEntryPoint:
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
		"handler": {kind: isInt, min: 1, max: 2}, "id": {kind: isID},
	}
}

// checkLocales checks a dictionary of localized texts.
func checkLocales(m map[string]json.RawMessage, key string, most int, e formErrors) {
	texts, _ := object(m[key])
	if len(texts) > maxLocales {
		e.at(key).add("DICT_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", maxLocales))
	}
	for locale, text := range texts {
		field{kind: isString, min: 1, max: most}.check(text, e.at(key).at(locale))
	}
}

// checkNames checks localized names that users type.
func checkNames(m map[string]json.RawMessage, e formErrors) {
	names, _ := object(m["name_localizations"])
	for locale, name := range names {
		checkName(textOf(name), e.at("name_localizations").at(locale))
	}
}

// checkSet checks a list of distinct numbers from 0 to most; Discord takes none that is empty.
func checkSet(m map[string]json.RawMessage, key string, most int, e formErrors) {
	if raw := nullless(m[key]); len(raw) > 0 {
		var list []int
		seen := make(map[int]bool)
		if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
			e.at(key).add("BASE_TYPE_BAD_LENGTH", "Must be a list of 1 or more numbers.")
		}
		for _, n := range list {
			if n < 0 || n > most || seen[n] {
				e.at(key).add("SET_TYPE_ALREADY_CONTAINS_VALUE", fmt.Sprintf("Value %d is not one of the distinct values.", n))
			}
			seen[n] = true
		}
	}
}

func checkCommand(m map[string]json.RawMessage, e formErrors) {
	commandShape().check(m, e)
	checkLocales(m, "name_localizations", 32, e)
	checkLocales(m, "description_localizations", 100, e)
	checkSet(m, "contexts", 2, e)
	checkSet(m, "integration_types", 1, e)
	kind := typeChat
	setNumber(&kind, m["type"])
	if kind == typeChat {
		checkName(textOf(m["name"]), e.at("name"))
		checkNames(m, e)
		if n := utf8.RuneCountInString(strings.TrimSpace(textOf(m["description"]))); n < 1 {
			e.at("description").add("BASE_TYPE_REQUIRED", "This field is required")
		}
	} else {
		if kind != typeEntryPoint && len(nullless(m["description"])) > 0 {
			e.at("description").add("APPLICATION_COMMAND_DESCRIPTION_CANNOT_BE_SET", "Context menu commands cannot have description")
		}
		if len(options(m["options"])) > 0 {
			e.at("options").add("APPLICATION_COMMAND_OPTIONS_CANNOT_BE_SET", "Context menu commands cannot have options")
		}
	}
	if kind != typeEntryPoint && len(nullless(m["handler"])) > 0 {
		e.at("handler").add("APPLICATION_COMMAND_HANDLER_CANNOT_BE_SET", "Only Entry Point commands have a handler")
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
	optional, subs := false, false
	for i, m := range list {
		at := e.at(strconv.Itoa(i))
		optionShape().check(m, at)
		checkLocales(m, "name_localizations", 32, at)
		checkLocales(m, "description_localizations", 100, at)
		name, kind := textOf(m["name"]), 0
		setNumber(&kind, m["type"])
		checkName(name, at.at("name"))
		checkNames(m, at)
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
		case kind == optionGroup && depth > 0, kind == optionSub && depth > 1, kind != optionSub && depth == 1:
			at.at("type").add("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-command option cannot be nested here")
		case kind > optionGroup && len(nested) > 0:
			at.at("options").add("APPLICATION_COMMAND_OPTIONS_CANNOT_BE_SET", "Only sub-commands have options")
		default:
			checkOptions(nested, at.at("options"), nesting(kind))
		}
		subs = checkMixture(kind, i, subs, at)
		checkChoices(kind, m, at)
	}
}

// checkMixture refuses subcommands beside other options.
func checkMixture(kind, i int, subs bool, at formErrors) bool {
	isSub := kind == optionSub || kind == optionGroup
	if i > 0 && isSub != subs {
		at.at("type").add("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-command and sub-command group option types are mutually exclusive to all other types")
	}
	return isSub
}

// checkChoices checks what an option offers.
func checkChoices(kind int, m map[string]json.RawMessage, at formErrors) {
	choices := options(m["choices"])
	automatic := string(m["autocomplete"]) == "true"
	if len(choices) > 0 && automatic {
		at.add("APPLICATION_COMMAND_AUTOCOMPLETE_CHOICES", "Autocomplete cannot be set together with choices")
	}
	if (len(choices) > 0 || automatic) && kind != optionString && kind != optionInteger && kind != optionNumber {
		at.add("APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "This option has no choices")
	}
	for i, choice := range choices {
		here := at.at("choices").at(strconv.Itoa(i))
		checkLocales(choice, "name_localizations", 100, here)
		var text string
		var number float64
		isText, isNumber := json.Unmarshal(choice["value"], &text) == nil, json.Unmarshal(choice["value"], &number) == nil
		switch {
		case kind == optionString && (!isText || utf8.RuneCountInString(text) > 6000),
			kind == optionInteger && (!isNumber || number != math.Trunc(number)), kind == optionNumber && !isNumber:
			here.at("value").add("APPLICATION_COMMAND_OPTIONS_CHOICES_VALUE_INVALID", "Value is not of the option's type")
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

// textSize counts the characters that Discord limits: names, descriptions and values of a command. Of a text
// with localizations the longest counts.
func textSize(m map[string]json.RawMessage) int {
	n := 0
	for _, key := range [...]string{"name", "description"} {
		longest := utf8.RuneCountInString(textOf(m[key]))
		locales, _ := object(m[key+"_localizations"])
		for _, text := range locales {
			longest = max(longest, utf8.RuneCountInString(textOf(text)))
		}
		n += longest
	}
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
