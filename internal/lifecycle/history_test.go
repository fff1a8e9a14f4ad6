package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// earlier gives the bench's topology an earlier version with a package of its
// own, whose file it returns.
func (b *bench) earlier() string {
	b.T.Helper()
	file := filepath.Join(b.Packages, nameOf("words", "words0001"))
	b.Must(os.MkdirAll(filepath.Dir(file), 0o755))
	b.Must(os.WriteFile(file, []byte("old"), 0o600))
	there, err := b.Cluster.Look(b.T.Context(), "words", cluster.Scope{Job: true, Versions: true})
	b.Must(err)
	v, err := there.Version(statemgr.OperationReplace, "ann", time.Unix(1_700_000_000, 0))
	b.Must(err)
	v.Deployment.TopologyID, v.Deployment.Package.URI = "words0001", "file://"+file
	ops, n, err := b.Cluster.State.Append(b.T.Context(), "words", v)
	b.Must(err)
	if n != 2 || v.Previous != 1 || v.Containers != 3 {
		b.T.Errorf("version %d, after %d, of %d containers", n, v.Previous, v.Containers)
	}
	b.Must(b.Store.Apply(b.T.Context(), ops...))
	return file
}

func TestKillRemovesThePackagesOfTheHistory(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	file := b.earlier()
	if _, err := b.kill(t.Context(), KillOptions{}); err != nil {
		t.Error(err)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the earlier version's package is left")
	}
}

// A kill that dies between two removals is finished by the next, which has to
// find what is left.
func TestKillOfAHistoryAfterACrash(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b := newBench(t)
			b.Must(b.submit(t.Context()))
			file := b.earlier()
			cl, m := b.Mortal(at, after)
			_, err := Kill(t.Context(), cl, "words", KillOptions{})
			if died = m.Dead; !died {
				b.Must(err)
			} else if _, err := b.kill(t.Context(), KillOptions{IgnoreMissing: true}); err != nil {
				t.Errorf("at %d: %v", at, err)
			}
			if _, err := os.Stat(file); err == nil || len(b.Left()) > 0 {
				t.Errorf("at %d, after %v: left: %v, the earlier version's package: %v", at, after, b.Left(), err == nil)
			}
		}
	}
}

func TestGCSparesWhatTheHistoryNeeds(t *testing.T) {
	g := newGCBench(t)
	g.Must(g.submit(t.Context()))
	file := g.earlier()
	g.Must(os.Chtimes(file, longAgo, longAgo))
	orphan := g.pkg("words", "words0000")
	done, err := g.gc(nil)
	g.Must(err)
	if _, err := os.Stat(file); err != nil || g.there(orphan) || len(done.Removed) != 1 {
		t.Errorf("removed %+v; the earlier version's package: %v", done.Removed, err)
	}
	g.Must(g.Store.Apply(t.Context(), statemgr.Set(g.Cluster.State.Version("words", 2), []byte(`{"format":9}`))))
	if _, err := g.gc(nil); err == nil || !strings.Contains(err.Error(), "nothing was removed") {
		t.Errorf("with a history that nobody understands: %v", err)
	}
}
