package jobspec

import (
	"strings"

	"github.com/hashicorp/nomad/api"
)

// The ports of a container as the executor knows them.
const (
	PortServer        = "server"
	PortTManagerCtl   = "tmanager-ctl"
	PortTManagerStats = "tmanager-stats"
	PortShell         = "shell-port"
	PortMetricsMgr    = "metrics-mgr"
	PortScheduler     = "scheduler"
	PortMetricsCacheM = "metrics-cache-m"
	PortMetricsCacheS = "metrics-cache-s"
	PortCkptmgr       = "ckptmgr"
	// PortDebugger stands for the debugger ports of instances, joined by
	// commas; it is the only one that may be missing.
	PortDebugger = "jvm-remote-debugger"
)

// metricsPort is the label of the port that the Prometheus sink serves. The
// executor is not told: the sink reads it from a file.
const metricsPort = "metrics_port"

// portFlags are the flags of the executor that take a port, in the order of
// its command line.
func portFlags() []struct{ port, flag string } {
	return []struct{ port, flag string }{
		{PortServer, "server-port"},
		{PortTManagerCtl, "tmanager-controller-port"},
		{PortTManagerStats, "tmanager-stats-port"},
		{PortShell, "shell-port"},
		{PortMetricsMgr, "metrics-manager-port"},
		{PortScheduler, "scheduler-port"},
		{PortMetricsCacheM, "metricscache-manager-server-port"},
		{PortMetricsCacheS, "metricscache-manager-stats-port"},
		{PortCkptmgr, "checkpoint-manager-port"},
	}
}

// PortLabel is the label of a port in the job: Nomad makes names of
// environment variables of it, which have no dashes.
func PortLabel(port string) string { return strings.ReplaceAll(port, "-", "_") }

// portVariable is what Nomad replaces by the port of a label.
func portVariable(label string) string { return "${NOMAD_PORT_" + label + "}" }

// VariablePorts are the ports that every executor needs, each the variable that
// Nomad replaces by the number.
func VariablePorts() map[string]string {
	ports := map[string]string{}
	for _, p := range portFlags() {
		ports[p.port] = portVariable(PortLabel(p.port))
	}
	return ports
}

// network asks for a port on the node's own address for each label. Without
// a mode and a target port, NOMAD_PORT_x is the number that other containers
// reach, which is what Heron's processes advertise.
func (s Spec) network() *api.NetworkResource {
	n := &api.NetworkResource{}
	for _, p := range portFlags() {
		n.DynamicPorts = append(n.DynamicPorts, api.Port{Label: PortLabel(p.port)})
	}
	if s.hasMetricsPort() {
		n.DynamicPorts = append(n.DynamicPorts, api.Port{Label: metricsPort})
	}
	return n
}

func (s Spec) hasMetricsPort() bool { return s.Settings.Executor.MetricsPortFile != "" }
