package main

import (
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/inspect"
)

func TestPagesAreCutToTheTerminal(t *testing.T) {
	page := "first line\nzweite Zeile äöü\n3\n4\n5\n"
	for _, c := range []struct {
		columns, rows int
		want          string
	}{
		{80, 24, page},
		{0, 0, page},
		{80, 4, "first line\nzweite Zeile äöü\n(3 more lines)\n"},
		{14, 24, "first line\nzweite Zeile ä\n3\n4\n5\n"},
	} {
		if got := fitted(page, c.columns, c.rows); got != c.want {
			t.Errorf("%d columns, %d rows: %q, want %q", c.columns, c.rows, got, c.want)
		}
	}
}

func TestListOfTopologiesForAPerson(t *testing.T) {
	a := quietApp()
	a.now = func() (at time.Time) { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	var b strings.Builder
	a.printTopologies(&b, nil)
	if b.String() != "no topologies\n" {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	a.printTopologies(&b, []*inspect.Summary{
		{Topology: "wc", Cluster: "nomad", Role: "ads", Environ: "prod", Health: inspect.Healthy, Reason: "3 of 3 containers run", State: "RUNNING", Wanted: 3, Running: 3, Owner: "ann", Since: a.now().Add(-30 * time.Hour)},
		{Topology: "lost", Cluster: "nomad", Health: inspect.Failed, Reason: "it has a job in Nomad, but no state"},
	})
	want := `TOPOLOGY  HEALTH   STATE    CONTAINERS  PLACE           OWNER  SUBMITTED  REASON
wc        healthy  RUNNING  3/3         nomad/ads/prod  ann    30h ago    -
lost      failed   -        0/0         nomad/-/-       -      -          it has a job in Nomad, but no state
`
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}
