package jobspec

import "github.com/hashicorp/nomad/api"

// jobName is what Nomad replaces by the job's name, which is the topology's.
const jobName = "${NOMAD_JOB_NAME}"

// services registers where the metrics of a container are read, if there is
// a sink to read from and the configuration wants it.
func (s Spec) services() []*api.Service {
	n := s.Settings.Nomad
	if !s.hasMetricsPort() || !n.RegisterMetrics {
		return nil
	}
	tags := []string{s.Definition.Name() + "-" + allocIndex}
	for _, tag := range n.ExtraTags {
		if tag != "" {
			tags = append(tags, tag)
		}
	}
	return []*api.Service{{
		Name:      serviceName(s.Definition.Name()),
		Provider:  n.ServiceProvider,
		PortLabel: metricsPort,
		Tags:      tags,
		Checks: []api.ServiceCheck{{
			Type:      "tcp",
			PortLabel: metricsPort,
			Interval:  n.CheckInterval,
			Timeout:   n.CheckTimeout,
		}},
	}}
}

// serviceName is metrics-heron-<topology>-<index>. Nomad measures it with a
// placeholder of seven characters for each variable, more than an index has,
// so a name that is too long only for that is put together from variables.
func serviceName(topology string) string {
	const (
		prefix      = "metrics-heron-"
		placeholder = "ENV-VAR"
		limit       = 63
	)
	if len(prefix+topology+"-"+placeholder) > limit {
		topology = jobName
	}
	return prefix + topology + "-" + allocIndex
}
