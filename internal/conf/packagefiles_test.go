package conf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder is a cluster's folder with files.
func folder(t *testing.T, files map[string]string) (*Loaded, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text, 0o644)
	}
	return loadFolder(t, dir), dir
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func loadFolder(t *testing.T, dir string, properties ...string) *Loaded {
	t.Helper()
	l, err := Load(Options{Home: "/opt/heron", Dir: dir, Cluster: "nomad", UserHome: "/home/alice", Properties: properties})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func reload(t *testing.T, l *Loaded, file, text string) *Loaded {
	t.Helper()
	write(t, filepath.Join(l.opts.Dir, file), text, 0o644)
	return loadFolder(t, l.opts.Dir)
}

func packageFiles(t *testing.T, l *Loaded) map[string]string {
	t.Helper()
	files, err := l.PackageFiles()
	if err != nil {
		t.Fatal(err)
	}
	packed := map[string]string{}
	for _, f := range files {
		packed[f.Name] = string(f.Data)
	}
	if len(packed) != len(files) {
		t.Errorf("%d files under %d names", len(files), len(packed))
	}
	return packed
}

func names(packed map[string]string) []string {
	var list []string
	for name := range packed {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// What containers read is packed, and what that names; nothing else is.
func TestPackageFiles(t *testing.T) {
	const sesame = "heron.uploader.s3.secret_key: sesame\n"
	l, dir := folder(t, map[string]string{
		"cluster.yaml": "a: 1\n", "client.yaml": "a: 1\n", "healthmgr.yaml": "a: 1\n", "packing.yaml": "a: 1\n", "scheduler.yaml": "a: 1\n",
		"statemgr.yaml": "a: 1\n", "uploader.yaml": "a: 1\n", "downloader.yaml": "a: 1\n", "stateful.yaml": "a: 1\n",
		"heron_internals.yaml": "a: 1\n", "override.yaml": "b: 2\n",
		"metrics_sinks.yaml": "sinks: []\nmine:\n  config: ./heron-conf/mine.properties\n  more: [ sub/list.txt, 'file:${HERON_CONF}/by-token.xml' ]\n  class-path: heron-conf/lib/*:x.jar\n",
		"heron_nomad.sh":     "#!/bin/sh\n. ./heron-conf/env.sh\n",

		"mine.properties": "level = info\nnext = heron-conf/next.txt\n", "next.txt": "next", "sub/list.txt": "list", "by-token.xml": "<x/>",
		"lib/one.jar": "one\x00password: 1", "lib/deep/two.jar": "two", "env.sh": "A=b\n",

		"notes.txt": sesame, "other.yaml": sesame, "mine.properties2": sesame, "lib2/x.jar": "x",
		".git/config": sesame, ".hidden.yaml": sesame, "lib/.hidden": sesame, "lib/.git/x": sesame,
		"scheduler.yaml~": sesame, "scheduler.yaml.orig": "<<<<<<< HEAD\n" + sesame, "scheduler.yaml.bak": sesame, "scheduler.yaml.rej": sesame,
		"#scheduler.yaml#": sesame, ".scheduler.yaml.swp": sesame, "lib/x~": sesame, "lib/x.swp": sesame, "lib/x.orig": sesame, "lib/#x#": sesame,
	})
	if err := os.Symlink("nowhere", filepath.Join(dir, "dead")); err != nil {
		t.Fatal(err)
	}
	link(t, "..", filepath.Join(dir, "sub", "up"))
	packed := packageFiles(t, l)
	want := []string{
		"by-token.xml", "client.yaml", "cluster.yaml", "downloader.yaml", "env.sh", "healthmgr.yaml", "heron_internals.yaml", "heron_nomad.sh",
		"lib/deep/two.jar", "lib/one.jar", "metrics_sinks.yaml", "mine.properties", "next.txt", "override.yaml", "packing.yaml",
		"scheduler.yaml", "stateful.yaml", "statemgr.yaml", "sub/list.txt", "uploader.yaml",
	}
	if diff := cmp.Diff(want, names(packed)); diff != "" {
		t.Errorf("packed (-want +got):\n%s", diff)
	}
	for name, text := range packed {
		if strings.Contains(text, "sesame") {
			t.Errorf("%s has a secret: %q", name, text)
		}
	}
	if packed["lib/one.jar"] != "one\x00password: 1" || packed["override.yaml"] != "b: 2\n" {
		t.Errorf("%q, %q", packed["lib/one.jar"], packed["override.yaml"])
	}
}

func TestEngineFilesUnderOtherNames(t *testing.T) {
	l, _ := folder(t, map[string]string{
		"client.yaml":     "heron.config.file.metrics.yaml: ${HERON_CONF}/mine/sinks.yaml\nheron.config.file.stateful.yaml: /etc/elsewhere.yaml\n",
		"mine/sinks.yaml": "sinks: []\n", "metrics_sinks.yaml": "sinks: []\n",
	})
	if diff := cmp.Diff([]string{"client.yaml", "mine/sinks.yaml", "override.yaml", "statemgr.yaml"}, names(packageFiles(t, l))); diff != "" {
		t.Error(diff)
	}
	l = reload(t, l, "client.yaml", "heron.config.file.metrics.yaml: ${HERON_CONF}/.sinks.yaml\n")
	l = reload(t, l, ".sinks.yaml", "sinks: []\n")
	_, err := l.PackageFiles()
	wantError(t, "a hidden file that the engine reads", err)
}

func TestSecretsAreTakenOutOfYAML(t *testing.T) {
	const start = "-----BEGIN RSA PRIVATE KEY-----"
	l, _ := folder(t, map[string]string{
		"client.yaml": "# old_password: hunter1\n# heron.nomad.token: hunter2 # no live one beside it\na:   1   # my pin is hunter3\n",
		"uploader.yaml": "a: 1\nheron.uploader.s3.secret_key: hunter2\nsink:\n  name: sink\n  password: |\n    hunter3\n" +
			"list: ['http://u:hunter4@h/', {apiKey: hunter5, k: v}]\nz: {access_key: hunter6}\nkey: |\n  " + start + "\n  hunter7\n'http://u:hunter8@h/': x\n",
		"statemgr.yaml":  "\ufeffb: &x {c: 1}\nd: *x\ne: {<<: *x, f: 1_000}\n",
		"scheduler.yaml": "~: nothing\nheron.nomad.scheduler.uri: http://h:1\n",
	})
	for name, want := range map[string]string{
		"client.yaml":    "a: 1\n",
		"uploader.yaml":  "a: 1\nsink:\n  name: sink\nlist:\n  -\n    k: v\nz: {}\n",
		"statemgr.yaml":  "b:\n  c: 1\nd:\n  c: 1\ne:\n  c: 1\n  f: 1000\n",
		"scheduler.yaml": "heron.nomad.scheduler.uri: http://h:1\n",
	} {
		if got := packageFiles(t, l)[name]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestFilesThatCannotBePacked(t *testing.T) {
	for text, want := range map[string]string{
		"level = info\n\npassword = sesame\n":              "x.properties:3: has password and is not YAML",
		"# heron.nomad.token: sesame\nlevel = info\n":      "x.properties:1: has heron.nomad.token and is not YAML",
		"<<<<<<< HEAD\nmy.api.key: sesame\n=======\n":      "x.properties:2: has my.api.key and is not YAML",
		"<a url='http://u:sesame@h/'/>":                    "x.properties:1: has an address with a password",
		"x\n-----BEGIN EC PRIVATE KEY-----\nsesame\n":      "x.properties:2: has a private key",
		"\xff\xfep\x00a\x00s\x00s\x00w\x00o\x00r\x00d\x00": "is not YAML",
	} {
		l, _ := folder(t, map[string]string{"client.yaml": "my.file: ./heron-conf/x.properties\n", "x.properties": text})
		_, err := l.PackageFiles()
		wantError(t, text, err)
		if err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sesame")) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
	l, _ := folder(t, map[string]string{"client.yaml": "my.file: ./heron-conf/x.yaml\n", "x.yaml": "a: [\nmy.token: sesame\n"})
	_, err := l.PackageFiles()
	wantError(t, "broken YAML", err)
	// A start script has its variables, and is needed by no container.
	l, _ = folder(t, map[string]string{"client.yaml": "a: 1\n", "heron_nomad.sh": "MY_TOKEN=sesame\n"})
	if diff := cmp.Diff([]string{"client.yaml", "override.yaml", "stateful.yaml", "statemgr.yaml"}, names(packageFiles(t, l))); diff != "" {
		t.Error(diff)
	}
}

func TestStartScriptsThatNoShellRuns(t *testing.T) {
	for script, want := range map[string]string{
		"#!/bin/sh\n":                   "",
		"#!/bin/sh\necho a\r\n":         "heron_nomad.sh:2: has lines that end as on Windows",
		"\ufeff#!/bin/sh\n":             "heron_nomad.sh:1: begins with a byte order mark",
		"\xff\xfe#\x00!\x00":            "is in UTF-16 or UTF-32, and no shell runs it",
		"#!/bin/sh\necho caf\xe9\n":     "heron_nomad.sh:2: is not in UTF-8",
		"#!/bin/sh\nprintf 'a\\r\\n'\n": "",
	} {
		l, _ := folder(t, map[string]string{"client.yaml": "a: 1\n", "heron_nomad.sh": script})
		_, err := l.PackageFiles()
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", script, err)
			}
			continue
		}
		wantError(t, script, err)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", script, err, want)
		}
	}
}

func TestPrivateFilesStayPrivate(t *testing.T) {
	l, dir := folder(t, map[string]string{"client.yaml": "a: 1\n", "cluster.yaml": "a: 1\n", "override.yaml": "b: 2\n"})
	for _, name := range []string{"client.yaml", "override.yaml"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := l.PackageFiles()
	if err != nil {
		t.Fatal(err)
	}
	private := map[string]bool{}
	for _, f := range files {
		private[f.Name] = f.Private
	}
	if diff := cmp.Diff(map[string]bool{"client.yaml": true, "cluster.yaml": false, "override.yaml": true, "statemgr.yaml": false, "stateful.yaml": false}, private); diff != "" {
		t.Error(diff)
	}
}

// What is packed says what the files say.
func TestShippedFilesArePackedAsTheyAre(t *testing.T) {
	packed := packageFiles(t, loadShipped(t))
	if len(packed) != 12 {
		t.Errorf("packed %v, want the ten files, the start script and the overrides", names(packed))
	}
	for name, text := range packed {
		if filepath.Ext(name) != ".yaml" || name == overrideName {
			continue
		}
		want, err := readFile(filepath.Join(shippedDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseYAML(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(typed(want), typed(got)); diff != "" {
			t.Errorf("%s (-file +packed):\n%s", name, diff)
		}
	}
}

func TestTheReleaseFile(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "client.yaml"), "a: 1\n", 0o644)
	built := []byte("heron.build.version: built\n")
	load := func(file string) (*Loaded, error) {
		return Load(Options{Home: home, Dir: dir, ReleaseFile: file, Release: built, UserHome: "/home/alice"})
	}
	version := func(l *Loaded) string {
		local, err := l.Local()
		if err != nil {
			t.Fatal(err)
		}
		v, _, _ := local.String("heron.build.version")
		return v
	}
	check := func(what, file, wantVersion, wantName, wantText string) {
		t.Helper()
		l, err := load(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := version(l); got != wantVersion {
			t.Errorf("%s: version %q, want %q", what, got, wantVersion)
		}
		if got := packageFiles(t, l)[wantName]; got != wantText {
			t.Errorf("%s: packed %q, want %q", what, got, wantText)
		}
	}
	check("a home without one", "", "built", "release.yaml", string(built))
	ofHome := "# by hand\nheron.build.version:   'of the home'\n"
	write(t, filepath.Join(home, "release.yaml"), ofHome, 0o644)
	check("the home's", "", "of the home", "release.yaml", ofHome)
	named := filepath.Join(t.TempDir(), "mine.yaml")
	write(t, named, "heron.build.version: named\n# my.token: sesame\n", 0o644)
	check("a named one", named, "named", "mine.yaml", "heron.build.version: named\n")

	l, err := load("/no/such/release.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.PackageFiles()
	wantError(t, "a named one that is missing", err)
	override := filepath.Join(t.TempDir(), "override.yaml")
	write(t, override, "a: b\n", 0o644)
	if l, err = load(override); err != nil {
		t.Fatal(err)
	}
	_, err = l.PackageFiles()
	wantError(t, "one with the name of the overrides", err)
}
