package nomad

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

var (
	// policyComment matches texts as well, in which nothing is a comment.
	policyComment = lazyregexp.New(`"(?:\\.|[^"\\])*"|/\*(?s:.*?)\*/|(?m:(?:#|//).*$)`)
	namespaceWord = lazyregexp.New(`(?m)\bnamespace\b`)
	// namespaceRule is the head of a rule, as namespace "default" {.
	namespaceRule = lazyregexp.New(`\bnamespace\b"?\s*(?:"([^"]+)"|([A-Za-z0-9_*-]+))\s*\{`)
)

// ruledIn are the namespaces, or patterns, that the rules of a policy are
// about; ok is false where they are written in a form that it does not know.
func ruledIn(rules string) (names []string, ok bool) {
	if strings.HasPrefix(strings.TrimSpace(rules), "{") {
		var doc struct {
			Namespace map[string]any `json:"namespace"`
		}
		if json.Unmarshal([]byte(rules), &doc) != nil {
			return nil, false
		}
		return slices.Sorted(maps.Keys(doc.Namespace)), true
	}
	rules = policyComment.ReplaceAllStringFunc(rules, func(text string) string {
		if strings.HasPrefix(text, `"`) {
			return text
		}
		return " "
	})
	found := namespaceRule.FindAllStringSubmatch(rules, -1)
	for _, m := range found {
		names = append(names, m[1]+m[2])
	}
	return names, len(found) == len(namespaceWord.FindAllString(rules, -1))
}
