package conf

import (
	"strings"
	"testing"
)

// The engine's readers are stricter than this program: C++ and Java take no
// units, Python no addresses of IPv6.
func TestValuesThatTheEngineCannotRead(t *testing.T) {
	line := func(key, value string) string {
		var lines []string
		for l := range strings.Lines(internals(t)) {
			if strings.HasPrefix(l, key+":") {
				l = key + ": " + value + "\n"
			}
			lines = append(lines, l)
		}
		return strings.Join(lines, "")
	}
	const number = "heron.streammgr.cache.drain.size.mb"
	for _, c := range []struct {
		key, value, want string
	}{
		{number, "100", ""}, {number, "0x64", ""}, {number, "1_00", ""}, {number, "'100'", ""},
		{number, "100MB", `"100MB" is not a whole number`}, {number, "1.5", "is not a whole number"}, {number, "-1", "is not a whole number"},
		{number, "3000000000", "is not a whole number"}, {number, "'100 '", "is not a whole number"}, {number, "[1]", "a list is not a whole number"}, {number, "yes", "is not a whole number"},
		{keyBindAll, "yes", ""}, {keyBindAll, "'true'", ""}, {keyBindAll, "'yes'", "is not a boolean"}, {keyBindAll, "1", "is not a boolean"},
		{keySampleWeight, "0.5", ""}, {keySampleWeight, "1", ""}, {keySampleWeight, "half", "is not a number"}, {keySampleWeight, ".nan", "is not a number"},
		{keyLogFolder, "logs", ""}, {keyLogFolder, "''", "is not the name of a folder"}, {keyLogFolder, "5", "is not the name of a folder"},
	} {
		for where, files := range map[string]map[string]string{
			"heron_internals.yaml": {"heron_internals.yaml": line(c.key, c.value)},
			"override.yaml":        {"heron_internals.yaml": internals(t), "override.yaml": c.key + ": " + c.value + "\n"},
		} {
			err := resolved(t, files).Check()
			what := where + ", " + c.key + ": " + c.value
			if c.want == "" {
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
				continue
			}
			wantError(t, what, err)
			if err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), where+":")) {
				t.Errorf("%s: %v, want %q in it", what, err, c.want)
			}
		}
	}
	err := resolved(t, map[string]string{"heron_internals.yaml": internals(t), "stateful.yaml": "heron.ckptmgr.network.read.batch.time.ms: 16ms\n"}).Check()
	wantError(t, "stateful.yaml", err)
}

func TestSinksThatMetricsManagersCannotStart(t *testing.T) {
	for sinks, want := range map[string]string{
		"sinks: [f]\nf: {class: x.File}\n": "",
		"sinks: []\n":                      "",
		"f: {class: x.File}\n":             "sinks: missing",
		"":                                 "sinks: missing",
		"sinks: f\n":                       "sinks: is a string",
		"sinks: [5]\n":                     "sinks: holds a number",
		"sinks: [f]\n":                     "sinks: names f, which is not set",
		"sinks: [f]\nf: text\n":            "f: has no class",
		"sinks: [f]\nf: {level: 1}\n":      "f: has no class",
		"sinks: [f]\nf: {class: ''}\n":     "f: has no class",
	} {
		err := resolved(t, map[string]string{"heron_internals.yaml": internals(t), "metrics_sinks.yaml": sinks}).CheckEngine()
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", sinks, err)
			}
			continue
		}
		wantError(t, sinks, err)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", sinks, err, want)
		}
	}
}

