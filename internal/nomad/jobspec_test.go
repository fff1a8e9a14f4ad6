package nomad

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/topology"
)

// envWorkingDir is the variable of a container that names its folder.
const envWorkingDir = "HERON_NOMAD_WORKING_DIR"

const password = "open sesame"

// someSpec is a topology of two containers; tests change what they are about.
func someSpec() jobspec.Spec {
	return jobspec.Spec{
		Settings: &conf.Settings{
			Cluster: "local", Role: "ads", Environ: "prod", User: "alice",
			State:  conf.State{Kind: "zookeeper", Connection: "zk:2181", Root: "/heron"},
			Upload: conf.Upload{Kind: "localfs"},
			Nomad: conf.Nomad{
				Datacenters: []string{"*"}, Driver: "raw_exec", MHzPerCore: 1000, KillTimeout: 30 * time.Second,
				CheckInterval: 10 * time.Second, CheckTimeout: 2 * time.Second,
			},
			Executor: conf.Executor{ExecutorBinary: "./heron-core/bin/heron-executor"},
			Core:     conf.Core{UseURI: true, URI: "file:///opt/heron-core.tar.gz"},
		},
		Definition: namedTopology("wc"),
		Plan: (&packing.Plan{ID: "wc-id", Containers: []packing.Container{
			{ID: 1, Required: packing.Resource{CPU: 1.25, RAM: 100 << 20, Disk: 50 << 20}, Instances: []packing.Instance{{Component: "word", TaskID: 1, Resource: packing.Resource{CPU: 1, RAM: 10 << 20}}}},
			{ID: 2, Required: packing.Resource{CPU: 0.5, RAM: 200 << 20, Disk: 10 << 20}},
		}}).Homogeneous(),
		DefinitionFile: "wc.defn", BinaryFile: "wc.jar", PackageType: "jar",
		PackageURI: "file:///packages/wc.tar.gz", PackageSHA256: strings.Repeat("ab", 32),
		Script: "#!/bin/sh\nexec \"$@\"\n",
	}
}

func namedTopology(name string) *topology.Definition {
	return topology.FromProto(&heronpb.Topology{
		Id: proto.String(name + "-id"), Name: proto.String(name), State: heronpb.TopologyState_RUNNING.Enum(),
	})
}

// dockerSpec is someSpec in images.
func dockerSpec() jobspec.Spec {
	s := someSpec()
	s.Settings.Nomad.Driver = "docker"
	s.Settings.Nomad.DockerImage, s.Settings.Nomad.DockerNetwork = "apache/heron:0.20.5", "default"
	return s
}

// serviceJob is the job of a topology that registers its metrics.
func serviceJob(t *testing.T, name string) *api.Job {
	t.Helper()
	s := someSpec()
	s.Settings.Executor.MetricsPortFile, s.Settings.Nomad.RegisterMetrics = "port_file", true
	s.Definition = namedTopology(name)
	return mustBuild(t, s)
}

