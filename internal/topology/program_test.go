package topology

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
)

// checkRun runs the program, compares what it got and wrote, and closes.
func checkRun(t *testing.T, f *fixture, wantOutput string) *Definition {
	t.Helper()
	result, err := f.Run(context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, f.stderr.String())
	}
	if diff := cmp.Diff(wantOutput, f.stdout.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if len(result.Found) != 1 || filepath.Base(result.Found[0].File) != filepath.Base(f.definition) {
		t.Fatalf("found %v", result.Found)
	}
	info, err := os.Stat(filepath.Dir(result.Found[0].File))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the run's folder: %v, %v", info.Mode(), err)
	}
	for range 2 {
		if err := result.Close(); err != nil {
			t.Error(err)
		}
	}
	f.checkClean(t)
	return result.Found[0].Definition
}

func TestJavaPrograms(t *testing.T) {
	content := jar(t)
	for name, pack := range map[string]func() []byte{
		"app.jar":    func() []byte { return content },
		"app.tar":    func() []byte { return tarred(t, member{name: "app.jar", data: content}) },
		"app.tar.gz": func() []byte { return testenv.Gzip(t, tarred(t, member{name: "./app.jar", data: content})) },
		"other.tar":  func() []byte { return tarred(t, member{name: "libs/inner.jar", data: content}) },
		"third.tar":  func() []byte { return tarred(t, member{name: "any.jar", data: content}) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, sample("words"))
			f.File, f.Class = f.write(t, name, pack(), 0o600), "Main"
			f.JVMProperties = []string{"unused=a=b", "definition=" + f.definition}
			if d := checkRun(t, f, echoed(userArgs)); d.Name() != "words" {
				t.Errorf("found topology %q", d.Name())
			}
		})
	}
}

func TestNativePrograms(t *testing.T) {
	binary := native(t)
	t.Run("executable", func(t *testing.T) {
		f := newFixture(t, sample("words"))
		f.File = f.write(t, "program", binary, 0o700)
		checkRun(t, f, echoed(userArgs))
	})
	t.Run("shared library with a program beside it", func(t *testing.T) {
		f := newFixture(t, sample("words"))
		f.File = f.write(t, "libwords.so", []byte("shipped, not run"), 0o600)
		f.Class = f.write(t, "program", binary, 0o700)
		checkRun(t, f, echoed(userArgs))
	})
	t.Run("script", func(t *testing.T) {
		f := newFixture(t, sample("words"))
		f.script(t, `cp "$DEFINITION" "$folder"; for a; do echo "arg: $a"; done`)
		checkRun(t, f, echoed(userArgs))
	})
}

func TestPythonPrograms(t *testing.T) {
	for name, test := range map[string]struct {
		file, class string
		info        bool
		named       string
	}{
		"run by itself":                {"words.pex", "-", false, ""},
		"run by itself without ending": {"words", "-", false, ""},
		"class of a zip":               {"words.pex", "sample.topology.Sample", false, userArgs[0]},
		"class of a pex":               {"words.pex", "sample.topology.Sample", true, userArgs[0]},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, sample("words"))
			f.File, f.Class = f.write(t, test.file, pex(t, test.info), 0o700), test.class
			// "=" and "," in the first argument would break the options.
			checkRun(t, f, echoed(userArgs)+"named: "+test.named+"\n")
		})
	}
}

func TestSeveralDefinitionsAndInitialState(t *testing.T) {
	f := newFixture(t, sample("b"))
	other, err := FromProto(sample("a")).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	f.Variables = append(f.Variables, "OTHER="+f.write(t, "a.defn", other, 0o600))
	f.InitialState = heronpb.TopologyState_PAUSED
	f.script(t, `cp "$DEFINITION" "$OTHER" "$folder"; touch "$folder/.hidden.defn" "$folder/x.txt"; printf %s "$HERON_OPTIONS"`)
	result, err := f.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	var names []string
	for _, found := range result.Found {
		names = append(names, found.Definition.Name())
		if s := found.Definition.State(); s != heronpb.TopologyState_PAUSED {
			t.Errorf("%s is %s, asked for PAUSED", found.Definition.Name(), s)
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(f.stdout.String(), ",cmdline.topology.initial.state=PAUSED,") {
		t.Errorf("options %s", f.stdout.String())
	}
}

func TestProgramsThatFail(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"exits 1":             {`cp "$DEFINITION" "$folder"; echo broken >&2; exit 1`, "exit status 1"},
		"killed":              {`kill -9 $$`, "signal: killed"},
		"writes nothing":      {`true`, "wrote no topology definition"},
		"writes garbage":      {`echo garbage >"$folder/x.defn"`, "x.defn, which cannot be read"},
		"writes an empty one": {`: >"$folder/x.defn"`, "the file is empty"},
		"writes a folder":     {`mkdir "$folder/x.defn"`, "not a regular file"},
		"writes a pipe":       {`mkfifo "$folder/x.defn"`, "not a regular file"},
		"writes one twice":    {`cp "$DEFINITION" "$folder/a.defn"; cp "$DEFINITION" "$folder/b.defn"`, `two topologies called "words" (a.defn and b.defn)`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, sample("words"))
			f.script(t, test.script)
			f.Args = []string{"--password", "s3cret"}
			_, err := f.Run(context.Background())
			var failed *ProgramError
			if !errors.As(err, &failed) || failed.Kind() != outcome.Failed || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a *ProgramError that says %q", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), f.File)) {
				t.Errorf("%q names the arguments, or not the program", err)
			}
			f.checkClean(t)
		})
	}
}

