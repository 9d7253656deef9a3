package host

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-bot/holdfast/cache"
	"github.com/holdfast-bot/holdfast/host/router"
)

// KeepLists are the fields that the guild cache keeps, by kind of object; see
// [cache.Keep].
type KeepLists map[string][]string

// String writes a kind after the other, such as "channel=name,topic role=name".
func (k KeepLists) String() string {
	var all []string
	for kind, names := range sorted(k) {
		all = append(all, kind+"="+strings.Join(names, ","))
	}
	return strings.Join(all, " ")
}

// UnmarshalText reads what String writes, and adds it to what is there: a flag
// may be given for each kind.
func (k *KeepLists) UnmarshalText(text []byte) error {
	out := maps.Clone(*k)
	if out == nil {
		out = make(KeepLists)
	}
	for one := range strings.FieldsSeq(string(text)) {
		kind, list, _ := strings.Cut(one, "=")
		names := slices.Collect(strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' }))
		if err := checkKeep(kind, names); err != nil {
			return err
		}
		out[kind] = slices.Concat(out[kind], names)
	}
	if len(out) == 0 {
		return errors.New("nothing is named: write it like channel=name,topic, or leave the setting out")
	}
	*k = out
	return nil
}

// check judges lists that a program has set.
func (k KeepLists) check() error {
	var faults []error
	for kind, names := range sorted(k) {
		faults = append(faults, checkKeep(kind, names))
	}
	return errors.Join(faults...)
}

// checkKeep is what the cache says of one list, shorter where it may be a slip.
func checkKeep(kind string, names []string) error {
	err := cache.Keep{kind: names}.Check()
	if err == nil {
		return nil
	}
	all, known := cache.KeepFields(kind)
	if !known {
		if near := nearest(kind, cache.KeepKinds(), max(2, len(kind)/3)); near != "" {
			return fmt.Errorf("%q is no kind of object: did you mean %s?", kind, near)
		}
		return err
	}
	for _, name := range names {
		if near := nearest(name, all, max(2, len(name)/3)); near != "" && near != name {
			return fmt.Errorf("%s has no field %q: did you mean %s?", kind, name, near)
		}
	}
	return err
}

// KeepPeople says what the guild cache keeps of people beside the bot's own
// member; see [cache.People].
type KeepPeople cache.People

// peopleKinds are the words of the setting with what they keep and the intent
// that brings it.
func peopleKinds() []struct {
	word   string
	keep   cache.People
	intent string
} {
	return []struct {
		word   string
		keep   cache.People
		intent string
	}{
		{"members", cache.Members, "GUILD_MEMBERS"},
		{"voice_states", cache.VoiceStates, "GUILD_VOICE_STATES"},
		{"presences", cache.Presences, "GUILD_PRESENCES"},
	}
}

// String lists the words of the setting.
func (p KeepPeople) String() string {
	var words []string
	for _, k := range peopleKinds() {
		if p&KeepPeople(k.keep) != 0 {
			words = append(words, k.word)
		}
	}
	return strings.Join(words, ", ")
}

// UnmarshalText reads words, separated by commas or spaces.
func (p *KeepPeople) UnmarshalText(text []byte) error {
	var out KeepPeople
	for word := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == ',' || r == ' ' }) {
		var keep KeepPeople
		for _, k := range peopleKinds() {
			if k.word == word {
				keep = KeepPeople(k.keep)
			}
		}
		if keep == 0 {
			return fmt.Errorf("%q is none of members, voice_states, presences", word)
		}
		out |= keep
	}
	if out == 0 {
		return errors.New("nothing is named: write some of members, voice_states, presences, or leave the setting out")
	}
	*p = out
	return nil
}

// intents are those that bring what is kept.
func (p KeepPeople) intents() (all Intents) {
	for _, k := range peopleKinds() {
		if bit, ok := router.Intent(k.intent); ok && p&KeepPeople(k.keep) != 0 {
			all |= Intents(bit)
		}
	}
	return all
}

// checkDenied refuses to keep what a denied intent would have to bring.
func (p KeepPeople) checkDenied(denied Intents) error {
	both := p.intents() & denied
	if both == 0 {
		return nil
	}
	rest := p
	for _, k := range peopleKinds() {
		if bit, _ := router.Intent(k.intent); both&Intents(bit) != 0 {
			rest &^= KeepPeople(k.keep)
		}
	}
	line := "remove the line cache_people"
	if rest != 0 {
		line = fmt.Sprintf("change the line to cache_people: %s", rest)
	}
	return fmt.Errorf("setting cache_people: %s needs %s, which deny_intents denies: %s, or allow it there", p&^rest, both, line)
}
