package nomad

import (
	"slices"
	"testing"
	"time"
)

func TestProgramLog(t *testing.T) {
	ctx, c := t.Context(), realClient(t)
	job := shell(testJob(t, 2), `
d=local/container-$NOMAD_ALLOC_INDEX; mkdir -p $d/log-files; cd $d
if [ $NOMAD_ALLOC_INDEX = 0 ]; then
	for n in 1 2 3 4; do echo "life $n" >log-files/heron-tmanager-id.INFO.$n; touch -d "2020-01-0$n" log-files/heron-tmanager-id.INFO.$n; done
	ln -s heron-tmanager-id.INFO.4 log-files/heron-tmanager-id.INFO
	echo "life 4" >log-files/heron-tmanager-id.ERROR; echo 17 >heron-tmanager.pid
	echo "from the executor" >heron-executor-0.stdout
fi
echo "to its output"; exec sleep 3600`)
	mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 2, patience, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		index   int
		program string
		from    string
		lines   []string
	}{
		{0, TManager, "executor/local/container-0/log-files/heron-tmanager-id.INFO.4", []string{"life 2", "life 3", "life 4"}},
		{0, Executor, "executor/local/container-0/heron-executor-0.stdout", []string{"from the executor"}},
		{1, TManager, "", nil},
		{1, Executor, "standard output", []string{"to its output"}},
	} {
		// The script may still be writing.
		eventually(t, want.program, func() bool {
			got, err := c.ProgramLog(ctx, ref(mustAllocations(t, c, *job.ID)[want.index]), want.program)
			return err == nil && got.Index == want.index && got.From == want.from && slices.Equal(got.Lines, want.lines)
		})
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}
