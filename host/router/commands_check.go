package router

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of one command, from Discord's documentation ("Application Command
// Object", "Slash Commands"). Where it and its OpenAPI description disagree (the
// length of a choice's value) the wider one stands here: Discord decides.
const (
	maxName       = 32
	maxText       = 100 // of descriptions, and of the names of choices
	maxOptions    = 25  // in one list, and of choices
	maxValue      = 6000
	maxCharacters = 8000
)

// Kinds of options, from the same page ("Application Command Option Type").
const (
	optionSub     = 1
	optionGroup   = 2
	optionString  = 3
	optionInteger = 4
	optionNumber  = 10
	optionLast    = 11 // that this code knows
)

// commandName is Discord's pattern ("Application Command Naming").
var commandName = regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)

// check collects what Discord would refuse in one command, each fault after its
// place.
type check struct{ faults []string }

// checkCommand tells all that Discord would refuse, so that one plugin's mistake
// is that plugin's and not an overwrite's. What it does not know it leaves to
// Discord.
func checkCommand(raw json.RawMessage, guild bool, kind int) error {
	fields, err := readObject(raw)
	if err != nil {
		return err
	}
	c := &check{}
	c.texts("", fields, kind == chatInput)
	c.scope(fields, guild, kind)
	switch options := listOf(fields["options"]); {
	case kind == chatInput:
		c.options("", options, optionGroup)
	case len(options) > 0:
		c.fault("", "options", "only chat input commands have options: leave them out")
	}
	if n := characters(fields); kind == chatInput && n > maxCharacters {
		c.fault("", "", fmt.Sprintf("its names, descriptions and values have %d characters together, Discord takes %d: shorten them", n, maxCharacters))
	}
	if more := len(c.faults) - maxReasons; more > 0 {
		c.faults = append(c.faults[:maxReasons], fmt.Sprintf("and %d more", more))
	}
	if len(c.faults) > 0 {
		return errors.New(strings.Join(c.faults, "; "))
	}
	return nil
}

func (c *check) fault(at, key, what string) {
	if at = strings.TrimSpace(at + " " + key); at != "" {
		what = at + ": " + what
	}
	c.faults = append(c.faults, what)
}

// texts checks name and description of a command or, within one, of an option;
// strict names are those that users type.
func (c *check) texts(at string, fields map[string]any, strict bool) {
	name, _ := fields["name"].(string)
	c.name(at, "name", name, strict)
	for locale, text := range localesOf(fields, "name") {
		c.name(at, "name_localizations "+locale, text, strict)
	}
	description, _ := fields["description"].(string)
	c.length(at, "description", description, strict)
	for locale, text := range localesOf(fields, "description") {
		c.length(at, "description_localizations "+locale, text, true)
	}
}

func (c *check) name(at, key, name string, strict bool) {
	name = strings.TrimSpace(name)
	n := utf8.RuneCountInString(name)
	switch {
	case strict && (!commandName.MatchString(name) || name != strings.ToLower(name)):
		c.fault(at, key, fmt.Sprintf("%.60q: use 1 to %d lower-case letters, digits, '-', '_' or '\\''", name, maxName))
	case n < 1 || n > maxName:
		c.fault(at, key, fmt.Sprintf("%.60q: use 1 to %d characters", name, maxName))
	}
}

// length checks a description; needed ones must not be empty.
func (c *check) length(at, key, text string, needed bool) {
	n := utf8.RuneCountInString(strings.TrimSpace(text))
	switch {
	case n == 0 && needed:
		c.fault(at, key, fmt.Sprintf("there is none: give 1 to %d characters", maxText))
	case n > maxText:
		c.fault(at, key, fmt.Sprintf("%d characters, Discord takes %d: shorten it", n, maxText))
	}
}

// scope checks the fields of a command that options do not have.
func (c *check) scope(fields map[string]any, guild bool, kind int) {
	if description, _ := fields["description"].(string); description != "" && (kind == userMenu || kind == messageOne) {
		c.fault("", "description", "commands in a context menu have none: leave it out")
	}
	if kind == entryPoint && guild {
		c.fault("", "type", "an entry point is never a guild's: declare it globally")
	}
	if fields["handler"] != nil && kind != entryPoint {
		c.fault("", "handler", "only an entry point (type 4) has one: leave it out")
	}
	if fields["default_permission"] == false {
		c.fault("", "default_permission", `Discord has given it up: use default_member_permissions "0"`)
	}
	if bits := fields["default_member_permissions"]; bits != nil {
		if _, err := strconv.ParseUint(fmt.Sprint(bits), 10, 64); err != nil {
			c.fault("", "default_member_permissions", fmt.Sprintf("%.60q is no bit set: write its number as a string", fmt.Sprint(bits)))
		}
	}
	if guild {
		return // Discord knows no contexts there, and they are not sent
	}
	for _, key := range []string{"contexts", "integration_types"} {
		list, given := fields[key].([]any)
		seen := make(map[string]bool)
		for _, each := range list {
			seen[fmt.Sprint(each)] = true
		}
		if fields[key] != nil && (!given || len(list) == 0 || len(seen) != len(list)) {
			c.fault("", key, "give a list of one or more different numbers, or leave it out")
		}
	}
}

