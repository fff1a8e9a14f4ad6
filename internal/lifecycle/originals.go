package lifecycle

import (
	"path"
	"regexp"
	"slices"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

// leftOnNodes lists what the original client's jobs leave: it put the package
// where only its own configuration can tell, and each container's working
// folder outside the allocation.
func leftOnNodes(jobs []*api.Job) []outcome.Leftover {
	uri := regexp.MustCompile(`[A-Za-z0-9]+://[^\s'"]+`)
	list := []outcome.Leftover{}
	add := func(kind, id, where string) {
		l := outcome.Leftover{Resource: outcome.Resource{Kind: kind, ID: id, Where: where}, Why: "the original client made it", ByHand: true}
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	for _, job := range jobs {
		for _, group := range job.TaskGroups {
			for _, task := range group.Tasks {
				if found := uri.FindString(task.Env[jobspec.EnvDownload]); found != "" {
					add(outcome.Package, found, "")
				}
				if dir := task.Env[jobspec.EnvWorkingDir]; dir != "" {
					add(outcome.File, path.Dir(dir), "the nodes that ran it")
				}
			}
		}
	}
	return list
}
