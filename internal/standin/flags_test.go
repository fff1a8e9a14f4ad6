package standin

import (
	"slices"
	"strings"
	"testing"
)

// commandLine is a container's command line as the client makes it.
func commandLine(ports func() string, changes ...string) []string {
	args := []string{
		"--topology-name=wc", "--topology-id=wc-1", "--topology-defn-file=wc.defn",
		"--state-manager-connection=127.0.0.1:2181", "--state-manager-root=/heron",
		"--state-manager-config-file=./heron-conf/statemgr.yaml",
		"--tmanager-binary=./heron-core/bin/heron-tmanager", "--stmgr-binary=./heron-core/bin/heron-stmgr",
		"--metrics-manager-classpath=./heron-core/lib/metricsmgr/*",
		`--instance-jvm-opts="LVhYOitIZWFwRHVtcE9uT3V0T2ZNZW1vcnlFcnJvcg(61)(61)"`,
		"--classpath=wc.jar", "--heron-internals-config-file=./heron-conf/heron_internals.yaml",
		"--override-config-file=./heron-conf/override.yaml",
		"--component-ram-map=count:1073741824,word:1073741824", `--component-jvm-opts=""`,
		"--pkg-type=jar", "--topology-binary-file=wc.jar", "--heron-java-home=/usr/lib/jvm/java-17",
		"--heron-shell-binary=./heron-core/bin/heron-shell",
		"--cluster=nomad", "--role=ads", "--environment=prod",
		"--instance-classpath=./heron-core/lib/instance/*",
		"--metrics-sinks-config-file=./heron-conf/metrics_sinks.yaml",
		"--scheduler-classpath=./heron-core/lib/scheduler/*",
		"--python-instance-binary=./heron-core/bin/heron-python-instance",
		"--cpp-instance-binary=./heron-core/bin/heron-cpp-instance",
		"--metricscache-manager-classpath=./heron-core/lib/metricscachemgr/*",
		"--metricscache-manager-mode=disabled", "--is-stateful=false",
		"--checkpoint-manager-classpath=./heron-core/lib/ckptmgr/*:",
		"--stateful-config-file=./heron-conf/stateful.yaml", "--checkpoint-manager-ram=1073741824",
		"--health-manager-mode=disabled", "--health-manager-classpath=./heron-core/lib/healthmgr/*",
		"--shard=1",
	}
	for _, name := range []string{
		"server", "tmanager-controller", "tmanager-stats", "shell", "metrics-manager", "scheduler",
		"metricscache-manager-server", "metricscache-manager-stats", "checkpoint-manager",
	} {
		args = append(args, "--"+name+"-port="+ports())
	}
	for _, change := range changes {
		name, value, given := strings.Cut(change, "=")
		i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, name+"=") })
		switch {
		case i < 0:
			args = append(args, change)
		case given:
			args[i] = name + "=" + value
		default:
			args = slices.Delete(args, i, i+1)
		}
	}
	return args
}

func samePort() string { return "29000" }

func TestExecutorFlags(t *testing.T) {
	for _, test := range []struct {
		name   string
		change string // of the valid command line; a bare name removes
		want   string // in the error; empty: accepted
	}{
		{"as the client makes it", "--shard=1", ""},
		{"container 0", "--shard=0", ""},
		{"optional flag absent", "--metricscache-manager-mode", ""},
		{"verbose gc", "--verbose-gc", ""},
		{"debugger ports", "--jvm-remote-debugger-ports=1,2", ""},
		{"component options", `--component-jvm-opts="eyJkMjl5WkE9PSI6IkxWaHRlREZIIn0(61)"`, ""},
		{"an unknown flag", "--shards=1", "no such option: --shards"},
		{"a word", "word", `unexpected argument "word"`},
		{"one dash", "-shard=1", `unexpected argument "-shard=1"`},
		{"a value for a bare flag", "--verbose-gc=true", "takes no value"},
		{"a missing flag", "--role", "missing option --role"},
		{"a missing port", "--scheduler-port", "missing option --scheduler-port"},
		{"an empty value", "--cluster=", "--cluster=: is empty"},
		{"a shard that is no number", "--shard=${NOMAD_ALLOC_INDEX}", "not a whole number"},
		{"a port that was not expanded", "--server-port=${NOMAD_PORT_server}", "not a port number"},
		{"port 0", "--shell-port=0", "not a port number"},
		{"bytes with a unit", "--checkpoint-manager-ram=1GB", "not a whole number"},
		{"a package type of none", "--pkg-type=gz", "not one of jar"},
		{"options that are not encoded", "--instance-jvm-opts=-Xmx1G", "not base64"},
		{"component options that are no map", `--component-jvm-opts="WzFd"`, "not a JSON map"},
		{"a ram map without bytes", "--component-ram-map=word", "not component:bytes"},
		{"no ram map", "--component-ram-map=", "not component:bytes"},
		{"the literal java home", "--heron-java-home=$JAVA_HOME", "not a path"},
		{"stateful or not", "--is-stateful=maybe", "neither true nor false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := parseExecutorFlags(commandLine(samePort, test.change))
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "" && f["topology-name"] != "wc":
				t.Errorf("topology-name is %q", f["topology-name"])
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Fatalf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestEveryRequiredFlagIsRequired(t *testing.T) {
	for name, spec := range executorFlags() {
		if spec.optional {
			continue
		}
		_, err := parseExecutorFlags(commandLine(samePort, "--"+name))
		if err == nil || err.Error() != "missing option --"+name {
			t.Errorf("without --%s: %v", name, err)
		}
	}
}

func TestFlagValueAsNextArgument(t *testing.T) {
	args := append(commandLine(samePort, "--role"), "--role", "crew")
	f, err := parseExecutorFlags(args)
	if err != nil || f["role"] != "crew" {
		t.Fatalf("role %q, %v", f["role"], err)
	}
	if _, err := parseExecutorFlags(append(args, "--role")); err == nil {
		t.Error("a flag without its value was accepted")
	}
}

func TestRecordedCommandLinesAreAccepted(t *testing.T) {
	for shard, args := range recordedCommandLines(t) {
		f, err := parseExecutorFlags(args)
		if err != nil {
			t.Errorf("container %d: %v", shard, err)
		} else if f.shard() != shard {
			t.Errorf("container %d: shard %d", shard, f.shard())
		}
	}
}