func TestProgramIsCheckedBeforeItRuns(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, f *fixture)
		want   string
	}{
		"missing file":       {func(t *testing.T, f *fixture) { f.File = f.dir + "/no.jar" }, "does not exist"},
		"folder":             {func(t *testing.T, f *fixture) { f.File = f.dir }, "not a regular file"},
		"URI":                {func(t *testing.T, f *fixture) { f.File = "http://host/x.tar.gz" }, "download it first"},
		"file URI":           {func(t *testing.T, f *fixture) { f.File = "file:/x.jar" }, "download it first"},
		"tgz":                {func(t *testing.T, f *fixture) { f.File = f.write(t, "x.tgz", testenv.Gzip(t, nil), 0o600) }, ".tar.gz"},
		"zip":                {func(t *testing.T, f *fixture) { f.File = f.write(t, "x.zip", zipped(t, nil), 0o600) }, "use .jar"},
		"text":               {func(t *testing.T, f *fixture) { f.File = f.write(t, "notes", []byte("hello"), 0o700) }, "use .jar"},
		"capital ending":     {func(t *testing.T, f *fixture) { f.File = f.write(t, "X.JAR", nil, 0o600) }, "small letters"},
		"jar without class":  {func(t *testing.T, f *fixture) { f.File = f.write(t, "x.jar", nil, 0o600) }, "main class"},
		"pex without module": {func(t *testing.T, f *fixture) { f.File, f.Class = f.write(t, "x.pex", nil, 0o600), "Sample" }, "module.Class"},
		"script without x":   {func(t *testing.T, f *fixture) { f.File = f.write(t, "x", []byte("#!/bin/sh\n"), 0o600) }, "chmod +x"},
		"pex without x":      {func(t *testing.T, f *fixture) { f.File = f.write(t, "x.pex", nil, 0o600) }, "chmod +x"},
		"library without program": {func(t *testing.T, f *fixture) {
			f.File, f.Class = f.write(t, "x.so", nil, 0o600), "sh"
		}, `"sh", which is to write`},
		"no java": {func(t *testing.T, f *fixture) {
			f.File, f.Class, f.Variables = f.write(t, "x.jar", nil, 0o600), "Main", nil
		}, "install a JDK"},
		"wrong JAVA_BIN": {func(t *testing.T, f *fixture) {
			f.File, f.Class, f.Variables = f.write(t, "x.jar", nil, 0o600), "Main", []string{"JAVA_BIN=/no/java"}
		}, "JAVA_BIN"},
		"wrong JAVA_HOME": {func(t *testing.T, f *fixture) {
			f.File, f.Class, f.Variables = f.write(t, "x.jar", nil, 0o600), "Main", []string{"JAVA_HOME=/no"}
		}, "/no/bin/java"},
		"colon on class path": {func(t *testing.T, f *fixture) {
			f.File, f.Class = f.write(t, "a:b.jar", nil, 0o600), "Main"
			f.Variables = []string{"JAVA_BIN=/bin/sh"}
		}, "colon"},
		"colon in Heron's home": {func(t *testing.T, f *fixture) {
			f.File, f.Class, f.HeronHome = f.write(t, "x.jar", nil, 0o600), "Main", "/opt/heron:1"
			f.Variables = []string{"JAVA_BIN=/bin/sh"}
		}, `Heron's home "/opt/heron:1" has a colon`},
		"colon in Heron's home, of a tar": {func(t *testing.T, f *fixture) {
			f.File, f.Class, f.HeronHome = f.write(t, "x.tar", nil, 0o600), "Main", "/opt/heron:1"
			f.Variables = []string{"JAVA_BIN=/bin/sh"}
		}, "set HERON_HOME to a folder without one"},
		"comma in role": {func(t *testing.T, f *fixture) {
			f.script(t, "")
			f.Identity.Role = "a,b"
		}, "cmdline.topology.role"},
		"comma in temporary folder": {func(t *testing.T, f *fixture) {
			f.script(t, "")
			f.TempDir = filepath.Join(f.dir, "a,b")
			if err := os.Mkdir(f.TempDir, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "TMPDIR"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, sample("words"))
			test.change(t, f)
			_, err := f.Run(context.Background())
			var input *InputError
			if !errors.As(err, &input) || input.Kind() != outcome.Usage || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an *InputError that says %q", err, test.want)
			}
			f.checkClean(t)
		})
	}
}

func TestReadDefinitionFile(t *testing.T) {
	f := newFixture(t, sample("words"))
	found, err := ReadDefinitionFile(f.definition)
	if err != nil || found.Definition.Name() != "words" || found.File != f.definition {
		t.Errorf("%+v, %v", found, err)
	}
	for name, file := range map[string]string{
		"missing": filepath.Join(f.dir, "no.defn"),
		"folder":  f.dir,
		"empty":   f.write(t, "empty.defn", nil, 0o600),
		"garbage": f.write(t, "garbage.defn", []byte("garbage"), 0o600),
	} {
		_, err := ReadDefinitionFile(file)
		var input *InputError
		if !errors.As(err, &input) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want an *InputError that names %s", name, err, file)
		}
	}
}
