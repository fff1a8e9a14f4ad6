package nomad

import (
	"encoding/base64"
	"path"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/topology"
)

// defaultCkptmgrRAM is what an executor is told where the topology says
// nothing, in bytes; it is told so even if no checkpoint manager will run.
const defaultCkptmgrRAM = 1 << 30

// ExecutorArgs is the command line of an executor without its program, in
// the original's order. The shard is the container's index, "" leaves the
// flag out. Ports go by the constants Port...; all but PortDebugger must be
// there. What is wrong with the topology or the ports is an *InputError.
func ExecutorArgs(s Spec, shard string, ports map[string]string) ([]string, error) {
	stateful, err := s.stateful()
	if err != nil {
		return nil, err
	}
	ckptRAM, err := s.ckptmgrRAM()
	if err != nil {
		return nil, err
	}
	var (
		e    = s.Settings.Executor
		args []string
	)
	add := func(flag, value string) { args = append(args, "--"+flag+"="+value) }
	add("topology-name", s.Definition.Name())
	add("topology-id", s.Definition.ID())
	add("topology-defn-file", path.Base(s.DefinitionFile))
	add("state-manager-connection", s.Settings.State.Connection)
	add("state-manager-root", s.Settings.State.Root)
	add("state-manager-config-file", e.StatemgrFile)
	add("tmanager-binary", e.TManagerBinary)
	add("stmgr-binary", e.StmgrBinary)
	add("metrics-manager-classpath", e.MetricsClasspath)
	add("instance-jvm-opts", encodeOptions(s.topologyValue(topology.KeyWorkerChildopts)))
	add("classpath", classpath(s.BinaryFile, s.topologyValue(topology.KeyAdditionalClasses)))
	add("heron-internals-config-file", e.InternalsFile)
	add("override-config-file", e.OverrideFile)
	add("component-ram-map", s.Plan.ComponentRAM())
	add("component-jvm-opts", encodeOptions(s.topologyValue(topology.KeyComponentJVMOpts)))
	add("pkg-type", s.PackageType)
	add("topology-binary-file", s.BinaryFile)
	add("heron-java-home", e.JavaHome)
	if e.VerboseGC {
		args = append(args, "--verbose-gc")
	}
	add("heron-shell-binary", e.ShellBinary)
	add("cluster", s.Settings.Cluster)
	add("role", s.Settings.Role)
	add("environment", s.Settings.Environ)
	add("instance-classpath", e.InstanceClasspath)
	add("metrics-sinks-config-file", e.MetricsFile)
	add("scheduler-classpath", strings.Join([]string{e.SchedulerClasspath, e.PackingClasspath, e.StatemgrClasspath}, ":"))
	add("python-instance-binary", e.PythonBinary)
	add("cpp-instance-binary", e.CPPBinary)
	add("metricscache-manager-classpath", e.MetricsCacheClasspath)
	add("metricscache-manager-mode", modeOr(e.MetricsCacheMode))
	add("is-stateful", strconv.FormatBool(stateful))
	add("checkpoint-manager-classpath", strings.Join([]string{e.CkptmgrClasspath, e.StatefulClasspath, e.StatefulCustomClasspath}, ":"))
	add("stateful-config-file", e.StatefulFile)
	add("checkpoint-manager-ram", strconv.FormatInt(ckptRAM, 10))
	add("health-manager-mode", modeOr(e.HealthmgrMode))
	add("health-manager-classpath", e.HealthmgrClasspath)
	if shard != "" {
		add("shard", shard)
	}
	for _, p := range portFlags() {
		number, ok := ports[p.port]
		if !ok {
			return nil, badInput("the port "+p.port, "is required and not given")
		}
		add(p.flag, number)
	}
	if debug, ok := ports[PortDebugger]; ok {
		add("jvm-remote-debugger-ports", debug)
	}
	return args, nil
}

func (s Spec) topologyValue(key string) string {
	v, _ := s.Definition.Config(key)
	return v
}

// stateful says whether the topology keeps checkpoints.
func (s Spec) stateful() (bool, error) {
	mode, ok := s.Definition.Config(topology.KeyReliabilityMode)
	switch {
	case !ok, mode == "ATMOST_ONCE", mode == "ATLEAST_ONCE":
		return false, nil
	case mode == "EFFECTIVELY_ONCE":
		return true, nil
	}
	return false, badInput(topology.KeyReliabilityMode,
		"of the topology is %q; use ATMOST_ONCE, ATLEAST_ONCE or EFFECTIVELY_ONCE", mode)
}

func (s Spec) ckptmgrRAM() (int64, error) {
	text, ok := s.Definition.Config(topology.KeyCkptmgrRAM)
	if !ok {
		return defaultCkptmgrRAM, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, badInput(topology.KeyCkptmgrRAM, "of the topology is %q; use a whole number of bytes", text)
	}
	return n, nil
}

func modeOr(mode string) string {
	if mode == "" {
		return "disabled"
	}
	return mode
}

// encodeOptions wraps JVM options as the executor unwraps them: base64, each
// "=" written "(61)", inside literal double quotes.
func encodeOptions(opts string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(opts))
	return `"` + strings.ReplaceAll(encoded, "=", "(61)") + `"`
}

// classpath is where a Java topology's classes are: the jar itself, or the
// jar that a tar of the same name has beside its libs folder. Other kinds of
// package get the same form, which nothing reads.
func classpath(binary, additional string) string {
	cp := path.Base(binary)
	if !strings.HasSuffix(cp, ".jar") {
		cp = strings.ReplaceAll(cp, ".tar.gz", "")
		cp = "libs/*:" + strings.ReplaceAll(cp, ".tar", "") + ".jar"
	}
	if additional != "" {
		cp += ":" + additional
	}
	return cp
}