func TestServersThatExecutorsCannotReach(t *testing.T) {
	for connection, want := range map[string]string{
		"zk1:2181":                "zk1:2181",
		"zk1:2181, 10.0.0.1:2182": "zk1:2181,10.0.0.1:2182",
		"zk_1.example.com:2181":   "zk_1.example.com:2181",
		"[::1]:2181":              "",
		"::1:2181":                "",
		"zk1:2181,[fe80::1]:2181": "",
		"[zk1]:2181":              "",
		"zk1:+2181":               "",
		"zk1:65536":               "",
		"zk1:":                    "",
		"zk 1:2181":               "",
		"zkü:2181":                "",
		"zk1:2181,":               "",
		"zk1;zk2:2181":            "",
	} {
		s, err := resolved(t, with(map[string]string{"override.yaml": "heron.statemgr.connection.string: '" + connection + "'\n"})).Settings()
		if want == "" {
			wantError(t, connection, err)
			continue
		}
		if err != nil || s.State.Connection != want {
			t.Errorf("%s: %v, want %s", connection, err, want)
		}
	}
	_, err := resolved(t, with(map[string]string{"override.yaml": "heron.statemgr.connection.string: '[::1]:2181'\n"})).Settings()
	if err == nil || !strings.Contains(err.Error(), "is an IPv6 address") || !strings.Contains(err.Error(), "write the server's name or its IPv4 address") {
		t.Errorf("an IPv6 address: %v", err)
	}
	// Only this program goes there.
	s, err := resolved(t, with(map[string]string{"override.yaml": keyZooKeeperClient + ": '[::1]:2181'\n"})).Settings()
	if err != nil || s.State.ClientServers[0] != "[::1]:2181" {
		t.Errorf("an address of the client's own: %v", err)
	}
}

func TestRootsThatAreNoNodes(t *testing.T) {
	for root, ok := range map[string]bool{"/": false, "//": false, "/a/./b": false, "/a/..": false, "/a\tb": false, "/a b": true, "/é": true, "/a": true} {
		_, err := resolved(t, with(map[string]string{"override.yaml": "heron.statemgr.root.path: \"" + root + "\"\n"})).Settings()
		if (err == nil) != ok {
			t.Errorf("%q: %v, want it taken: %v", root, err, ok)
		}
	}
}

// Executors keep slashes as they are, which makes paths that are none.
func TestRootsAreWrittenOutForExecutors(t *testing.T) {
	statemgr := func(root string) string {
		return "heron.class.state.manager: " + zookeeperClass + "\nheron.statemgr.connection.string: zk:1\nheron.statemgr.root.path: " + root + "\n"
	}
	for root, want := range map[string]string{
		"/heron":         "{}\n",
		"${HOME}/heron":  "{}\n",
		"/heron/":        "heron.statemgr.root.path: /heron\n",
		"/a//b":          "heron.statemgr.root.path: /a/b\n",
		"' /heron '":     "heron.statemgr.root.path: /heron\n",
		"${HOME}/heron/": "heron.statemgr.root.path: /home/alice/heron\n",
	} {
		got, err := resolved(t, with(map[string]string{"statemgr.yaml": statemgr(root)})).OverrideYAML()
		if err != nil || string(got) != want {
			t.Errorf("%s: %q (%v), want %q", root, got, err, want)
		}
	}
}

// Executors stop at a token that they do not know in any value of the file.
func TestStatemgrYAMLForExecutors(t *testing.T) {
	const state = "heron.class.state.manager: zookeeper\nheron.statemgr.connection.string: zk:1\nheron.statemgr.root.path: ${HOME}/heron\n"
	l, _ := folder(t, map[string]string{"statemgr.yaml": state +
		"heron.statemgr.zookeeper.tls.ca.cert: ${HERON_CONF}/ca.pem\nmy.path: ${HERON_CONF}/${CLUSTER}\nmy.home: ${HOME}/x\nmy.small: ${small}\n"})
	const want = state + "my.path: ./heron-conf/nomad\nmy.home: ${HOME}/x\nmy.small: ${small}\n"
	if got := packageFiles(t, l)["statemgr.yaml"]; got != want {
		t.Errorf("packed %q, want %q", got, want)
	}
	l = reload(t, l, "statemgr.yaml", state+"my.path: ${NOBODY}/x\n")
	_, err := l.PackageFiles()
	wantError(t, "an unknown token", err)
	if err != nil && !strings.Contains(err.Error(), "statemgr.yaml:4: my.path: executors cannot replace ${NOBODY}") {
		t.Error(err)
	}
	l, _ = folder(t, map[string]string{"client.yaml": state})
	packed := packageFiles(t, l)
	if packed["statemgr.yaml"] != "{}\n" || packed["stateful.yaml"] != "{}\n" {
		t.Errorf("missing files are packed as %q and %q, but executors insist on them", packed["statemgr.yaml"], packed["stateful.yaml"])
	}
}
