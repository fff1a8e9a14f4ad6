package jobspec

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
)

// Keys of a docker task's configuration.
const (
	dockerAuthKey     = "auth"
	dockerPasswordKey = "password"
)

// dockerAuth is how a node logs in to the registry of images. The password is
// still a conf.Secret: whatever prints the job shows none; see Revealed.
func dockerAuth(a *conf.DockerAuth) []map[string]any {
	auth := map[string]any{"username": a.Username, dockerPasswordKey: a.Password}
	if a.Server != "" {
		auth["server_address"] = a.Server
	}
	return []map[string]any{auth}
}

// Revealed is the job as Nomad must get it, with secrets in place. The job
// given stays as it is.
func Revealed(job *api.Job) *api.Job {
	out := *job
	out.TaskGroups = slices.Clone(job.TaskGroups)
	for i, group := range out.TaskGroups {
		g := *group
		g.Tasks = slices.Clone(group.Tasks)
		for j, task := range g.Tasks {
			list, ok := task.Config[dockerAuthKey].([]map[string]any)
			if !ok {
				continue
			}
			t := *task
			t.Config = maps.Clone(task.Config)
			t.Config[dockerAuthKey] = plain(list)
			g.Tasks[j] = &t
		}
		out.TaskGroups[i] = &g
	}
	return &out
}

func plain(list []map[string]any) []map[string]any {
	out := []map[string]any{}
	for _, m := range list {
		m = maps.Clone(m)
		for key, v := range m {
			if secret, ok := v.(conf.Secret); ok {
				m[key] = string(secret)
			}
		}
		out = append(out, m)
	}
	return out
}

// SecretField says whether a field of a job, by Nomad's name for it, holds
// what must not be shown.
func SecretField(path string) bool {
	return strings.Contains(path, dockerAuthKey+"[") && strings.Contains(path, dockerPasswordKey)
}
