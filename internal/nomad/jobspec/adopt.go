package jobspec

import (
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// UploaderOriginal stands in a job's MetaUploader, and in records, for whatever
// stored a package for the original client. Nobody else can remove it.
const UploaderOriginal = "original"

// Flags of the executor that Adopt reads or replaces.
const (
	flagShard      = "--shard="
	flagTopologyID = "--topology-id="
	flagDefinition = "--topology-defn-file="
	flagBinary     = "--topology-binary-file="
	flagType       = "--pkg-type="
)

// Adopt is the one job for a topology that the original client put up with a job
// for each container. What its containers run, where they fetch it and how the
// package is called is taken from one of those jobs, the rest from the spec,
// which needs only Settings, Definition, Plan and Script. A job that says too
// little, or what nodes cannot fetch for us, is an *InputError.
func Adopt(s Spec, original *api.Job) (*api.Job, error) {
	if len(original.TaskGroups) != 1 || len(original.TaskGroups[0].Tasks) != 1 {
		return nil, badInput("job "+value(original.ID), "is not one of the original client: it has not one group with one task")
	}
	task := original.TaskGroups[0].Tasks[0]
	download, command, err := originalCommands(value(original.ID), task)
	if err != nil {
		return nil, err
	}
	if s.command, err = adoptedCommand(s, value(original.ID), command); err != nil {
		return nil, err
	}
	s.DefinitionFile, s.BinaryFile, s.PackageType = flagOf(command, flagDefinition), flagOf(command, flagBinary), flagOf(command, flagType)
	at := slices.Index(download, "-u")
	if at < 0 || at+1 == len(download) {
		return nil, badInput("job "+value(original.ID), "does not say where the topology's package is: its download command is %q", strings.Join(download, " "))
	}
	s.PackageURI = download[at+1]
	s.adoptSettings(task)
	job, err := Build(s)
	if err != nil {
		return nil, err
	}
	job.Meta[MetaUploader] = UploaderOriginal
	job.TaskGroups[0].Tasks[0].Env[EnvDownload] = strings.Join(download, " ")
	return job, nil
}

// originalCommands are the words of the command lines in a task of the original
// client: that which fetches the package and that of the executor.
func originalCommands(job string, task *api.Task) (download, command []string, err error) {
	switch task.Driver {
	case driverRawExec:
		// Its script expands the variables without quotes, so that quotes are part
		// of the words.
		download, command = strings.Fields(task.Env[EnvDownload]), strings.Fields(task.Env[envExecutor])
	case driverDocker:
		if args := texts(task.Config["args"]); len(args) == 2 && args[0] == "-c" {
			parts := strings.Split(args[1], " && ")
			download, command = shellWords(parts[0]), shellWords(parts[len(parts)-1])
		}
	}
	if len(download) == 0 || len(command) < 2 {
		return nil, nil, badInput("job "+job, "is not one of the original client: it has no command line of an executor")
	}
	if at := slices.IndexFunc(append(slices.Clone(download), command...), func(word string) bool { return strings.ContainsAny(word, "'\\`") }); at >= 0 {
		return nil, nil, badInput("job "+job, "has a command line that only a shell could take apart")
	}
	return download, command, nil
}

// shellWords are the words of a command line as a shell hands them over that
// has no spaces between quotes.
func shellWords(text string) []string {
	return strings.Fields(strings.ReplaceAll(text, `"`, ""))
}

// adoptedCommand is the executor's command line for every container of a plan.
func adoptedCommand(s Spec, job string, command []string) ([]string, error) {
	if id := flagOf(command, flagTopologyID); id != s.Definition.ID() {
		return nil, badInput("job "+job, "runs topology id %q, not %s", id, s.Definition.ID())
	}
	out := slices.Clone(command)
	for flag, text := range map[string]string{flagShard: allocIndex, ramMapFlag: s.Plan.ComponentRAM()} {
		at := slices.IndexFunc(out, func(word string) bool { return strings.HasPrefix(word, flag) })
		if at < 0 {
			return nil, badInput("job "+job, "has a command line of an executor without %s", strings.TrimSuffix(flag, "="))
		}
		out[at] = flag + text
	}
	return out, nil
}

// flagOf is the value of a flag in a command line, "" for none.
func flagOf(command []string, flag string) string {
	for _, word := range command {
		if text, is := strings.CutPrefix(word, flag); is {
			return text
		}
	}
	return ""
}

// adoptSettings has containers run as the original's task did: under its driver,
// in its image, with its core and its file of the metrics' port.
func (s *Spec) adoptSettings(task *api.Task) {
	set := *s.Settings
	set.Nomad.Driver, set.Executor.MetricsPortFile = task.Driver, task.Env[envMetricsFile]
	if image, ok := task.Config["image"].(string); ok {
		set.Nomad.DockerImage = image
	}
	if mode, ok := task.Config["network_mode"].(string); ok {
		set.Nomad.DockerNetwork = mode
	}
	if task.Driver == driverRawExec {
		core := &set.Core
		core.UseURI, core.Directory = task.Env[envUseCoreURI] == "true", task.Env[envCoreDir]
		if uri := task.Env[envCoreURI]; uri != core.URI {
			core.URI, core.SHA256 = uri, ""
		}
	}
	// The settings may be those of no topology yet.
	set.Nomad.WorkingDir = strings.NewReplacer("${TOPOLOGY}", s.Definition.Name(), "${TOPOLOGY_ID}", s.Definition.ID()).Replace(set.Nomad.WorkingDir)
	s.Settings = &set
}

// OriginalFolders are the folders on nodes, outside of allocations, in which
// containers of the original client's jobs worked.
func OriginalFolders(jobs []*api.Job) (dirs []string) {
	for _, job := range jobs {
		eachTask(job, func(task *api.Task) {
			if dir := task.Env[EnvWorkingDir]; dir != "" && !slices.Contains(dirs, path.Dir(dir)) {
				dirs = append(dirs, path.Dir(dir))
			}
		})
	}
	return dirs
}
