package lifecycle

import (
	"fmt"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// originals makes the topology one of the original client: a job per container
// and no record.
func (b *bench) originals(containers int) {
	b.T.Helper()
	delete(b.Jobs.Jobs, wordsJob)
	delete(b.Jobs.Allocations, wordsJob)
	b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(b.Cluster.State.Deployment("words"))))
	for index := range containers {
		id, name, one := fmt.Sprintf("words1234-%d", index), fmt.Sprintf("words-%d", index), 1
		meta := map[string]string{jobspec.MetaTopologyName: "words", jobspec.MetaTopologyID: "words1234"}
		b.Jobs.Put(&api.Job{ID: &id, Name: &name, Meta: meta, TaskGroups: []*api.TaskGroup{{Name: &name, Count: &one, Tasks: []*api.Task{{Name: name}}}}})
	}
}

func TestRestartOfATopologyOfTheOriginalClient(t *testing.T) {
	b, m := upWithContainers(t)
	b.Jobs.OnPlace = func(*nomad.Container) { m.Locate("words1234"); m.Store("words1234", running) }
	b.originals(3)
	opts := every()
	opts.Wait = patient
	got, err := b.restart(t.Context(), opts)
	if err != nil || got.how() != "0 in_place, 1 in_place, 2 in_place" {
		t.Errorf("%+v, %v", got, err)
	}
	for index := range 3 {
		if c := b.Jobs.Wanted(fmt.Sprintf("words1234-%d", index))[0]; c.Restarts != 1 {
			t.Errorf("container %d was restarted %d times", index, c.Restarts)
		}
	}
	if got, err := b.restart(t.Context(), only(2)); err != nil || got.how() != "2 in_place" || b.Jobs.Wanted("words1234-2")[0].Restarts != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	b.wantNoClaim()
}
