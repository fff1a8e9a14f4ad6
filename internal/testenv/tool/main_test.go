package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// compiler stands in for go: it notes each build, and ends it only when as many
// are under way as BUILDS says.
const compiler = `#!/bin/sh
out=$4
echo "$(basename "$out" .part)" >>"$NOTES/builds"
mkdir "$NOTES/$$"
tries=0
while [ "$(ls -d "$NOTES"/[0-9]* | wc -l)" -lt "$BUILDS" ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 600 ] || { echo "no other build started" >&2; exit 1; }
	sleep 0.05
done
echo built >"$out"
`

// run builds tools with an empty cache, in several processes at once, and
// returns what was built and what each process wrote.
func run(t *testing.T, builds string, processes ...[]string) (built []string, stdout, stderr []string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tool")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	bin, notes, cache := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(compiler), 0o755); err != nil {
		t.Fatal(err)
	}
	stdout, stderr = make([]string, len(processes)), make([]string, len(processes))
	var all sync.WaitGroup
	for i, names := range processes {
		all.Go(func() {
			cmd := exec.Command(program, names...)
			cmd.Env = append(os.Environ(), "PATH="+bin+":/usr/bin:/bin", "NOTES="+notes, "BUILDS="+builds,
				"HERON_CACHE="+cache, "VERSITYGW_BIN=", "PROMETHEUS_BIN=")
			var out, errOut strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &errOut
			if err := cmd.Run(); err != nil {
				t.Errorf("%v: %v\n%s", names, err, errOut.String())
			}
			stdout[i], stderr[i] = out.String(), errOut.String()
		})
	}
	all.Wait()
	text, err := os.ReadFile(filepath.Join(notes, "builds"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text)), stdout, stderr
}

func TestToolsAreBuiltAtTheSameTimeAndSaySo(t *testing.T) {
	built, stdout, stderr := run(t, "2", []string{"versitygw", "prometheus"})
	if len(built) != 2 {
		t.Errorf("built %v", built)
	}
	paths := strings.Fields(stdout[0])
	if len(paths) != 2 || filepath.Base(paths[0]) != "versitygw" || filepath.Base(paths[1]) != "prometheus" {
		t.Errorf("paths %q, want them in the order of the arguments", paths)
	}
	for _, want := range []string{
		"building versitygw (an S3 server) 1.8.0 (about 2 minutes, once per machine)\n", "building Prometheus ", "built Prometheus ",
	} {
		if !strings.Contains(stderr[0], want) {
			t.Errorf("standard error lacks %q:\n%s", want, stderr[0])
		}
	}
}

func TestAToolIsBuiltOnceByAll(t *testing.T) {
	same := []string{"versitygw"}
	built, stdout, _ := run(t, "1", same, same, same)
	if len(built) != 1 {
		t.Errorf("built %v", built)
	}
	if stdout[0] == "" || stdout[0] != stdout[1] || stdout[1] != stdout[2] {
		t.Errorf("paths %q", stdout)
	}
}
