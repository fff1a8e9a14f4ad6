package submit

import (
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

func TestTheRecordSaysWhereTheJobIs(t *testing.T) {
	b := newBench(t)
	b.Settings.Nomad.Region, b.Settings.Nomad.Namespace = "eu", "ads"
	b.d = b.manifest("words1234")
	if *b.d.Job.Region != "eu" || *b.d.Job.Namespace != "ads" {
		t.Errorf("the job is for region %s, namespace %s", *b.d.Job.Region, *b.d.Job.Namespace)
	}
	b.Must(b.submit(t.Context()))
	node, err := b.Store.Read(t.Context(), b.Cluster.State.Deployment("words"))
	b.Must(err)
	record, err := statemgr.DecodeDeployment(node.Data)
	b.Must(err)
	if record.Nomad.Region != "eu" || record.Nomad.Namespace != "ads" {
		t.Errorf("the record says %+v", record.Nomad)
	}
}

func TestAJobThatNomadWouldNotTakeIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	b := newBench(t)
	b.Jobs.Before = func(m string) error {
		if m == "Forecast" {
			return errBroken
		}
		return nil
	}
	err := b.submit(t.Context())
	if outcome.KindOf(err) != outcome.Failed || !strings.Contains(err.Error(), "ask Nomad whether it would take job heron.nomad.words") {
		t.Errorf("kind %s, %v", outcome.KindOf(err), err)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
