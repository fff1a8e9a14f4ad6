package jobspec

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// The job that is made of a job of the original client gives every container
// what that client's jobs gave it.
func TestAdoptedContainersRunWhatTheOriginalsRan(t *testing.T) {
	seen := map[string]int{}
	for name, v := range vectors(t, "submit") {
		jobs := v.jobs()
		if v.Outputs[0].Result != "ok" || len(jobs) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			spec, err := v.spec(t, v.install(t))
			if err != nil {
				return // ours refuses it, which is compared where submissions are
			}
			job, err := Adopt(Spec{Settings: spec.Settings, Definition: spec.Definition, Plan: spec.Plan, Script: spec.Script}, jobs[len(jobs)-1])
			if err != nil {
				if uri := v.Outputs[0].HTTP; strings.Contains(err.Error(), "nodes can fetch") && len(uri) > 0 {
					seen["refused"]++
					return
				}
				t.Fatal(err)
			}
			if err := CheckMarks(job, spec.Settings); err != nil || job.Meta[MetaUploader] != UploaderOriginal || job.Meta[MetaTopologyID] != spec.Definition.ID() {
				t.Errorf("meta %v, %v", job.Meta, err)
			}
			for i, want := range jobs {
				was := want.TaskGroups[0].Tasks[0]
				seen[was.Driver]++
				download, command, err := originalCommands(*want.ID, was)
				if err != nil {
					t.Fatal(err)
				}
				now := Expand(job, i)
				got, command := strings.Join(sortedRAMMap(now.Args), " "), sortedRAMMap(command)
				if !strings.HasSuffix(got, strings.Join(command, " ")) {
					t.Errorf("container %d runs\n%s\nwant\n%s", i, got, strings.Join(command, " "))
				}
				if env := now.Env[EnvDownload]; env != strings.Join(download, " ") {
					t.Errorf("container %d fetches by %s", i, env)
				}
				for _, key := range []string{envMetricsFile, envUseCoreURI, envCoreURI, envCoreDir} {
					if was.Driver == driverRawExec && now.Env[key] != was.Env[key] {
						t.Errorf("container %d: %s is %q, want %q", i, key, now.Env[key], was.Env[key])
					}
				}
				if image := job.TaskGroups[0].Tasks[0].Config["image"]; was.Driver == driverDocker && image != was.Config["image"] {
					t.Errorf("image %v", image)
				}
			}
		})
	}
	if seen[driverDocker] == 0 || seen[driverRawExec] == 0 {
		t.Errorf("compared %v", seen)
	}
}

// sortedRAMMap is a command line with the components of its RAM map in order: the
// original has them in that of a hash map.
func sortedRAMMap(command []string) []string {
	out := slices.Clone(command)
	for i, word := range out {
		if text, is := strings.CutPrefix(word, ramMapFlag); is {
			parts := strings.Split(text, ",")
			slices.Sort(parts)
			out[i] = ramMapFlag + strings.Join(parts, ",")
		}
	}
	return out
}

func TestWhatCannotBeAdopted(t *testing.T) {
	s := someSpec()
	original := func(change func(*api.Task)) *api.Job {
		task := &api.Task{Name: "t", Driver: driverRawExec, Env: map[string]string{
			EnvDownload: "get -u file:///p -f .",
			envExecutor: "exec --topology-id=" + s.Definition.ID() + " --component-ram-map=a:1 --shard=1",
		}}
		change(task)
		id := "j-0"
		return &api.Job{ID: &id, TaskGroups: []*api.TaskGroup{{Tasks: []*api.Task{task}}}}
	}
	for want, job := range map[string]*api.Job{
		"not one group with one task":     {ID: new("j")},
		"no command line":                 original(func(t *api.Task) { t.Driver = "java" }),
		"a shell":                         original(func(t *api.Task) { t.Env[envExecutor] += ` --x='a b'` }),
		"runs topology":                   original(func(t *api.Task) { t.Env[envExecutor] = "exec --topology-id=other" }),
		"without --shard":                 original(func(t *api.Task) { t.Env[envExecutor] = strings.Replace(t.Env[envExecutor], " --shard=1", "", 1) }),
		"where the topology's package is": original(func(t *api.Task) { t.Env[EnvDownload] = "get it" }),
		"nodes can fetch":                 original(func(t *api.Task) { t.Env[EnvDownload], t.Env[envCoreDir] = "get -u hdfs://x/y", "/opt/core" }),
	} {
		got, err := Adopt(s, job)
		if err == nil || !strings.Contains(err.Error(), want) || got != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
	before := *s.Settings
	job, err := Adopt(s, original(func(t *api.Task) { t.Env[envUseCoreURI], t.Env[envCoreDir] = "false", "/opt/core" }))
	if err != nil || job.TaskGroups[0].Tasks[0].Env[envCoreDir] != "/opt/core" {
		t.Errorf("%v, %v", job, err)
	}
	if !reflect.DeepEqual(before, *s.Settings) {
		t.Error("the settings were changed")
	}
}
