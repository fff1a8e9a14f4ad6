package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
)

// Unused returns those of some files of packages that no deployment record, no
// intent, no version in a topology's history and no job refers to. They are
// known by the last parts of their URIs, which must be as good as digests: what
// holds one anywhere refers to it. Where references cannot be read as a whole,
// that is an error.
func Unused(ctx context.Context, cl cluster.Cluster, jobs AllJobs, files []string) ([]string, error) {
	if err := jobs.SeesAllJobs(ctx); err != nil {
		return nil, err
	}
	refs, err := readReferences(ctx, cl)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for uri := range refs.uris {
		used[path.Base(uri)] = true
	}
	err = jobs.EachJob(ctx, func(job *api.Job) error {
		text, err := json.Marshal(job)
		if err != nil {
			return fmt.Errorf("look into job: %w", err)
		}
		for _, file := range files {
			used[file] = used[file] || bytes.Contains(text, []byte(file))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for jobs that use packages: %w", err)
	}
	var unused []string
	for _, file := range files {
		if !used[file] {
			unused = append(unused, file)
		}
	}
	return unused, nil
}
