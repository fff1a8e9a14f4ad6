package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// crashed submits, and kills heron with -9 at one of its requests to Nomad or,
// with a negative number, while it uploads. It says whether the submission was
// complete by then.
func (c *cluster) crashed(at int) (complete bool) {
	c.t.Helper()
	if at < 0 {
		c.crashInUpload()
		return false
	}
	p := c.throughHTTP()
	defer func() { c.properties["heron.nomad.scheduler.uri"] = c.nomad }()
	seen := 0
	var run *running
	started := make(chan struct{})
	p.Fail(testenv.HTTPCut, -1, func(string, string) bool {
		<-started
		if seen == at {
			_ = run.cmd.Process.Signal(os.Kill)
		}
		seen++
		return false
	})
	run = c.startSubmit()
	close(started)
	r := run.wait(c.t)
	if r.code != 0 && r.code != -1 {
		c.t.Errorf("crash at request %d: %s", at, r)
	}
	p.Heal()
	c.emptyTmp()
	return c.job() != nil
}

// emptyTmp removes what a killed process could not.
func (c *cluster) emptyTmp() {
	c.t.Helper()
	if err := os.RemoveAll(c.tmp); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Mkdir(c.tmp, 0o700); err != nil {
		c.t.Fatal(err)
	}
}

// crashInUpload kills heron while the package folder has a part of a package.
func (c *cluster) crashInUpload() {
	c.t.Helper()
	// It stays: the properties go into the package.
	c.properties["heron.uploader.rate.limit"] = "1000000"
	run := c.startSubmit()
	eventually(c.t, "a part of the package is there", func() bool {
		parts, _ := filepath.Glob(filepath.Join(c.packages, "*/*/*/*/*/.*.part"))
		return len(parts) > 0
	})
	_ = run.cmd.Process.Signal(os.Kill)
	if r := run.wait(c.t); r.code != -1 {
		c.t.Fatalf("not killed in its upload: %s", r)
	}
	for _, f := range c.files(c.tmp) {
		_ = os.RemoveAll(f)
	}
}

// points are where the tests crash: all of them in a long run.
func points() []int {
	all := []int{-1, 0, 1, 2, 3, 4, 5}
	if n := testenv.Times(3, len(all)); n < len(all) {
		random := rand.New(rand.NewPCG(1, 2))
		random.Shuffle(len(all)-1, func(i, j int) { all[i+1], all[j+1] = all[j+1], all[i+1] })
		all = all[:n]
	}
	return all
}

// After a crash of heron, at whatever request to Nomad or in the middle of the
// upload, a kill finds and removes all that is there.
func TestKillCleansUpAfterACrashedSubmit(t *testing.T) {
	t.Parallel()
	for _, at := range points() {
		c := newCluster(t)
		c.crashed(at)
		c.want(c.kill("--ignore-missing"), 0)
		c.nothingLeft()
	}
}

// The same command again goes on, under the id that the crashed one had, and
// leaves just one topology and one package.
func TestTheSameSubmitGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	for _, at := range points() {
		c := newCluster(t)
		complete := c.crashed(at)
		before := c.intentID()
		r := c.submit("--wait", "--output", "json")
		if complete {
			c.want(r, 5, "already exists")
		} else {
			c.want(r, 0)
			var doc struct{ Submitted []struct{ ID string } }
			if err := json.Unmarshal([]byte(r.out), &doc); err != nil || len(doc.Submitted) != 1 {
				t.Fatalf("%v: %s", err, r)
			}
			if before != "" && doc.Submitted[0].ID != before {
				t.Errorf("crash at %d: went on as %s, the crashed one was %s", at, doc.Submitted[0].ID, before)
			}
		}
		c.onePackage()
		c.want(c.kill(), 0)
		c.nothingLeft()
	}
}

// Another command removes what the crashed one left.
func TestAnotherSubmitCleansUpAfterACrash(t *testing.T) {
	t.Parallel()
	for _, at := range points() {
		c := newCluster(t)
		complete := c.crashed(at)
		before := c.intentID()
		r := c.submit("--deploy-deactivated", "--output", "json")
		if complete {
			c.want(r, 5, "already exists")
		} else {
			c.want(r, 0)
			if before != "" && strings.Contains(r.out, before) {
				t.Errorf("went on with another request's id: %s", r)
			}
		}
		c.onePackage()
		c.want(c.kill(), 0)
		c.nothingLeft()
	}
}

// A submit that is under way keeps others of the name out, and kill as well.
func TestASubmitUnderWayKeepsOthersOut(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.uploader.rate.limit"] = "1024"
	run := c.startSubmit()
	eventually(t, "its intent is there", func() bool { return c.intentID() != "" })
	delete(c.properties, "heron.uploader.rate.limit")
	c.want(c.submit(), 5, "submit of user ann on ", "is under way")
	c.want(c.kill(), 5, "is under way")
	run.interrupt(t)
	c.want(run.wait(t), 130, "nothing is left")
	c.nothingLeft()
}

// intentID is the topology id that the stored intent names, "" for none.
func (c *cluster) intentID() string {
	c.t.Helper()
	return c.intent().ID
}

// intent is what a submit has noted that has not ended.
type intent struct {
	ID      string `json:"topology_id"`
	Package struct {
		Size int64 `json:"size"`
	} `json:"package"`
}

// intent is the zero one where there is none.
func (c *cluster) intent() (note intent) {
	c.t.Helper()
	for _, path := range c.nodes() {
		if strings.HasPrefix(path, c.root+"/operations/") {
			if err := json.Unmarshal(c.node(path), &note); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	return note
}

// packageFiles are the packages in the package folder.
func (c *cluster) packageFiles() []string {
	c.t.Helper()
	var files []string
	for _, f := range c.packageTree() {
		// Beside a package an API server keeps its name.
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() && !strings.HasPrefix(filepath.Base(f), ".name-") {
			files = append(files, f)
		}
	}
	return files
}

// onePackage checks that the package folder has one file, and that no intent
// is left.
func (c *cluster) onePackage() {
	c.t.Helper()
	if files := c.packageFiles(); len(files) != 1 {
		c.t.Errorf("packages: %v, want one", files)
	}
	c.noClaim()
}

// noClaim checks that no operation is under way, nor has left an intent.
func (c *cluster) noClaim() {
	c.t.Helper()
	for _, path := range c.nodes() {
		if strings.HasPrefix(path, c.root+"/operations/") || strings.HasPrefix(path, c.root+"/owners/") {
			c.t.Errorf("%s is left", path)
		}
	}
}