func mustBuild(t *testing.T, s jobspec.Spec) *api.Job {
	t.Helper()
	job, err := jobspec.Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// allOptions is a job with everything that the configuration can say, which
// every node of the tests accepts.
func allOptions() jobspec.Spec {
	s := someSpec()
	n := &s.Settings.Nomad
	n.Namespace, n.Region = "default", "global"
	n.Place = conf.NomadPlace{
		NodePool: "default", Priority: 70,
		Constraints: []conf.Constraint{{Attribute: "${attr.kernel.name}", Operator: "regexp", Value: "linux|darwin"}},
		Affinities:  []conf.Affinity{{Attribute: "${node.class}", Operator: "=", Value: "big", Weight: -30}},
		Spreads:     []conf.Spread{{Attribute: "${node.datacenter}", Weight: 20, Targets: []conf.SpreadTarget{{Value: "dc1", Percent: 70}, {Value: "dc2", Percent: 30}}}},
	}
	n.Policy = conf.NomadPolicy{
		Restart:    conf.RestartPolicy{Attempts: 2, Interval: time.Minute, Delay: 10 * time.Second, Mode: "delay"},
		Reschedule: conf.ReschedulePolicy{Attempts: 3, Interval: time.Hour, Delay: 20 * time.Second, DelayFunction: "fibonacci", MaxDelay: time.Minute},
		Update: conf.UpdatePolicy{
			MaxParallel: 4, HealthCheck: "task_states", MinHealthyTime: time.Second,
			HealthyDeadline: 20 * time.Minute, ProgressDeadline: 30 * time.Minute, AutoRevert: true,
		},
		Logs: conf.LogPolicy{MaxFiles: 7, MaxFileSize: 50 << 20},
	}
	n.Variables = map[string]string{"COLOUR": "green"}
	n.MemoryMaxPercent = 150
	return s
}

// Nomad tells what would change in a job, the password among it.
func TestForecastHidesThePassword(t *testing.T) {
	c := realClient(t)
	s := dockerSpec()
	s.Settings.Nomad.DockerAuth = &conf.DockerAuth{Username: "ann", Password: password}
	job := mustBuild(t, s)
	register(t, c, job)
	s.Settings.Nomad.DockerAuth = &conf.DockerAuth{Username: "ann", Password: password + "2"}
	f, err := c.Forecast(t.Context(), mustBuild(t, s))
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{{Path: "Config.auth[0][password]", Kind: "Edited", Old: "(hidden)", New: "(hidden)"}}
	if diff := cmp.Diff(want, f.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	// The same password is no change: it was sent, not the text in its place.
	if f, err := c.Forecast(t.Context(), job); err != nil || len(f.Changes) != 0 {
		t.Errorf("changes %+v, %v", f, err)
	}
}

func TestRealNomadTakesAllOptions(t *testing.T) {
	c := realClient(t)
	job := mustBuild(t, allOptions())
	f, err := c.Forecast(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if f.Unplaced != 0 {
		t.Errorf("%d containers find no place: %v", f.Unplaced, f.Reasons)
	}
	s := allOptions()
	s.Settings.Nomad.Place.Constraints = append(s.Settings.Nomad.Place.Constraints, conf.Constraint{Operator: api.ConstraintDistinctHosts})
	f, err = c.Forecast(t.Context(), mustBuild(t, s))
	if err != nil || f.Unplaced != 2 {
		t.Errorf("of 3 containers that want a node each, on one node: %d find no place, %v %v", f.Unplaced, f.Reasons, err)
	}
}

// What topology.Validate lets through a real Nomad takes, and what it refuses
// Nomad would refuse too, whatever the catalog.
func TestRealNomadTakesTheSameServiceNames(t *testing.T) {
	c := realClient(t)
	longest := strings.Repeat("x", 47)
	for _, provider := range []string{"consul", "nomad"} {
		for _, name := range []string{"Word-Count-1", longest, "word_count", "é", longest + "x"} {
			job := serviceJob(t, name)
			job.TaskGroups[0].Tasks[0].Services[0].Provider = provider
			// As it reads in container 0, for variables hide mistakes.
			job.TaskGroups[0].Tasks[0].Services[0].Name = jobspec.Expand(job, 0).Services[0].Name
			resp, _, err := c.api.Jobs().Validate(job, nil)
			if err != nil {
				t.Fatal(err)
			}
			def := topology.FromProto(&heronpb.Topology{Name: proto.String(name)})
			problems := topology.Validate(def, topology.Rules{ServiceNames: true, MaxIndex: 1})
			refused := problems != nil && strings.Contains(problems.Error(), "metrics service")
			if got := len(resp.ValidationErrors) > 0; got != refused {
				t.Errorf("%s: topology %q: Nomad says %q, we say %v", provider, name, resp.ValidationErrors, problems)
			}
		}
		for _, name := range []string{strings.Repeat("x", 41), strings.Repeat("x", 42), longest} {
			job := serviceJob(t, name)
			job.TaskGroups[0].Tasks[0].Services[0].Provider = provider
			if resp, _, err := c.api.Jobs().Validate(job, nil); err != nil || len(resp.ValidationErrors) > 0 {
				t.Errorf("%s: topology %q with variables: %+v, %v", provider, name, resp, err)
			}
		}
	}
}
