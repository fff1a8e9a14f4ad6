package inspect_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/tmanager"
)

func TestStatusSaysWhatKeepsThePlan(t *testing.T) {
	b := newBench(t)
	b.Jobs.Allocations = map[string][]nomad.Container{job: {up(0), up(1), up(2)}}
	b.Jobs.Logs = map[string][]string{
		"0 heron-tmanager": {"Starting tmanager for topology words", "Got a register stream manager request from stmgr-1"},
		"2 heron-executor": {"stmgr-2 (pid=4) exited with status 256. command=x"},
	}
	look := func() *inspect.Status {
		s, err := inspect.Look(t.Context(), b.Cluster, b.nomad, "words", time.Now)
		b.Must(err)
		return s
	}
	if s := look(); s.Diagnosis != nil {
		t.Errorf("a healthy topology is looked into: %+v", s.Diagnosis)
	}
	b.tmanager.err = tmanager.ErrNoPlan
	s := look()
	if s.Diagnosis == nil || !cmp.Equal(s.Diagnosis.Missing, []int{2}) || len(s.Diagnosis.Restarts) != 1 || s.Diagnosis.TManager != inspect.AnswerIncomplete {
		t.Errorf("%+v", s.Diagnosis)
	}
	down := up(1)
	down.Status = "pending"
	b.nomad.set(job, up(0), down, up(2))
	if s := look(); s.Diagnosis != nil {
		t.Errorf("containers that do not run say enough: %+v", s.Diagnosis)
	}
}
