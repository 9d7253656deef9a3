package router

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxReasons bounds how many of Discord's reasons one error names.
const maxReasons = 5

// refusal is Discord's answer in words. Its reasons name commands by their place
// in the list; bodies says what stood there.
func refusal(status int, answer []byte, bodies []*wanted) error {
	var told struct {
		Code    int            `json:"code"`
		Message string         `json:"message"`
		Errors  map[string]any `json:"errors"`
	}
	if err := json.Unmarshal(answer, &told); err != nil || told.Message == "" {
		return fmt.Errorf("Discord answered %d", status) //nolint:staticcheck // begins with a name
	}
	reasons := flatten(nil, told.Errors, bodies, nil)
	if len(reasons) == 0 {
		return fmt.Errorf("Discord answered %d: %s (%d)%s", status, told.Message, told.Code, remedy(told.Code)) //nolint:staticcheck // begins with a name
	}
	if len(reasons) > maxReasons {
		reasons = append(reasons[:maxReasons], fmt.Sprintf("and %d more", len(reasons)-maxReasons))
	}
	return fmt.Errorf("Discord answered %d: %s: correct the declaration", status, strings.Join(reasons, "; ")) //nolint:staticcheck // begins with a name
}

// remedy for the codes of Discord that a sync meets.
func remedy(code int) string {
	switch code {
	case 30034: //nolint:mnd // Discord's code
		return ": 200 commands were created today, try again tomorrow"
	case 50001, 10004: //nolint:mnd // Discord's codes
		return ": invite the bot to that guild with the scope applications.commands"
	}
	return ""
}

// flatten collects the messages of an error tree, each after its path.
func flatten(path []string, tree map[string]any, bodies []*wanted, into []string) []string {
	if len(path) > maxDepth {
		return into
	}
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		switch v := tree[key].(type) {
		case map[string]any:
			into = flatten(append(path, place(path, key, bodies)), v, bodies, into)
		case []any:
			for _, each := range v {
				if reason, ok := each.(map[string]any); ok {
					into = append(into, fmt.Sprintf("%s: %v", strings.Join(path, " "), reason["message"]))
				}
			}
		}
	}
	return into
}

// place names the command that a number at the top of the tree stands for.
func place(path []string, key string, bodies []*wanted) string {
	n, err := strconv.Atoi(key)
	if len(path) > 0 || err != nil || n < 0 || n >= len(bodies) {
		return key
	}
	if bodies[n] == nil {
		return "a foreign command"
	}
	return "plugin " + bodies[n].plugin + ", " + bodies[n].key.String()
}
