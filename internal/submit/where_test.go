package submit

import (
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/statemgr"
)

func TestTheRecordSaysWhereTheJobIs(t *testing.T) {
	b := newBench(t)
	b.settings.Nomad.Region, b.settings.Nomad.Namespace = "eu", "ads"
	b.d = b.deployment("words1234")
	if *b.d.Job.Region != "eu" || *b.d.Job.Namespace != "ads" {
		t.Errorf("the job is for region %s, namespace %s", *b.d.Job.Region, *b.d.Job.Namespace)
	}
	b.must(b.submit(t.Context()))
	node, err := b.store.Read(t.Context(), b.layout.Deployment("words"))
	b.must(err)
	record, err := statemgr.DecodeDeployment(node.Data)
	b.must(err)
	if record.Nomad.Region != "eu" || record.Nomad.Namespace != "ads" {
		t.Errorf("the record says %+v", record.Nomad)
	}
}

func TestKillDoesNotLookElsewhere(t *testing.T) {
	for _, c := range []struct {
		region, namespace string
		thenRegion, then  string
		want              string
	}{
		{"", "ads", "", "", `runs in Nomad's namespace "ads", not "default"; kill it with --nomad-namespace ads`},
		{"", "", "", "ads", `runs in Nomad's namespace "default", not "ads"; kill it with --nomad-namespace default`},
		{"eu", "", "us", "", `runs in Nomad's region "eu", not "us"; kill it with --nomad-region eu`},
		{"eu", "ads", "", "ads", ""},
		{"", "", "us", "default", ""},
	} {
		b := newBench(t)
		b.settings.Nomad.Region, b.settings.Nomad.Namespace = c.region, c.namespace
		b.d = b.deployment("words1234")
		b.must(b.submit(t.Context()))
		there := len(b.left())
		b.settings.Nomad.Region, b.settings.Nomad.Namespace = c.thenRegion, c.then
		_, err := b.kill(t.Context(), KillOptions{})
		if c.want == "" {
			if err != nil || len(b.left()) > 0 {
				t.Errorf("%+v: %v, left %v", c, err, b.left())
			}
			continue
		}
		if ExitCode(err) != ExitInput || !strings.Contains(err.Error(), c.want) || len(b.left()) != there {
			t.Errorf("%+v: exit code %d, %v; left %v of %d", c, ExitCode(err), err, b.left(), there)
		}
	}
}

func TestAJobThatNomadWouldNotTakeIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	b := newBench(t)
	b.jobs.before = func(m string) error {
		if m == "Forecast" {
			return errBroken
		}
		return nil
	}
	err := b.submit(t.Context())
	if ExitCode(err) != ExitFailure || !strings.Contains(err.Error(), "ask Nomad whether it would take job heron.nomad.words") {
		t.Errorf("exit code %d, %v", ExitCode(err), err)
	}
	if left := b.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
