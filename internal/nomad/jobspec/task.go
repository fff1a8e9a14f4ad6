package jobspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// The names of the only group and the only task of a topology's job.
const (
	GroupName = "container"
	TaskName  = "executor"
)

// Drivers that containers can run under.
const (
	driverRawExec = "raw_exec"
	driverDocker  = "docker"
)

// allocIndex is what Nomad replaces by the container's index.
const allocIndex = "${NOMAD_ALLOC_INDEX}"

// scriptPath is where the start script lies, below the task's folder.
const scriptPath = "local/run_heron_executor.sh"

// stopSignal is the one after which an executor ends its children.
const stopSignal = "SIGTERM"

// task makes the task of every container.
func (s Spec) task() (*api.Task, error) {
	n := s.Settings.Nomad
	if n.Driver != driverRawExec && n.Driver != driverDocker {
		return nil, badInput("heron.nomad.driver", "is %q; use %s or %s", n.Driver, driverDocker, driverRawExec)
	}
	if strings.TrimSpace(s.Script) == "" {
		return nil, badInput("the start script "+n.Script, "is empty; see heron.scheduler.job.template")
	}
	command := s.command
	if command == nil {
		args, err := ExecutorArgs(s, allocIndex, VariablePorts())
		if err != nil {
			return nil, err
		}
		command = append([]string{s.Settings.Executor.ExecutorBinary}, args...)
	}
	env, artifacts, err := s.environment(command)
	if err != nil {
		return nil, err
	}
	config, err := s.driverConfig(command)
	if err != nil {
		return nil, err
	}
	resources, err := s.resources()
	if err != nil {
		return nil, err
	}
	t := &api.Task{
		Name:        TaskName,
		Driver:      n.Driver,
		Config:      config,
		Env:         env,
		Services:    s.services(),
		Resources:   resources,
		Artifacts:   artifacts,
		Templates:   []*api.Template{scriptTemplate(s.Script)},
		KillTimeout: ptr(n.KillTimeout),
		KillSignal:  stopSignal,
		LogConfig:   s.logs(),
	}
	if len(t.Services) > 0 {
		t.ShutdownDelay = n.ShutdownDelay
	}
	return t, nil
}

// driverConfig is the part of a task that its driver reads. Both drivers run
// the start script with the executor's command line as its arguments.
func (s Spec) driverConfig(command []string) (map[string]any, error) {
	if s.docker() {
		return s.dockerConfig(command)
	}
	return map[string]any{
		"command": "/bin/sh",
		"args":    append([]string{scriptPath}, command...),
	}, nil
}

// environment is what the start script reads, and what Nomad fetches for it.
func (s Spec) environment(command []string) (map[string]string, []*api.TaskArtifact, error) {
	dir, err := s.workingDir()
	if err != nil {
		return nil, nil, err
	}
	env := map[string]string{
		EnvWorkingDir: dir,
		EnvDownload:   s.downloadCommand(),
		envExecutor:   strings.Join(command, " "),
	}
	setIf(env, envMetricsFile, s.Settings.Executor.MetricsPortFile)
	if s.docker() {
		env[envHost] = nodeAddress
	}
	var artifacts []*api.TaskArtifact
	for _, fetch := range []func(map[string]string) (*api.TaskArtifact, error){s.coreFetch, s.packageFetch} {
		a, err := fetch(env)
		if err != nil {
			return nil, nil, err
		}
		if a != nil {
			artifacts = append(artifacts, a)
		}
	}
	if err := s.extraEnv(env); err != nil {
		return nil, nil, err
	}
	return env, artifacts, nil
}

// workingDir is the folder of one container. By default it lies below the
// task's own, goes with the allocation, and is read through Nomad.
func (s Spec) workingDir() (string, error) {
	dir := strings.TrimRight(s.Settings.Nomad.WorkingDir, "/")
	switch {
	case s.docker():
		// The key names a folder of the node, which the container cannot see.
		dir = taskDir
	case dir == "" && s.Settings.Nomad.WorkingDir == "":
		dir = taskDir
	case !strings.HasPrefix(dir, "/") && !strings.HasPrefix(dir, "${NOMAD_"):
		return "", badInput("heron.scheduler.local.working.directory",
			"is %q; use an absolute path, or none for the task's own folder", s.Settings.Nomad.WorkingDir)
	}
	return dir + "/container-" + allocIndex, nil
}

// downloadCommand is the original's way to fetch the package, for users who
// keep a start script of their own.
func (s Spec) downloadCommand() string {
	e := s.Settings.Executor
	dir := e.LocalConf
	if s.docker() {
		dir = e.ClusterConf
	}
	return fmt.Sprintf("%s -u %s -f . -m local -p %s -d %s", e.DownloaderBinary, s.packageFetchURI(), dir, e.ClusterHome)
}

// scriptTemplate hands the script over as it is: the delimiters of template
// actions are chosen so that they do not occur in it.
func scriptTemplate(script string) *api.Template {
	t := &api.Template{
		EmbeddedTmpl: ptr(script),
		DestPath:     ptr(scriptPath),
		ChangeMode:   ptr("noop"),
		Perms:        ptr("0755"),
	}
	left := "{{"
	for i := 0; strings.Contains(script, left); i++ {
		left = fmt.Sprintf("{%d{", i)
	}
	if left != "{{" {
		t.LeftDelim, t.RightDelim = ptr(left), ptr("}}")
	}
	return t
}
