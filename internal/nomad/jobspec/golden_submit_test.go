package jobspec

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/packing"
)

// Container i of our one job gets what the original's job i gives. Every
// vector counts; what may differ is said here, rule by rule, and in
// docs/differences.md.
func TestContainersEqualTheOriginalsJobs(t *testing.T) { compareSubmissions(t) }

func compareSubmissions(t *testing.T) {
	t.Helper()
	for name, v := range vectors(t, "submit") {
		t.Run(name, func(t *testing.T) {
			in := v.install(t)
			in.opts.Properties, in.opts.VerboseGC = v.Properties(v.Steps[0]), slices.Contains(v.Steps[0].Args, "--verbose_gc")
			spec, err := v.spec(t, in)
			var job *api.Job
			if err == nil {
				job, err = Build(spec)
			}
			jobs := v.jobs()
			if want := v.refusal(spec); want != "" {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("got error %v, want one about %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(jobs) == 0 {
				if reason := v.works(spec); reason == "" {
					t.Fatalf("the original fails with %+v, ours does not, and no difference explains it", v.Outputs[0].Error)
				}
				return
			}
			if len(jobs) < *job.TaskGroups[0].Count && v.Outputs[0].Result == "ok" {
				t.Errorf("count is %d, the original registers %d jobs", *job.TaskGroups[0].Count, len(jobs))
			}
			compareJob(t, v, original(t, in, job), jobs)
			commands := job
			if len(in.opts.Properties) > 0 || in.opts.VerboseGC {
				commands = v.withoutOverrides(t, in)
				checkOverrides(t, in, Expand(original(t, in, job), 0))
			}
			for i, want := range jobs {
				compareContainer(t, v, spec, Expand(original(t, in, job), i), Expand(original(t, in, commands), i), want)
			}
		})
	}
}

// jobs are the jobs that the original registered, or tried to.
func (v vector) jobs() []*api.Job {
	var jobs []*api.Job
	for _, h := range v.Outputs[0].HTTP {
		if h.Method == "PUT" && h.Body.Job != nil {
			jobs = append(jobs, h.Body.Job)
		}
	}
	return jobs
}

// refusal is a part of the error that ends a submission of ours, "" where it
// must succeed.
func (v vector) refusal(s Spec) string {
	failed := v.Outputs[0].Error
	switch {
	case strings.HasPrefix(failed.Message, "No enum constant") && s.PackageType == "":
		return "topology file"
	case strings.HasPrefix(failed.Message, "More containers"):
		return "containers"
	case !slices.Contains([]string{"docker", "raw_exec", ""}, v.Setting("heron.nomad.driver")):
		return "heron.nomad.driver"
	case strings.HasPrefix(s.PackageURI, "hdfs:"):
		return "the package is"
	case s.Script == "" && v.ConfFiles["conf/heron_nomad.sh"] == "" && v.Setting("heron.scheduler.job.template") == "":
		return "heron_nomad.sh"
	case failed.Exception != "" && s.Plan != nil && s.Plan.Max().RAM>>20 > 1<<31:
		return "topology.container.ram"
	}
	return ""
}

// works says why ours does what the original fails to do, "" if nothing does.
func (v vector) works(s Spec) string {
	failed := v.Outputs[0].Error
	switch {
	case strings.HasSuffix(s.BinaryFile, ".tar.gz") && strings.HasSuffix(failed.Message, ".GZ"):
		return "a topology may be a .tar.gz"
	case strings.Contains(failed.Message, "to URI") && strings.Contains(s.PackageURI, " "):
		return "a role may have a space"
	case strings.HasPrefix(v.Setting("heron.nomad.metrics.service.register"), "true"):
		return "a boolean may be given as text"
	case v.flag("--release_file") == "" || v.ConfFiles["release.yaml"] == "":
		return "the release file may be missing"
	}
	return ""
}

// withoutOverrides is the job without what the command line says, which the
// original forgets when it makes the executor's command.
func (v vector) withoutOverrides(t *testing.T, in installed) *api.Job {
	t.Helper()
	in.opts.Properties, in.opts.VerboseGC = nil, false
	spec, err := v.spec(t, in)
	if err != nil {
		t.Fatal(err)
	}
	job, err := Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// checkOverrides checks that what the command line says reaches the
// executor's command.
func checkOverrides(t *testing.T, in installed, with Container) {
	t.Helper()
	for _, property := range in.opts.Properties {
		value, ok := strings.CutPrefix(property, "heron.statemgr.connection.string=")
		if arg := "--state-manager-connection=" + value; ok && !slices.Contains(with.Args, arg) {
			t.Errorf("%s does not reach the executor: no %s in %q", property, arg, with.Args)
		}
	}
	if got := slices.Contains(with.Args, "--verbose-gc"); got != in.opts.VerboseGC {
		t.Errorf("--verbose-gc in the executor's arguments: %v, want %v", got, in.opts.VerboseGC)
	}
}

// compareJob checks what concerns the job as a whole.
func compareJob(t *testing.T, v vector, job *api.Job, jobs []*api.Job) {
	t.Helper()
	first := jobs[0]
	if got, want := *job.ID, "heron."+v.flag("--cluster")+"."+first.Meta[MetaTopologyName]; got != want {
		t.Errorf("id %q, want %q", got, want)
	}
	for _, key := range []string{MetaTopologyName, MetaTopologyID} {
		if job.Meta[key] != first.Meta[key] {
			t.Errorf("meta %s is %q, want %q", key, job.Meta[key], first.Meta[key])
		}
	}
	if v.docker() {
		return
	}
	ours, theirs := job.TaskGroups[0].Tasks[0].Templates[0], first.TaskGroups[0].Tasks[0].Templates[0]
	if *ours.EmbeddedTmpl != *theirs.EmbeddedTmpl {
		t.Errorf("script\n%s\nwant\n%s", *ours.EmbeddedTmpl, *theirs.EmbeddedTmpl)
	}
}

// compareContainer compares one container with the original's job. Commands
// is the container as it is without what the command line says.
func compareContainer(t *testing.T, v vector, s Spec, got, commands Container, want *api.Job) {
	t.Helper()
	task := want.TaskGroups[0].Tasks[0]
	if v.docker() {
		compareDocker(t, v, got, commands, task)
	} else {
		compareRawExec(t, v, got, commands, task)
	}

	labels := []string{}
	for _, p := range task.Resources.Networks[0].DynamicPorts {
		labels = append(labels, p.Label)
	}
	if v.forgotSink(got, task) {
		labels = append(labels, metricsPort)
	}
	slices.Sort(labels)
	if diff := cmp.Diff(labels, got.Ports); diff != "" {
		t.Errorf("ports of container %d (-original +ours):\n%s", got.Index, diff)
	}

	services := []ContainerService{}
	for _, service := range task.Services {
		// The original makes a tag of "no tags".
		service.Tags = slices.DeleteFunc(service.Tags, func(tag string) bool { return tag == "" })
		services = append(services, expandService(service, func(text string) string { return text }))
	}
	if v.forgotSink(got, task) {
		// Without the sink the original registers nothing.
		services = got.Services
	}
	if diff := cmp.Diff(services, got.Services); diff != "" {
		t.Errorf("services of container %d (-original +ours):\n%s", got.Index, diff)
	}
	compareResources(t, v, s, got, task.Resources)
}

// compareRawExec compares what the driver raw_exec is given.
func compareRawExec(t *testing.T, v vector, got, commands Container, task *api.Task) {
	t.Helper()
	env := maps.Clone(task.Env)
	if strings.Contains(env[EnvWorkingDir], "${TOPOLOGY}") {
		// The original's default is left with its tokens unreplaced.
		_, last, _ := strings.Cut(env[EnvWorkingDir], "/container-")
		env[EnvWorkingDir] = "${NOMAD_TASK_DIR}/container-" + last
	}
	if v.forgotSink(got, task) {
		env[envMetricsFile] = got.Env[envMetricsFile]
	}
	ours := maps.Clone(commands.Env)
	for _, key := range []string{envCoreFile, envPackageURI, envPackageFile, envPackageSHA256} {
		delete(ours, key)
	}
	env[envExecutor], ours[envExecutor] = sortRAMMap(env[envExecutor]), sortRAMMap(ours[envExecutor])
	if diff := cmp.Diff(env, ours); diff != "" {
		t.Errorf("environment of container %d (-original +ours):\n%s", got.Index, diff)
	}
	if got.Args[0] != scriptPath || strings.Join(got.Args[1:], " ") != got.Env[envExecutor] {
		t.Errorf("container %d: arguments %q are not the script and the executor's command %q", got.Index, got.Args, got.Env[envExecutor])
	}
}

// compareResources checks for the largest of each resource. The original
// takes those of whichever container comes first; with a plan in which all
// need the same that is the same.
func compareResources(t *testing.T, v vector, s Spec, got Container, theirs *api.Resources) {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(v.Outputs[0].PackingPlan.ProtoBase64)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := packing.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	m := plan.Max()
	want := ContainerResources{
		CPU:      int(float64(s.Settings.Nomad.MHzPerCore)*m.CPU + 0.5),
		MemoryMB: int((m.RAM + 1<<19) >> 20),
	}
	if diff := cmp.Diff(want, got.Resources); diff != "" {
		t.Errorf("resources of container %d (-largest of the plan +ours):\n%s", got.Index, diff)
	}
	alike := !slices.ContainsFunc(plan.Containers, func(c packing.Container) bool { return c.Required != plan.Containers[0].Required })
	if alike && (*theirs.CPU != got.Resources.CPU || *theirs.MemoryMB != got.Resources.MemoryMB) {
		t.Errorf("container %d gets %+v, the original's %d MHz and %d MB", got.Index, got.Resources, *theirs.CPU, *theirs.MemoryMB)
	}
}

// sortRAMMap puts the components of --component-ram-map in order: the
// original's is that of a hash map. The next flag ends it, for names of
// components may have spaces.
func sortRAMMap(command string) string {
	const flag, next = "--component-ram-map=", " --component-jvm-opts="
	start := strings.Index(command, flag)
	if start < 0 {
		return command
	}
	start += len(flag)
	end := len(command)
	if n := strings.Index(command[start:], next); n >= 0 {
		end = start + n
	}
	parts := strings.Split(command[start:end], ",")
	slices.Sort(parts)
	return command[:start] + strings.Join(parts, ",") + command[end:]
}
