// Command goldenvariant makes another tree of golden vectors of the same form:
//
//	goldenvariant FROM TO
//
// Tests must hold on any such tree. So the copy has other names of files and
// cases, another user's home in the vectors of configuration, among the invalid
// definitions also those that the original accepts, and nothing recorded from a
// running topology, which not every tree has. Every value in it still came out
// of the original.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: goldenvariant FROM TO")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "goldenvariant:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	tree := os.DirFS(from)
	definitions, err := fs.Glob(tree, "topologies/*.defn")
	if err != nil {
		return err
	}
	invalid, err := fs.Glob(tree, "topologies/invalid/*.defn")
	if err != nil {
		return err
	}
	if len(definitions) == 0 || len(invalid) == 0 {
		return fmt.Errorf("%s is no tree of golden vectors", from)
	}
	var names []string
	for _, file := range append(definitions, invalid...) {
		name := path.Base(file)
		names = append(names, quoted(name), quoted(renamed(name)))
	}
	v := variant{tree: tree, to: to, names: strings.NewReplacer(names...)}
	if err := fs.WalkDir(tree, ".", v.copy); err != nil {
		return err
	}
	return v.accepted(definitions)
}

// quoted is a text as it stands in JSON.
func quoted(text string) string { return `"` + text + `"` }

type variant struct {
	tree fs.FS
	to   string
	// names are those of definitions, in JSON.
	names *strings.Replacer
}

func (v variant) copy(name string, entry fs.DirEntry, err error) error {
	if err != nil || name == "runtime" {
		if name == "runtime" {
			return fs.SkipDir
		}
		return err
	}
	if entry.IsDir() {
		return nil
	}
	data, err := fs.ReadFile(v.tree, name)
	if err != nil {
		return err
	}
	if path.Ext(name) == ".json" {
		data = []byte(v.names.Replace(string(data)))
	}
	if path.Dir(name) == "config" {
		data = bytes.ReplaceAll(data, []byte("/home/heron"), []byte("/home/someone-else"))
	}
	return v.write(path.Join(path.Dir(name), renamed(path.Base(name))), data)
}

func (v variant) write(name string, data []byte) error {
	file := filepath.Join(v.to, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// renamed is the new name of a file. Those that say what kind of vector it is
// keep that part.
func renamed(name string) string {
	switch name {
	case "README.md", "derived_values.json", "expected.json":
		return name
	}
	kind := ""
	for _, prefix := range []string{"apiserver-overrides-", "dryrun-submit-", "dryrun-update-"} {
		if strings.HasPrefix(name, prefix) {
			kind = prefix
		}
	}
	stem := strings.TrimSuffix(name, path.Ext(name))
	return fmt.Sprintf("%scase-%.4x%s", kind, sha256.Sum256([]byte(stem)), path.Ext(name))
}

// accepted adds the definitions of the folder topologies to those of the
// folder invalid, with the original's verdict.
func (v variant) accepted(definitions []string) error {
	var derived, derivedInvalid, expected map[string]json.RawMessage
	for _, file := range []struct {
		name string
		into *map[string]json.RawMessage
	}{
		{"topologies/derived_values.json", &derived},
		{"topologies/invalid/derived_values.json", &derivedInvalid},
		{"topologies/invalid/expected.json", &expected},
	} {
		data, err := os.ReadFile(filepath.Join(v.to, filepath.FromSlash(file.name)))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, file.into); err != nil {
			return fmt.Errorf("%s: %w", file.name, err)
		}
	}
	for _, definition := range definitions {
		name := renamed(path.Base(definition))
		for _, ext := range []string{".defn", ".json"} {
			data, err := fs.ReadFile(v.tree, strings.TrimSuffix(definition, ".defn")+ext)
			if err != nil {
				return err
			}
			if err := v.write("topologies/invalid/"+strings.TrimSuffix(name, ".defn")+ext, data); err != nil {
				return err
			}
		}
		var verdict struct{ Verify any }
		if err := json.Unmarshal(derived[name], &verdict); err != nil {
			return fmt.Errorf("derived values of %s: %w", name, err)
		}
		derivedInvalid[name] = derived[name]
		expected[name] = fmt.Appendf(nil, `{"valid": %t}`, verdict.Verify == true)
	}
	for name, values := range map[string]map[string]json.RawMessage{
		"topologies/invalid/derived_values.json": derivedInvalid, "topologies/invalid/expected.json": expected,
	} {
		data, err := json.MarshalIndent(values, "", " ")
		if err != nil {
			return err
		}
		if err := v.write(name, data); err != nil {
			return err
		}
	}
	return nil
}
