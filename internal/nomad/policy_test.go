package nomad

import (
	"slices"
	"testing"
)

func TestWhichNamespacesRulesAreAbout(t *testing.T) {
	for rules, want := range map[string][]string{
		"":                                      nil,
		`node { policy = "read" }`:              nil,
		"namespace \"a\" {\n}\nnamespace b { }": {"a", "b"},
		"# namespace rules\nnamespace \"*\" { policy = \"read\" } // of each namespace\n/* namespace\nx */": {"*"},
		`{"namespace":{"*":{"policy":"read"},"secret":{"policy":"deny"}}}`:                                  {"*", "secret"},
		`{"node":{"policy":"read"}}`: nil,
		`namespace "a" { variables { path "x//y#z" { capabilities = ["read"] } } } namespace "b" { policy = "deny" }`: {"a", "b"},
	} {
		if got, ok := ruledIn(rules); !ok || !slices.Equal(got, want) {
			t.Errorf("%q is about %q, %v, want %q", rules, got, ok, want)
		}
	}
	for _, rules := range []string{
		`namespace = { "secret" = { policy = "deny" } }`, `{"namespace":[{"secret":{"policy":"deny"}}]}`, `{"namespace":`,
		`namespace "x" "y" { }`,
	} {
		if got, ok := ruledIn(rules); ok {
			t.Errorf("%q is taken to be about %q", rules, got)
		}
	}
}
