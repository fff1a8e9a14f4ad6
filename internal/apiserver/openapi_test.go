package apiserver

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestDescription compares the routes with openapi.yaml, both ways.
func TestDescription(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	if err := yaml.Unmarshal(description, &doc); err != nil {
		t.Fatal(err)
	}
	described := map[string]string{}
	for at, methods := range doc.Paths {
		for method, node := range methods {
			if method == "parameters" {
				continue
			}
			var operation struct {
				Verb      string         `yaml:"x-verb"`
				Summary   string         `yaml:"summary"`
				Responses map[string]any `yaml:"responses"`
				Security  []any          `yaml:"security"`
			}
			if err := node.Decode(&operation); err != nil {
				t.Fatalf("%s %s: %v", method, at, err)
			}
			if operation.Summary == "" || len(operation.Responses) == 0 {
				t.Errorf("%s %s has no summary or no responses", method, at)
			}
			if open := operation.Verb == ""; open != (len(operation.Security) == 1) {
				t.Errorf("%s %s: its verb is %q, and security says something else", method, at, operation.Verb)
			}
			described[strings.ToUpper(method)+" "+at] = operation.Verb
		}
	}
	b := newBench(t, nil)
	var served []string
	for _, r := range b.server.routes() {
		key := r.method + " " + r.path
		served = append(served, key)
		verb, ok := described[key]
		switch {
		case !ok:
			t.Errorf("openapi.yaml lacks %s", key)
		case verb != string(r.verb):
			t.Errorf("%s: openapi.yaml has the verb %q, the server %q", key, verb, r.verb)
		}
	}
	for key := range described {
		if !slices.Contains(served, key) {
			t.Errorf("openapi.yaml has %s, which is not served", key)
		}
	}
	b.want(b.send("GET", "/api/v1/openapi.yaml", nil), 200, "openapi: 3.1.0")
}
