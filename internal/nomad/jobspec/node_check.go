package jobspec

import (
	"path"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
)

// NodeCheckTask is the only task of a NodeCheck.
const NodeCheckTask = "check"

// NodeCheckPrefix begins the ids of all such jobs.
const NodeCheckPrefix = "heron-doctor."

// NodeCheck is a job that runs once on every node which takes containers of
// these settings, and prints what it has of what they need: a line for each
// thing, with its name, "ok" or "problem", and a text, separated by tabs. The id
// tells it from others.
func NodeCheck(s *conf.Settings, id string) *api.Job {
	n := s.Nomad
	task := &api.Task{
		Name:      NodeCheckTask,
		Driver:    n.Driver,
		Env:       nodeCheckEnv(s),
		Resources: &api.Resources{CPU: ptr(20), MemoryMB: ptr(64)},
		Templates: []*api.Template{scriptTemplate(nodeCheckScript)},
		LogConfig: &api.LogConfig{MaxFiles: ptr(1), MaxFileSizeMB: ptr(1)},
	}
	if n.Driver == driverDocker {
		task.Config = map[string]any{
			"image": n.DockerImage, "network_mode": n.DockerNetwork, "command": "/bin/sh",
			"args": []string{taskDir + strings.TrimPrefix(scriptPath, "local")},
		}
		if len(n.DockerVolumes) > 0 {
			task.Config["volumes"] = n.DockerVolumes
		}
		if n.DockerAuth != nil {
			task.Config[dockerAuthKey] = dockerAuth(n.DockerAuth)
		}
	} else {
		task.Config = map[string]any{"command": "/bin/sh", "args": []string{scriptPath}}
	}
	id = NodeCheckPrefix + s.Cluster + "." + id
	job := &api.Job{
		ID: ptr(id), Name: ptr(id), Type: ptr(api.JobTypeSysbatch), Datacenters: n.Datacenters,
		Meta: map[string]string{MetaCluster: s.Cluster, MetaTopologyID: id},
		TaskGroups: []*api.TaskGroup{{
			Name: ptr(NodeCheckTask), Count: ptr(1), Tasks: []*api.Task{task},
			RestartPolicy: &api.RestartPolicy{Attempts: ptr(0), Mode: ptr("fail"), Interval: ptr(time.Minute), Delay: ptr(time.Second)},
			EphemeralDisk: &api.EphemeralDisk{SizeMB: ptr(10)},
		}},
	}
	setText(&job.Region, n.Region)
	setText(&job.Namespace, n.Namespace)
	setText(&job.NodePool, n.Place.NodePool)
	for _, c := range n.Place.Constraints {
		job.Constraints = append(job.Constraints, api.NewConstraint(c.Attribute, c.Operator, c.Value))
	}
	return job
}

// nodeCheckEnv says what to look for.
func nodeCheckEnv(s *conf.Settings) map[string]string {
	env := map[string]string{}
	if home := s.Executor.JavaHome; path.IsAbs(home) {
		env["CHECK_JAVA_HOME"] = home
	}
	switch core := s.Core; {
	case s.Nomad.Driver == driverDocker:
		env["CHECK_CORE_DIR"] = imageCore
	case !core.UseURI:
		env["CHECK_CORE_DIR"] = core.Directory
	default:
		if src, err := fetched("heron.package.core.uri", core.URI, "", coreName); err == nil && src.artifact == nil {
			env["CHECK_CORE_FILE"] = src.path
		} else {
			env["CHECK_CORE_URI"] = core.URI
		}
	}
	if s.State.Kind == "zookeeper" {
		env["CHECK_ZOOKEEPER"] = strings.Join(s.State.Servers, " ")
	} else {
		env["CHECK_STATE"] = s.State.Root
	}
	return env
}

// nodeCheckScript needs nothing but a POSIX shell.
const nodeCheckScript = `#!/bin/sh
# Prints what this node has of what containers of topologies need.
say() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }

# version NAME PROGRAM FLAG
version() {
	if line=$("$2" "$3" 2>&1); then
		line=$(printf '%s\n' "$line" | { IFS= read -r first; printf '%s' "$first"; })
		say "$1" ok "$line"
	else
		say "$1" problem "$2 does not run"
	fi
}

if [ -n "$CHECK_JAVA_HOME" ]; then java=$CHECK_JAVA_HOME/bin/java
elif [ -n "$JAVA_HOME" ]; then java=$JAVA_HOME/bin/java
else java=$(command -v java)
fi
if [ -z "$java" ]; then say java problem "JAVA_HOME is not set, and no java is on PATH"
elif [ -x "$java" ]; then version java "$java" -version
else say java problem "$java is not there"
fi

for name in python3 tar; do
	if command -v "$name" >/dev/null 2>&1; then version "$name" "$name" --version
	else say "$name" problem "no $name is on PATH"
	fi
done

if [ -n "$CHECK_CORE_DIR" ]; then
	if [ -d "$CHECK_CORE_DIR/bin" ]; then say core ok "in $CHECK_CORE_DIR"
	else say core problem "$CHECK_CORE_DIR/bin is not there"
	fi
elif [ -n "$CHECK_CORE_FILE" ]; then
	if [ -r "$CHECK_CORE_FILE" ]; then say core ok "in $CHECK_CORE_FILE"
	else say core problem "$CHECK_CORE_FILE cannot be read"
	fi
elif [ -n "$CHECK_CORE_URI" ]; then
	say core ok "Nomad fetches it from $CHECK_CORE_URI, which was not tried"
fi

# reach HOST PORT is 0 for yes, 1 for no, 2 where nothing here can tell.
reach() {
	if command -v python3 >/dev/null 2>&1; then
		python3 -c 'import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()
except OSError:
    sys.exit(1)' "$1" "$2" >/dev/null 2>&1 || return 1
	elif command -v bash >/dev/null 2>&1; then
		bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" >/dev/null 2>&1 || return 1
	elif command -v nc >/dev/null 2>&1; then
		nc -w 5 "$1" "$2" </dev/null >/dev/null 2>&1 || return 1
	else
		return 2
	fi
}

for server in $CHECK_ZOOKEEPER; do
	host=$(printf '%s' "$server" | sed 's/:[0-9]*$//; s/^\[//; s/\]$//')
	port=$(printf '%s' "$server" | sed 's/.*://')
	reach "$host" "$port"
	case $? in
	0) say zookeeper ok "$server can be reached" ;;
	1) say zookeeper problem "$server cannot be reached" ;;
	*) say zookeeper ok "$server was not tried: there is neither python3 nor bash nor nc" ;;
	esac
done

if [ -n "$CHECK_STATE" ]; then
	if [ -d "$CHECK_STATE" ] && [ -w "$CHECK_STATE" ]; then say state ok "$CHECK_STATE can be written to"
	else say state problem "$CHECK_STATE is not a folder that can be written to"
	fi
fi
`
