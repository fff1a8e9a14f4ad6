package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/testenv/jsondoc"
)

// scripts are the shell scripts in the examples of a document: what stands
// under run and script.
func scripts(t *testing.T, document string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	var collect func(v any, isScript bool)
	collect = func(v any, isScript bool) {
		switch v := v.(type) {
		case map[string]any:
			for key, one := range v {
				collect(one, key == "run" || key == "script")
			}
		case []any:
			for _, one := range v {
				collect(one, isScript)
			}
		case string:
			if isScript {
				list = append(list, v)
			}
		}
	}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
		var doc any
		if err := yaml.Unmarshal(block[1], &doc); err != nil {
			t.Errorf("%s: %v\n%s", document, err, block[1])
		}
		collect(doc, false)
	}
	return list
}

func TestPipelineExamplesAreWhatHeronTakes(t *testing.T) {
	expression := regexp.MustCompile(`\$\{\{.*?\}\}`) // of GitHub's
	used := map[string]bool{}
	for _, script := range scripts(t, "pipelines.md") {
		script = expression.ReplaceAllString(script, "7")
		for _, line := range heronLines(script) {
			if err := parses(line); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			used[strings.Fields(line)[1]] = true
		}
		cmd := exec.Command("bash", "-n")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("bash does not take this: %v\n%s\n%s", err, out, script)
		}
		for _, field := range regexp.MustCompile(`\\\(\.(\w+)\)`).FindAllStringSubmatch(script, -1) {
			text, err := os.ReadFile(jsondoc.File("submit"))
			if err != nil || !json.Valid(text) || !bytes.Contains(text, []byte(`"`+field[1]+`": {`)) {
				t.Errorf("the document of submit has no field %s", field[1])
			}
		}
	}
	for _, command := range []string{"submit", "plan", "kill", "status", "gc"} {
		if !used[command] {
			t.Errorf("there is no example with %s", command)
		}
	}
}
