package simulator

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// command writes a command with the defaults that Discord fills in. Localized texts that equal the default are
// ignored (Discord's documentation, "Localization"); dm_permission and contexts are two views of one thing.
func (o *jsonOut) command(s *Server, c *command, localized bool) {
	o.open('{')
	o.id("id", c.id)
	o.id("application_id", s.world.bot)
	o.id("version", c.version)
	o.permissions(c.form["default_member_permissions"])
	o.num("type", int64(c.kind))
	o.str("name", c.name)
	o.str("description", strings.TrimSpace(textOf(c.form["description"])))
	if localized {
		for _, key := range [...]string{"name", "description"} {
			o.orJSON(key+"_localizations", localizations(c.form, key), "null")
		}
	}
	if c.guild != 0 {
		o.id("guild_id", c.guild)
	} else {
		o.contexts(c.form)
		o.orJSON("integration_types", sortedSet(c.form["integration_types"]), "[0]")
	}
	if list := options(c.form["options"]); len(list) > 0 {
		o.key("options")
		o.options(list, localized)
	}
	o.orJSON("nsfw", nullless(c.form["nsfw"]), "false")
	if c.kind == typeEntryPoint {
		o.orJSON("handler", nullless(c.form["handler"]), "1")
	}
	o.shut('}')
}

// contexts writes both forms in which Discord tells where a global command can be used.
func (o *jsonOut) contexts(form map[string]json.RawMessage) {
	contexts := sortedSet(form["contexts"])
	direct := string(form["dm_permission"]) != "false"
	switch {
	case contexts != nil:
		direct = bytes.ContainsRune(contexts, '1')
	case !direct:
		contexts = []byte("[0]")
	}
	o.yes("dm_permission", direct)
	o.orJSON("contexts", contexts, "null")
}

// sortedSet writes a list of numbers in their order; nil if there is none.
func sortedSet(raw json.RawMessage) []byte {
	var list []int
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil
	}
	slices.Sort(list)
	written, err := json.Marshal(slices.Compact(list))
	if err != nil {
		return nil
	}
	return written
}

// localizations are those of a text that differ from it, trimmed; nil if there are none.
func localizations(form map[string]json.RawMessage, key string) []byte {
	given, _ := object(form[key+"_localizations"])
	kept := make(map[string]string)
	for locale, raw := range given {
		if text := strings.TrimSpace(textOf(raw)); text != strings.TrimSpace(textOf(form[key])) {
			kept[locale] = text
		}
	}
	if len(kept) == 0 {
		return nil
	}
	written, err := json.Marshal(kept)
	if err != nil {
		return nil
	}
	return written
}

// permissions writes default_member_permissions, which may come as a number and goes as a string.
func (o *jsonOut) permissions(raw json.RawMessage) {
	o.key("default_member_permissions")
	if len(raw) == 0 || string(raw) == "null" {
		o.b = append(o.b, "null"...)
		return
	}
	text := string(raw)
	if raw[0] == '"' {
		text = textOf(raw)
	}
	o.b = strconv.AppendQuote(o.b, text)
}

// options writes options as Discord answers with them: flags that are false are left out.
func (o *jsonOut) options(list []map[string]json.RawMessage, localized bool) {
	o.open('[')
	for _, m := range list {
		o.open('{')
		o.orJSON("type", m["type"], "0")
		kind := 0
		setNumber(&kind, m["type"])
		o.texts(m, localized, "name", "description")
		for _, flag := range [...]string{"required", "autocomplete"} {
			if string(m[flag]) == "true" {
				o.raw(`"` + flag + `":true`)
			}
		}
		if set := sortedSet(m["channel_types"]); set != nil {
			o.json("channel_types", set)
		}
		for _, key := range [...]string{"min_value", "max_value", "min_length", "max_length"} {
			if raw := nullless(m[key]); len(raw) > 0 {
				o.json(key, numberOf(kind, raw))
			}
		}
		if choices := options(m["choices"]); len(choices) > 0 {
			o.choices(kind, choices, localized)
		}
		if sub := options(m["options"]); len(sub) > 0 {
			o.key("options")
			o.options(sub, localized)
		}
		o.shut('}')
	}
	o.shut(']')
}

// texts writes names and descriptions with their localizations.
func (o *jsonOut) texts(m map[string]json.RawMessage, localized bool, keys ...string) {
	for _, key := range keys {
		o.str(key, strings.TrimSpace(textOf(m[key])))
		if texts := localizations(m, key); localized && texts != nil {
			o.json(key+"_localizations", texts)
		}
	}
}

func (o *jsonOut) choices(kind int, list []map[string]json.RawMessage, localized bool) {
	o.key("choices")
	o.open('[')
	for _, m := range list {
		o.open('{')
		o.texts(m, localized, "name")
		o.json("value", numberOf(kind, m["value"]))
		o.shut('}')
	}
	o.shut(']')
}

// numberOf writes a number as options of that kind have them: 1e2 of an INTEGER is 100, 5 of a NUMBER 5.0.
func numberOf(kind int, raw json.RawMessage) []byte {
	f, err := strconv.ParseFloat(string(raw), 64)
	const exact = 1 << 53
	if err != nil || f < -exact || f > exact {
		return raw
	}
	switch {
	case kind != optionNumber && f == float64(int64(f)):
		return strconv.AppendInt(nil, int64(f), 10)
	case kind == optionNumber && f == float64(int64(f)):
		return append(strconv.AppendInt(nil, int64(f), 10), ".0"...)
	}
	return raw
}
