package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/logs"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv/jsondoc"
	"github.com/heron-nomad/heron/internal/update"
	"github.com/heron-nomad/heron/internal/versions"
)

var updateSchemas = flag.Bool("update", false, "write docs/schemas anew")

// documents are what each command prints with --output json: a value of each
// type that its document may have. A new command is added here, and its schema
// made with: go test ./cmd/heron -run TestSchemas -update
func documents() map[string][]any {
	return map[string][]any{
		"activate":      {lifecycle.Switched{}},
		"apiserver":     {servedDoc{}},
		"completion":    {completionDoc{}},
		"config":        {map[string]string{}},
		"deactivate":    {lifecycle.Switched{}},
		"doctor":        {doctorDoc{}},
		"download":      {downloadedDoc{}},
		"gc":            {collectedDoc{}},
		"help":          {helpDoc{}},
		"history":       {versions.History{}},
		"init":          {installedDoc{}},
		"kill":          {lifecycle.Killed{}},
		"logs":          {logs.Line{}},
		"man":           {manDoc{}},
		"plan":          {plannedDoc{}},
		"restart":       {lifecycle.Restarted{}},
		"rollback":      {versions.RolledBack{}},
		"status":        {inspect.Status{}},
		"submit":        {submittedDoc{}, dryRunOf("packingClass", "topology", "containers"), dryRunOf("topology", "package", "packing", "state", "job", "containers")},
		"topologies":    {topologiesDoc{}},
		"unlock":        {unlockedDoc{}},
		"update":        {updatedDoc{}, update.Preview{}},
		"version":       {map[string]string{}},
		jsondoc.Failure: {errorDoc{}},
	}
}

// dryRunOf is the schema of a dry run, for one topology or several: formats
// that other documents describe, so only their parts are named.
func dryRunOf(parts ...string) *jsonschema.Schema {
	one := &jsonschema.Schema{Type: "object", Required: parts, Properties: map[string]*jsonschema.Schema{}, PropertyOrder: parts, AdditionalProperties: never()}
	for _, p := range parts {
		one.Properties[p] = &jsonschema.Schema{}
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{one, {Type: "array", Items: one.CloneSchemas()}}}
}

func never() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

// enums are types whose values are words.
func enums() map[reflect.Type]*jsonschema.Schema {
	var kinds []any
	for _, code := range exitCodes() {
		for _, k := range code.Kinds {
			kinds = append(kinds, string(k))
		}
	}
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[outcome.Kind](): {Type: "string", Enum: kinds},
		reflect.TypeFor[inspect.Health](): {Type: "string", Enum: []any{
			"healthy", "paused", "starting", "degraded", "failed", "stopping", "unknown",
		}},
		reflect.TypeFor[doctor.Status](): {Type: "string", Enum: []any{"ok", "warning", "problem"}},
		reflect.TypeFor[time.Time]():     {Type: "string", Format: "date-time"},
	}
}

// schema makes the schema of a command's documents.
func schema(t *testing.T, command string, forms []any) []byte {
	t.Helper()
	var list []*jsonschema.Schema
	for _, form := range forms {
		s, given := form.(*jsonschema.Schema)
		if !given {
			var err error
			if s, err = jsonschema.ForType(reflect.TypeOf(form), &jsonschema.ForOptions{TypeSchemas: enums()}); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			withoutNull(s)
		}
		list = append(list, s)
	}
	s := list[0]
	if len(list) > 1 {
		s = &jsonschema.Schema{AnyOf: list}
	}
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "heron " + command + " --output json"
	if command == jsondoc.Failure {
		s.Title = "any command that fails, with --output json"
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// withoutNull takes out the nulls that Go's types allow and heron never prints:
// a list may be empty but is there, and an optional field is left out instead.
func withoutNull(s *jsonschema.Schema) {
	for name, p := range s.Properties {
		if slices.Contains(p.Types, "array") || !slices.Contains(s.Required, name) {
			notNull(p)
		}
		withoutNull(p)
	}
	if s.Items != nil {
		notNull(s.Items)
		withoutNull(s.Items)
	}
	if s.AdditionalProperties != nil {
		withoutNull(s.AdditionalProperties)
	}
}

func notNull(s *jsonschema.Schema) {
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
}

func TestSchemasAreThoseOfTheDocuments(t *testing.T) {
	all := documents()
	for _, cmd := range runnable(t) {
		if all[cmd.Name()] == nil {
			t.Errorf("heron %s: no document in documents(), so no schema", cmd.Name())
		}
	}
	for command, forms := range all {
		want := schema(t, command, forms)
		file := jsondoc.File(command)
		if *updateSchemas {
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not up to date (%v); make it with: go test ./cmd/heron -run TestSchemas -update", file, err)
		}
	}
	files, err := filepath.Glob(jsondoc.File("*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := filepath.Base(file); all[name[:len(name)-len(".json")]] == nil {
			t.Errorf("%s is the schema of no command", file)
		}
	}
}
