package jobspec

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/topology"
)

const someSHA256 = "aBcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"

// someSpec is a topology of two containers; tests change what they are about.
func someSpec() Spec {
	need := packing.Resource{CPU: 1.25, RAM: 100 << 20, Disk: 50 << 20}
	return Spec{
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
		Definition: topology.FromProto(&heronpb.Topology{
			Id: proto.String("wc-id"), Name: proto.String("wc"), State: heronpb.TopologyState_RUNNING.Enum(),
		}),
		Plan: (&packing.Plan{ID: "wc-id", Containers: []packing.Container{
			{ID: 1, Required: need, Instances: []packing.Instance{{Component: "word", TaskID: 1, Resource: packing.Resource{CPU: 1, RAM: 10 << 20}}}},
			{ID: 2, Required: packing.Resource{CPU: 0.5, RAM: 200<<20 + 1<<19, Disk: 10 << 20}},
		}}).Homogeneous(),
		DefinitionFile: "wc.defn", BinaryFile: "wc.jar", PackageType: "jar",
		PackageURI: "file:///packages/wc.tar.gz", PackageSHA256: someSHA256,
		Script: "#!/bin/sh\nexec \"$@\"\n",
	}
}

func mustBuild(t *testing.T, s Spec) *api.Job {
	t.Helper()
	job, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestJobIsOneGroupForAllContainers(t *testing.T) {
	s := someSpec()
	s.Settings.Nomad.Datacenters = []string{"dc7"}
	job := mustBuild(t, s)
	if *job.ID != "heron.local.wc" || *job.Name != "wc" || *job.ID != JobID("local", "wc") {
		t.Errorf("id %q, name %q", *job.ID, *job.Name)
	}
	if len(job.TaskGroups) != 1 || *job.TaskGroups[0].Name != "container" || *job.TaskGroups[0].Count != 3 {
		t.Fatalf("groups %+v, want one of 3", job.TaskGroups)
	}
	if diff := cmp.Diff([]string{"dc7"}, job.Datacenters); diff != "" {
		t.Errorf("datacenters (-configured +got):\n%s", diff)
	}
	group := job.TaskGroups[0]
	task := group.Tasks[0]
	if task.Name != "executor" || *task.KillTimeout != 30*time.Second || task.KillSignal != "SIGTERM" {
		t.Errorf("task %q ends %s after %s", task.Name, *task.KillTimeout, task.KillSignal)
	}
	if *group.Update.MaxParallel != 1 || *group.RestartPolicy.Attempts != 3 || !*group.ReschedulePolicy.Unlimited {
		t.Errorf("containers are not changed one by one, or given up: %+v %+v %+v", group.Update, group.RestartPolicy, group.ReschedulePolicy)
	}
	if n := group.Networks[0]; n.Mode != "" || n.DynamicPorts[0].To != 0 || len(task.Resources.Networks) != 0 {
		t.Errorf("ports are not the node's own: %+v", n)
	}
	want := map[string]string{
		"topology.name": "wc", "topology.id": "wc-id",
		"heron.client": "heron-nomad/1", "heron.cluster": "local", "heron.role": "ads", "heron.environ": "prod",
		"heron.state.kind": "zookeeper", "heron.state.root": "/heron",
		"heron.package.uploader": "localfs", "heron.package.uri": "file:///packages/wc.tar.gz",
	}
	if diff := cmp.Diff(want, job.Meta); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
}

// A container gets the largest of each resource, halves rounded up.
func TestResourcesAreTheLargestOfThePlan(t *testing.T) {
	s := someSpec()
	r := Expand(mustBuild(t, s), 1).Resources
	if want := (ContainerResources{CPU: 1250, MemoryMB: 201}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
	s.Settings.Nomad.RequestDisk = true
	if r := Expand(mustBuild(t, s), 1).Resources; r.DiskMB != 50 {
		t.Errorf("disk asked for: %d MB, want 50", r.DiskMB)
	}
}

func TestRoundIsJavas(t *testing.T) {
	for x, want := range map[float64]float64{0.49999999999999994: 0, 0.5: 1, 1249.5: 1250, 1249.4: 1249, 2.5: 3} {
		if got := round(x); got != want {
			t.Errorf("round(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestMetricsServiceNeedsASinkAndTheSetting(t *testing.T) {
	s := someSpec()
	s.Settings.Nomad.RegisterMetrics = true
	s.Settings.Nomad.ExtraTags = []string{"blue"}
	if c := Expand(mustBuild(t, s), 2); len(c.Services) != 0 || len(c.Ports) != 9 || c.Env["METRICS_PORT_FILE"] != "" {
		t.Errorf("without a sink: services %v, ports %v, env %v", c.Services, c.Ports, c.Env)
	}
	s.Settings.Executor.MetricsPortFile = "port_file"
	c := Expand(mustBuild(t, s), 2)
	want := []ContainerService{{
		Name: "metrics-heron-wc-2", Port: "metrics_port", Tags: []string{"wc-2", "blue"},
		Checks: []ContainerCheck{{Type: "tcp", Port: "metrics_port", Interval: 10 * time.Second, Timeout: 2 * time.Second}},
	}}
	if diff := cmp.Diff(want, c.Services); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	s.Settings.Nomad.RegisterMetrics = false
	if c := Expand(mustBuild(t, s), 2); len(c.Services) != 0 || len(c.Ports) != 10 {
		t.Errorf("not registered: services %v, ports %v", c.Services, c.Ports)
	}
}

// What Nomad keeps expands to what was built, and equal input is equal bytes.
func TestJobSurvivesJSON(t *testing.T) {
	s := someSpec()
	s.Settings.Executor.MetricsPortFile, s.Settings.Nomad.RegisterMetrics = "port_file", true
	s.PackageURI = "https://repo/wc.tar.gz"
	job := mustBuild(t, s)
	first, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := json.Marshal(mustBuild(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(first) {
			t.Fatalf("two jobs of one topology differ:\n%s\n%s", first, again)
		}
	}
	var back api.Job
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if diff := cmp.Diff(Expand(job, i), Expand(&back, i)); diff != "" {
			t.Errorf("container %d (-built +read back):\n%s", i, diff)
		}
	}
}

func TestExpandLeavesTheJobAlone(t *testing.T) {
	job := mustBuild(t, someSpec())
	before, _ := json.Marshal(job)
	c := Expand(job, 7)
	if after, _ := json.Marshal(job); string(after) != string(before) {
		t.Errorf("the job was changed:\n%s\n%s", before, after)
	}
	text, _ := json.Marshal(c)
	if strings.Contains(string(text), "NOMAD_ALLOC_INDEX") || !strings.Contains(string(text), "--shard=7") {
		t.Errorf("index 7 is not everywhere: %s", text)
	}
}

func TestWorkingDirectory(t *testing.T) {
	for dir, want := range map[string]string{
		"":                    "${NOMAD_TASK_DIR}/container-1",
		"/var/heron":          "/var/heron/container-1",
		"/var/heron/":         "/var/heron/container-1",
		"${NOMAD_ALLOC_DIR}/": "${NOMAD_ALLOC_DIR}/container-1",
	} {
		s := someSpec()
		s.Settings.Nomad.WorkingDir = dir
		if got := Expand(mustBuild(t, s), 1).Env["HERON_NOMAD_WORKING_DIR"]; got != want {
			t.Errorf("with %q: %q, want %q", dir, got, want)
		}
	}
}

// How package and core get to a node depends on their URIs.
func TestFetching(t *testing.T) {
	remote := func(uri, name, sha string) *api.TaskArtifact {
		a := &api.TaskArtifact{
			GetterSource: ptr(uri), GetterMode: ptr("file"), RelativeDest: ptr("local/" + name),
			GetterOptions: map[string]string{"archive": "false"},
		}
		if sha != "" {
			a.GetterOptions["checksum"] = "sha256:" + sha
		}
		return a
	}
	for uri, want := range map[string]string{
		"file:///packages/a%20b.tar.gz":           "/packages/a b.tar.gz",
		"file:///packages/a b.tar.gz":             "/packages/a b.tar.gz",
		"file://localhost/p.tar.gz":               "/p.tar.gz",
		"/packages/wc.tar.gz":                     "/packages/wc.tar.gz",
		"http://h/p?x=1":                          "",
		"https://h/p.tar.gz":                      "",
		"s3::https://s3.amazonaws.com/b/p.tar.gz": "",
		PendingURI: "",
	} {
		s := someSpec()
		s.PackageURI = uri
		s.Settings.Core.URI = uri
		task := mustBuild(t, s).TaskGroups[0].Tasks[0]
		var artifacts []*api.TaskArtifact
		core, pkg := want, want
		if want == "" {
			artifacts = []*api.TaskArtifact{remote(uri, "heron-core.tar.gz", ""), remote(uri, "topology.tar.gz", strings.ToLower(someSHA256))}
			core, pkg = "${NOMAD_TASK_DIR}/heron-core.tar.gz", "${NOMAD_TASK_DIR}/topology.tar.gz"
		}
		if diff := cmp.Diff(artifacts, task.Artifacts); diff != "" {
			t.Errorf("%s: artifacts (-want +got):\n%s", uri, diff)
		}
		if got := task.Env["HERON_CORE_PACKAGE_FILE"]; got != core {
			t.Errorf("%s: core in %q, want %q", uri, got, core)
		}
		if got := task.Env["HERON_TOPOLOGY_PACKAGE_FILE"]; got != pkg {
			t.Errorf("%s: package in %q, want %q", uri, got, pkg)
		}
		if got := task.Env["HERON_TOPOLOGY_PACKAGE_SHA256"]; got != strings.ToLower(someSHA256) {
			t.Errorf("%s: digest %q", uri, got)
		}
	}
}

func TestCoreDirectoryNeedsNoFetching(t *testing.T) {
	s := someSpec()
	s.Settings.Core = conf.Core{Directory: "/opt/heron-core", URI: "https://unused/x"}
	task := mustBuild(t, s).TaskGroups[0].Tasks[0]
	if task.Env["HERON_USE_CORE_PACKAGE_URI"] != "false" || task.Env["HERON_CORE_PACKAGE_DIR"] != "/opt/heron-core" || task.Artifacts != nil {
		t.Errorf("env %v, artifacts %v", task.Env, task.Artifacts)
	}
	if _, ok := task.Env["HERON_CORE_PACKAGE_URI"]; ok {
		t.Errorf("an unused URI is handed on: %v", task.Env)
	}
}

// Nothing in a script is taken for an action of Nomad's templates.
func TestScriptDelimitersDoNotOccurInIt(t *testing.T) {
	for script, left := range map[string]string{
		"echo hello":              "",
		"# {{ env \"X\" }}":       "{0{",
		"# {{ and {0{ and {1{ }}": "{2{",
	} {
		tmpl := scriptTemplate(script)
		if got := value(tmpl.LeftDelim); got != left || *tmpl.EmbeddedTmpl != script {
			t.Errorf("%q: delimiter %q, want %q; text %q", script, got, left, *tmpl.EmbeddedTmpl)
		}
	}
}

func TestBadInputIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Spec)
		says   string
	}{
		"another driver":          {func(s *Spec) { s.Settings.Nomad.Driver = "podman" }, "use docker or raw_exec"},
		"no script":               {func(s *Spec) { s.Script = " \n" }, "start script"},
		"space in the id":         {func(s *Spec) { s.Settings.Cluster = "my cluster" }, "space"},
		"no containers":           {func(s *Spec) { s.Plan = &packing.Plan{} }, "no container"},
		"too much memory":         {func(s *Spec) { s.Plan.Containers[0].Scheduled.RAM = math.MaxInt64 }, "topology.container.ram"},
		"no memory":               {func(s *Spec) { s.Plan = onlyContainer(packing.Resource{CPU: 1}) }, "topology.container.ram"},
		"no cpu":                  {func(s *Spec) { s.Plan = onlyContainer(packing.Resource{RAM: 1 << 30}) }, "topology.container.cpu"},
		"too much cpu":            {func(s *Spec) { s.Plan = onlyContainer(packing.Resource{RAM: 1 << 30, CPU: 1e9}) }, "cores"},
		"cpu that is no number":   {func(s *Spec) { s.Settings.Nomad.MHzPerCore = 0; s.Plan.Containers[0].Scheduled.CPU = math.Inf(1) }, "cores"},
		"relative directory":      {func(s *Spec) { s.Settings.Nomad.WorkingDir = "var/heron" }, "heron.scheduler.local.working.directory"},
		"root directory":          {func(s *Spec) { s.Settings.Nomad.WorkingDir = "/" }, "heron.scheduler.local.working.directory"},
		"unknown scheme":          {func(s *Spec) { s.PackageURI = "hdfs://nn/x.tar.gz" }, "hdfs://nn/x.tar.gz"},
		"file on another host":    {func(s *Spec) { s.PackageURI = "file://host/x.tar.gz" }, "absolute path"},
		"no package":              {func(s *Spec) { s.PackageURI = "" }, "the package"},
		"bad digest":              {func(s *Spec) { s.PackageSHA256 = "abc" }, "SHA-256"},
		"bad digest of core":      {func(s *Spec) { s.Settings.Core.SHA256 = "abc" }, "heron.package.core.uri"},
		"relative core":           {func(s *Spec) { s.Settings.Core.URI = "dist/heron-core.tar.gz" }, "heron.package.core.uri"},
		"no core directory":       {func(s *Spec) { s.Settings.Core = conf.Core{} }, "heron.package.core.directory"},
		"relative core directory": {func(s *Spec) { s.Settings.Core = conf.Core{Directory: "dist"} }, "absolute path"},
		"unknown reliability":     {func(s *Spec) { s.Definition = withConfig("topology.reliability.mode", "SOMETIMES") }, "SOMETIMES"},
		"checkpoint memory":       {func(s *Spec) { s.Definition = withConfig("topology.stateful.checkpointmanager.ram", "1g") }, "1g"},
	} {
		t.Run(name, func(t *testing.T) {
			s := someSpec()
			c.change(&s)
			_, err := Build(s)
			var input *InputError
			if !errors.As(err, &input) || input.Kind() != outcome.Usage || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an *InputError that says %q", err, c.says)
			}
		})
	}
}

func onlyContainer(r packing.Resource) *packing.Plan {
	return &packing.Plan{ID: "x", Containers: []packing.Container{{ID: 1, Required: r}}}
}

func withConfig(key, value string) *topology.Definition {
	return topology.FromProto(&heronpb.Topology{
		Id: proto.String("wc-id"), Name: proto.String("wc"), State: heronpb.TopologyState_RUNNING.Enum(),
		TopologyConfig: &heronpb.Config{Kvs: []*heronpb.Config_KeyValue{{Key: proto.String(key), Value: proto.String(value)}}},
	})
}

func TestMarks(t *testing.T) {
	ours := mustBuild(t, someSpec())
	settings := someSpec().Settings
	if err := CheckMarks(ours, settings); err != nil || !SameMarks(ours, mustBuild(t, someSpec())) {
		t.Errorf("our own job is not ours: %v", err)
	}
	other := func(change func(*conf.Settings)) *api.Job {
		s := someSpec()
		change(s.Settings)
		return mustBuild(t, s)
	}
	// Another role may use the same state; the state then says what is there.
	if role := other(func(s *conf.Settings) { s.Role = "dev" }); !SameMarks(ours, role) {
		t.Errorf("a job of another role is taken for a stranger's")
	}
	for key, job := range map[string]*api.Job{
		MetaCluster:   other(func(s *conf.Settings) { s.Cluster = "prod" }),
		MetaStateRoot: other(func(s *conf.Settings) { s.State.Root = "/other" }),
		MetaStateKind: other(func(s *conf.Settings) { s.State.Kind = "localfs" }),
		MetaClient:    {ID: ours.ID, Meta: map[string]string{MetaTopologyName: "wc", MetaTopologyID: "wc-id"}},
	} {
		err := CheckMarks(job, settings)
		var foreign *NotOursError
		if !errors.As(err, &foreign) || foreign.Key != key || foreign.Kind() != outcome.Exists || !strings.Contains(err.Error(), *job.ID) {
			t.Errorf("%s differs: got %v, want a *NotOursError about it", key, err)
		}
		if SameMarks(job, ours) || SameMarks(ours, job) {
			t.Errorf("%s differs, yet the job counts as ours", key)
		}
	}
	if strangers := (&api.Job{ID: ptr("x")}); SameMarks(strangers, strangers) {
		t.Errorf("two jobs of nobody count as ours")
	}
}

func TestAJobTellsWhereItsPackageIsFetched(t *testing.T) {
	const signed = "https://b.s3.amazonaws.com/a/b.tar.gz?X-Amz-Date=1&X-Amz-Signature=sesame&x=y"
	s := someSpec()
	s.PackageFetch = signed
	if got := PackageFetch(mustBuild(t, s)); got != signed {
		t.Errorf("got %q", got)
	}
	if got := PackageFetch(&api.Job{TaskGroups: []*api.TaskGroup{{Tasks: []*api.Task{{}}}}}); got != "" {
		t.Errorf("a job without a package fetches %q", got)
	}
}
