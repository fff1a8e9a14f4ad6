package jobspec

import (
	"path"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/topology"
)

// ExecutorArgs is the command line of an executor without its program, in
// the original's order. The shard is the container's index, "" leaves the
// flag out. Ports go by the constants Port...; all but PortDebugger must be
// there. What is wrong with the topology or the ports is an *InputError.
func ExecutorArgs(s Spec, shard string, ports map[string]string) ([]string, error) {
	def, e := s.Definition, s.Settings.Executor
	stateful, err := def.Stateful()
	if err != nil {
		return nil, badInput("topology "+def.Name(), "%w", err)
	}
	ckptRAM, err := def.CheckpointRAM()
	if err != nil {
		return nil, badInput("topology "+def.Name(), "%w", err)
	}
	var args []string
	add := func(flag, value string) { args = append(args, "--"+flag+"="+value) }
	add("topology-name", def.Name())
	add("topology-id", def.ID())
	add("topology-defn-file", path.Base(s.DefinitionFile))
	add("state-manager-connection", s.Settings.State.Connection)
	add("state-manager-root", s.Settings.State.Root)
	add("state-manager-config-file", e.StatemgrFile)
	add("tmanager-binary", e.TManagerBinary)
	add("stmgr-binary", e.StmgrBinary)
	add("metrics-manager-classpath", e.MetricsClasspath)
	add("instance-jvm-opts", topology.EncodeOptions(def.WorkerOptions()))
	add("classpath", def.Classpath(s.BinaryFile))
	add("heron-internals-config-file", e.InternalsFile)
	add("override-config-file", e.OverrideFile)
	add("component-ram-map", s.Plan.ComponentRAM())
	add("component-jvm-opts", topology.EncodeOptions(def.ComponentOptions()))
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

// modeOr is a mode of an optional process, which is off unless configured.
func modeOr(mode string) string {
	if mode == "" {
		return "disabled"
	}
	return mode
}
