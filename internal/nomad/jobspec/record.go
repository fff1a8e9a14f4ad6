package jobspec

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
)

// Record returns a job as it can be kept: JSON, without passwords, presigned
// URLs and what Nomad's servers add. The job given stays as it is.
func Record(job *api.Job) ([]byte, error) {
	c, err := copyOf(job)
	if err != nil {
		return nil, err
	}
	forgetServer(c)
	uri, fetch := c.Meta[MetaPackageURI], PackageFetch(c)
	eachTask(c, func(task *api.Task) {
		replaceFetch(task, fetch, uri)
		for _, auth := range taskAuth(task) {
			auth[dockerPasswordKey] = ""
		}
	})
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("record job %s: %w", value(job.ID), err)
	}
	return data, nil
}

// Restore makes the job that was recorded, with the secrets that it was
// recorded without: where containers fetch the package, "" for its URI, and the
// account at the registry of images, nil for none.
func Restore(data []byte, fetch string, account *conf.DockerAuth) (*api.Job, error) {
	job := &api.Job{}
	if err := json.Unmarshal(data, job); err != nil {
		return nil, fmt.Errorf("read the job that was recorded: %w", err)
	}
	var lacks error
	eachTask(job, func(task *api.Task) {
		if fetch != "" {
			replaceFetch(task, job.Meta[MetaPackageURI], fetch)
		}
		if len(taskAuth(task)) == 0 {
			return
		}
		if account == nil {
			lacks = badInput("heron.nomad.docker.auth.username", "is not set, but the recorded job %s needs an account at its registry", value(job.ID))
			return
		}
		task.Config[dockerAuthKey] = dockerAuth(account)
	})
	return job, lacks
}

// copyOf is a deep copy, as Nomad would read it.
func copyOf(job *api.Job) (*api.Job, error) {
	data, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("record job %s: %w", value(job.ID), err)
	}
	c := &api.Job{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("record job %s: %w", value(job.ID), err)
	}
	return c, nil
}

// forgetServer clears what Nomad's servers keep in a job.
func forgetServer(job *api.Job) {
	job.Stop, job.Status, job.StatusDescription, job.Stable, job.Version, job.SubmitTime = nil, nil, nil, nil, nil, nil
	job.CreateIndex, job.ModifyIndex, job.JobModifyIndex = nil, nil, nil
	job.NomadTokenID = nil
}

func eachTask(job *api.Job, f func(*api.Task)) {
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			f(task)
		}
	}
}

// replaceFetch replaces the URI by which a task gets its package, wherever that
// is.
func replaceFetch(task *api.Task, old, now string) {
	if old == "" || old == now {
		return
	}
	for _, name := range []string{envPackageURI, EnvDownload} {
		if text, set := task.Env[name]; set {
			task.Env[name] = strings.ReplaceAll(text, old, now)
		}
	}
	for _, a := range task.Artifacts {
		if value(a.GetterSource) == old {
			a.GetterSource = &now
		}
	}
}

// taskAuth are the accounts in a task as it was read from JSON.
func taskAuth(task *api.Task) []map[string]any {
	list, _ := task.Config[dockerAuthKey].([]any)
	var accounts []map[string]any
	for _, entry := range list {
		if account, ok := entry.(map[string]any); ok {
			accounts = append(accounts, account)
		}
	}
	return accounts
}