// options checks a list of them; below says what else than values may stand in
// it: groups (and subcommands), subcommands alone, or, if it is 0, nothing.
func (c *check) options(at string, list []any, below int) {
	if len(list) > maxOptions {
		c.fault(at, "options", fmt.Sprintf("%d of them, Discord takes %d", len(list), maxOptions))
	}
	var subs, optional bool
	seen := make(map[string]bool)
	for i, each := range list {
		option, ok := each.(map[string]any)
		if !ok {
			c.fault(at, fmt.Sprint("options ", i), "it is no JSON object")
			continue
		}
		name, _ := option["name"].(string)
		name = strings.TrimSpace(name)
		here := strings.TrimSpace(at + " option " + strconv.Quote(name))
		if seen[name] {
			c.fault(here, "", "the name is there twice: rename one")
		}
		seen[name] = true
		kind := intOf(option["type"])
		isSub := kind == optionSub || kind == optionGroup
		if i > 0 && isSub != subs {
			c.fault(here, "type", "subcommands and other options do not go together")
		}
		subs = isSub
		required := option["required"] == true
		if required && optional {
			c.fault(here, "required", "required options come before the others: put it before")
		}
		optional = optional || !required
		c.option(here, option, kind, below)
	}
}

func (c *check) option(at string, option map[string]any, kind, below int) {
	c.texts(at, option, true)
	within := listOf(option["options"])
	switch {
	case kind < 1:
		c.fault(at, "type", "there is none: give 1 to "+strconv.Itoa(optionLast))
	case kind == optionGroup && below < optionGroup, kind == optionSub && below < optionSub:
		c.fault(at, "type", "a subcommand stands in a command or in a group, a group in a command: move it")
	case kind == optionGroup:
		c.group(at, within)
	case kind == optionSub:
		c.options(at, within, 0)
	case kind <= optionLast && len(within) > 0:
		c.fault(at, "options", "only subcommands and groups have options: leave them out")
	}
	c.values(at, option, kind)
}

// group checks that only subcommands stand in it.
func (c *check) group(at string, within []any) {
	for _, each := range within {
		if option, ok := each.(map[string]any); ok && intOf(option["type"]) != optionSub {
			c.fault(at, "options", "only subcommands stand in a group")
			break
		}
	}
	c.options(at, within, optionSub)
}

// values checks what an option says about its value.
func (c *check) values(at string, option map[string]any, kind int) {
	choices := listOf(option["choices"])
	chosen := kind == optionString || kind == optionInteger || kind == optionNumber
	automatic := option["autocomplete"] == true
	switch {
	case kind <= optionLast && !chosen && (len(choices) > 0 || automatic):
		c.fault(at, "choices", "only strings, integers and numbers have choices or autocomplete: leave them out")
	case len(choices) > maxOptions:
		c.fault(at, "choices", fmt.Sprintf("%d of them, Discord takes %d: use autocomplete", len(choices), maxOptions))
	case len(choices) > 0 && automatic:
		c.fault(at, "autocomplete", "it does not go together with choices: leave one out")
	}
	for i, each := range choices {
		choice, ok := each.(map[string]any)
		if !ok {
			c.fault(at, fmt.Sprint("choices ", i), "it is no JSON object")
			continue
		}
		c.choice(at, choice, i, kind)
	}
	for least, key := range []string{"min_length", "max_length"} {
		if n, ok := option[key].(json.Number); ok && (intOf(n) < least || intOf(n) > maxValue) {
			c.fault(at, key, fmt.Sprintf("%s: Discord takes %d to %d", n, least, maxValue))
		}
	}
}

func (c *check) choice(at string, choice map[string]any, i, kind int) {
	name, _ := choice["name"].(string)
	here := at + " choice " + strconv.Quote(name)
	if name == "" {
		here = at + " choice " + strconv.Itoa(i)
	}
	c.length(here, "name", name, true)
	for locale, text := range localesOf(choice, "name") {
		c.length(here, "name_localizations "+locale, text, true)
	}
	text, isText := choice["value"].(string)
	n, isNumber := choice["value"].(json.Number)
	switch {
	case isText && utf8.RuneCountInString(text) > maxValue:
		c.fault(here, "value", fmt.Sprintf("%d characters, Discord takes %d: shorten it", utf8.RuneCountInString(text), maxValue))
	case kind == optionString && !isText:
		c.fault(here, "value", "a string's choice is a string")
	case kind == optionInteger && (!isNumber || strings.Contains(number(n).String(), ".")):
		c.fault(here, "value", "an integer's choice is an integer")
	case kind == optionNumber && !isNumber:
		c.fault(here, "value", "a number's choice is a number")
	}
}

// characters are those that Discord counts: of names, descriptions and values,
// down to the choices; of a text with localizations the longest one.
func characters(fields map[string]any) int {
	n := 0
	for _, key := range []string{"name", "description"} {
		text, _ := fields[key].(string)
		longest := utf8.RuneCountInString(text)
		for _, text := range localesOf(fields, key) {
			longest = max(longest, utf8.RuneCountInString(text))
		}
		n += longest
	}
	if value := fields["value"]; value != nil {
		n += utf8.RuneCountInString(fmt.Sprint(value))
	}
	for _, key := range []string{"options", "choices"} {
		for _, each := range listOf(fields[key]) {
			if below, ok := each.(map[string]any); ok {
				n += characters(below)
			}
		}
	}
	return n
}

// localesOf yields the localizations of a text, sorted by locale.
func localesOf(fields map[string]any, key string) func(yield func(locale, text string) bool) {
	texts, _ := fields[key+"_localizations"].(map[string]any)
	return func(yield func(locale, text string) bool) {
		for _, locale := range slices.Sorted(maps.Keys(texts)) {
			text, _ := texts[locale].(string)
			if texts[locale] != nil && !yield(locale, text) {
				return
			}
		}
	}
}

// intOf reads a JSON number; 0 if it is no integer.
func intOf(value any) int {
	n, ok := value.(json.Number)
	if !ok {
		return 0
	}
	i, err := strconv.Atoi(number(n).String())
	if err != nil {
		return 0
	}
	return i
}
