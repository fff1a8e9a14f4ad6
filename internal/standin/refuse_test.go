package standin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExecutorRefuses runs whole executors: each change of what the client
// leaves behind must end them with a reason, before they touch the state,
// which is not even there.
func TestExecutorRefuses(t *testing.T) {
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut := func(name, line string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(data), line, "", 1)
			if text == string(data) {
				t.Fatalf("no %q in %s", line, name)
			}
			write(name, text)(t, dir)
		}
	}
	const statemgr = "heron-conf/statemgr.yaml"
	for _, test := range []struct {
		name   string
		change func(t *testing.T, dir string)
		flag   string
		env    string
		code   int
		want   string
	}{
		{name: "an unknown flag", flag: "--shards=1", code: exitUsage, want: "no such option"},
		{name: "a missing flag", flag: "--role", code: exitUsage, want: "missing option --role"},
		{name: "internals without a key", change: cut("heron-conf/heron_internals.yaml", "heron.instance.tuning.interval.ms: 1\n"), code: exitFailed, want: "missing heron.instance.tuning.interval.ms"},
		{name: "no internals", change: remove("heron-conf/heron_internals.yaml"), code: exitFailed, want: "heron_internals.yaml"},
		{name: "no override file", change: remove("heron-conf/override.yaml"), code: exitFailed, want: "override.yaml"},
		{name: "override file that is a list", change: write("heron-conf/override.yaml", "- a\n"), code: exitFailed, want: "override.yaml"},
		{name: "no stateful file", change: remove("heron-conf/stateful.yaml"), code: exitFailed, want: "stateful.yaml"},
		{name: "no sinks", change: remove("heron-conf/metrics_sinks.yaml"), code: exitFailed, want: "metrics_sinks.yaml"},
		{name: "no binary of the topology", change: remove("wc.jar"), code: exitFailed, want: "--topology-binary-file"},
		{name: "no definition", change: remove("wc.defn"), code: exitFailed, want: "--topology-defn-file"},
		{name: "a definition that is none", change: write("wc.defn", "x"), code: exitFailed, want: "not a topology definition"},
		{name: "a definition of another run", flag: "--topology-id=wc-2", code: exitFailed, want: "the command line says wc with id wc-2"},
		{name: "no TManager in the core", change: remove("heron-core/bin/heron-tmanager"), code: exitFailed, want: "--tmanager-binary"},
		{name: "no state manager file", change: remove(statemgr), code: exitFailed, want: "statemgr.yaml"},
		{name: "a root with a foreign token", change: write(statemgr, "heron.class.state.manager: x\nheron.statemgr.root.path: /a/${ROLE}\n"), code: exitFailed, want: "unsupported or unset tokens: ${ROLE}"},
		{name: "no state manager class", change: write(statemgr, "heron.statemgr.root.path: /a\n"), code: exitFailed, want: "heron.class.state.manager is not set"},
		{name: "told to exit", env: envFail + "=" + failAtStart + "@1", code: exitFailed, want: "Exiting: HERON_STANDIN_FAIL asks for it"},
		{name: "an unknown word to fail", env: envFail + "=sulk", code: exitUsage, want: `unknown word "sulk"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &cluster{t: t, root: t.TempDir(), topology: wordCount("wc-1"), env: []string{test.env}}
			dir := c.files("29001")
			if test.change != nil {
				test.change(t, dir)
			}
			var changes []string
			if test.flag != "" {
				changes = []string{test.flag}
			}
			k := c.run(dir, "29001", commandLine(samePort, changes...))
			if code := k.wait(); code != test.code || !strings.Contains(k.output(), test.want) {
				t.Errorf("exit code %d, want %d and %q in:\n%s", code, test.code, test.want, k.output())
			}
			if first, _, _ := strings.Cut(k.output(), "\n"); first != Notice {
				t.Errorf("the first line is %q", first)
			}
		})
	}
}

// TestMissingPortFile: the start script must have written it where there is a
// Prometheus sink.
func TestMissingPortFile(t *testing.T) {
	if _, err := (&sink{portFile: filepath.Join(t.TempDir(), "port_file")}).metricsPort(); err == nil {
		t.Error("no error without the port file")
	}
	empty := filepath.Join(t.TempDir(), "port_file")
	if err := os.WriteFile(empty, []byte("\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (&sink{portFile: empty}).metricsPort(); err == nil {
		t.Error("no error for a port file with an empty port")
	}
}

func TestStateLocation(t *testing.T) {
	t.Setenv("HOME", "/home/alice")
	t.Setenv("JAVA_HOME", "")
	for _, test := range []struct {
		name, statemgr, override, connection string
		want                                 location
		err                                  string
	}{
		{
			name:       "zookeeper",
			statemgr:   "heron.class.state.manager: " + zooKeeperClass + "\nheron.statemgr.root.path: /heron\nheron.statemgr.connection.string: other:1",
			connection: "a:1,b:2", want: location{zooKeeper: true, connection: "a:1,b:2", root: "/heron"},
		}, {
			name:     "override wins, and has no tokens",
			statemgr: "heron.class.state.manager: x\nheron.statemgr.root.path: /a",
			override: "heron.statemgr.root.path: /b/${HOME}", want: location{root: "/b/${HOME}"},
		}, {
			name:     "any other class is files, tokens may stand anywhere",
			statemgr: "heron.class.state.manager: x\nheron.statemgr.root.path: ~/s-${CLUSTER}${HOME}",
			want:     location{root: "/home/alice/s-nomad/home/alice"},
		}, {
			name:     "a token that is unset",
			statemgr: "heron.class.state.manager: x\nheron.statemgr.root.path: ${JAVA_HOME}/s",
			err:      "${JAVA_HOME}",
		}, {
			name:     "a path after the hosts",
			statemgr: "heron.class.state.manager: " + zooKeeperClass, connection: "a:1/chroot",
			err: "a path after the hosts",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			f := flags{"cluster": "nomad", "state-manager-connection": test.connection}
			for name, text := range map[string]string{"state-manager-config-file": test.statemgr, "override-config-file": test.override} {
				f[name] = filepath.Join(dir, name)
				if err := os.WriteFile(f[name], []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := stateLocation(f)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("%+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func TestKnobsFromTheCoreFolder(t *testing.T) {
	core := t.TempDir()
	text := "# settings\n" + envRestartDelay + "=1s\n" + envFail + "=" + failIgnoreTerm + "@2," + failNeverRegister + "\n"
	if err := os.WriteFile(filepath.Join(core, knobsFile), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(core, "bin", "heron-executor")
	t.Setenv(envRestartDelay, "2s")
	k, err := readKnobs(program)
	if err != nil {
		t.Fatal(err)
	}
	if k.restartDelay.String() != "2s" || k.sessionTimeout.String() != "30s" || k.closeSession {
		t.Errorf("knobs %+v", k)
	}
	if !k.fails(failIgnoreTerm, 2) || k.fails(failIgnoreTerm, 1) || !k.fails(failNeverRegister, 1) || k.fails(failAtStart, 1) {
		t.Errorf("misbehaviour %v", k.fail)
	}
}
