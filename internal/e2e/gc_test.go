package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// stored puts a package into the folder, as one of long ago.
func (c *cluster) stored(topology, id string) string {
	c.t.Helper()
	file := filepath.Join(c.packages, "nomad", "ann", "default", topology, id, fmt.Sprintf("%x.tar.gz", sha256.Sum256([]byte(id))))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("a package"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.aged(file)
	return file
}

func (c *cluster) aged(file string) {
	c.t.Helper()
	old := time.Now().Add(-30 * 24 * time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		c.t.Fatal(err)
	}
}

func there(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// registered registers a job by hand that names a topology's package as the
// original client's jobs do, and stops it.
func (c *cluster) registered(namespace, id string, env, meta map[string]string) {
	c.t.Helper()
	job := api.NewServiceJob(id, id, "global", 50)
	job.Datacenters, job.Namespace, job.Meta = []string{"nowhere"}, &namespace, meta
	task := api.NewTask("t", "raw_exec").SetConfig("command", "/bin/true")
	task.Env = env
	job.AddTaskGroup(api.NewTaskGroup("g", 1).AddTask(task))
	write := &api.WriteOptions{Namespace: namespace}
	if _, _, err := c.api().Jobs().Register(job, write); err != nil {
		c.t.Fatal(err)
	}
	if _, _, err := c.api().Jobs().Deregister(id, false, write); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _, _, _ = c.api().Jobs().Deregister(id, true, write) })
}

func TestGCRemovesWhatNothingUses(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit(), 0)
	for _, file := range c.files(c.packages) {
		if strings.HasSuffix(file, ".tar.gz") {
			c.aged(file)
		}
	}
	own := len(c.files(c.packages))
	byHand := c.stored("byhand", c.topology+"-1")
	c.registered("default", c.topology+"-old", map[string]string{"HERON_TOPOLOGY_DOWNLOAD_CMD": "get file://" + byHand + " ."}, nil)
	if _, err := c.api().Namespaces().Register(&api.Namespace{Name: c.topology}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.api().Namespaces().Delete(c.topology, nil) })
	elsewhere := c.stored("elsewhere", c.topology+"-2")
	c.registered(c.topology, c.topology+"-2-0", nil, map[string]string{"topology.name": "elsewhere", "topology.id": c.topology + "-2"})
	orphan := c.stored("orphan", c.topology+"-3")

	c.want(c.heron("gc", "--dry-run", "nomad"), 0, "would remove 1 package,", "orphan/"+c.topology+"-3/")
	if !there(orphan) {
		t.Fatal("a dry run removed a package")
	}
	c.want(c.heron("gc", "--older-than", "60d", "nomad"), 0, "removed 0 packages")
	r := c.heron("gc", "--older-than", "10m", "--output", "json", "nomad")
	c.want(r, 0, "warning: --older-than 10m")
	var doc struct {
		Removed []struct{ Name string }
		Kept    int
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || len(doc.Removed) != 1 || !strings.Contains(doc.Removed[0].Name, "orphan") || doc.Kept != 3 {
		t.Errorf("%v: %s", err, r)
	}
	if there(orphan) || there(filepath.Dir(filepath.Dir(orphan))) || !there(byHand) || !there(elsewhere) || len(c.files(c.packages)) < own {
		t.Errorf("left: %v", c.files(c.packages))
	}
	c.want(c.heron("gc", "--older-than", "soon", "nomad"), 2, "--older-than")
	c.want(c.kill(), 0)
}

func TestGCRemovesNothingWhereAServerIsOutOfReach(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit(), 0)
	orphan := c.stored("orphan", c.topology+"-3")
	p := c.throughHTTP()
	for name, match := range map[string]func(method, path string) bool{
		"everything":       anything,
		"the list of jobs": func(_, path string) bool { return path == "/v1/jobs" },
		"a job":            func(_, path string) bool { return path == "/v1/job/"+c.jobID() },
	} {
		p.Fail(testenv.HTTPError, -1, match)
		if r := c.heron("gc", "nomad"); r.code != 6 || !there(orphan) {
			t.Errorf("without %s: %s", name, r)
		}
		p.Heal()
	}
	c.throughTCP().Down()
	c.want(c.heron("gc", "nomad"), 6)
	c.properties["heron.statemgr.connection.string"] = c.zookeeper
	root := c.properties["heron.statemgr.root.path"]
	c.properties["heron.statemgr.root.path"] = root + "-other"
	c.want(c.heron("gc", "nomad"), 1, "nothing was removed")
	if !there(orphan) {
		t.Error("something was removed")
	}
	c.properties["heron.statemgr.root.path"] = root
	c.want(c.kill(), 0)
}

func TestGCNeedsToSeeAllNamespaces(t *testing.T) {
	t.Parallel()
	c, n := secureCluster(t)
	c.want(c.as(n.Token).submit(), 0)
	orphan := c.stored("orphan", c.topology+"-3")
	some := n.NewToken(t, policyOf("list-jobs", "read-job", "submit-job"))
	c.want(c.as(some).heron("gc", "nomad"), 1, "all namespaces", "nothing was removed")
	if !there(orphan) {
		t.Error("something was removed")
	}
	every := n.NewToken(t, `namespace "*" { capabilities = ["list-jobs", "read-job"] }`)
	c.want(c.as(every).heron("gc", "nomad"), 0, "removed 1 package,")
	c.want(c.as(n.Token).kill(), 0)
}

func TestAPackageFolderPerTopology(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.uploader.localfs.file.system.directory"] = c.packages + "/${TOPOLOGY}/${ROLE}/${TOPOLOGY_ID}"
	c.want(c.submit(), 0)
	if dirs, _ := filepath.Glob(c.packages + "/" + c.topology + "/ann/*"); len(dirs) != 1 {
		t.Errorf("packages: %v", c.files(c.packages))
	}
	c.want(c.heron("gc", "nomad"), 2, "depends on the topology")
	c.want(c.kill(), 0)
	for _, file := range c.files(c.packages) {
		if info, err := os.Stat(file); err != nil || !info.IsDir() {
			t.Errorf("%s is left", file)
		}
	}
}

// In a bucket, too, what nothing refers to goes, unfinished uploads included,
// and what is in use stays.
func TestGCOfABucket(t *testing.T) {
	t.Parallel()
	server := testenv.S3(t, testenv.S3Options{Region: "eu-west-3"})
	s := newS3Cluster(t, server, "")
	s.properties["heron.nomad.datacenters"] = "nowhere"
	s.properties["heron.uploader.s3.part.size"] = "5MB"
	s.want(s.submit(), 0)
	kept := s.objects()
	if len(kept) != 1 {
		t.Fatalf("objects: %v", kept)
	}
	client := s.client3()
	folder, _, _ := strings.Cut(kept[0], "/nomad/ann/")
	whole := fmt.Sprintf("%s/nomad/ann/default/gone/gone-1/%064x.tar.gz", folder, 1)
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &s.bucket, Key: &whole, Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	part := fmt.Sprintf("%s/nomad/ann/default/gone/gone-2/%064x.tar.gz", folder, 2)
	if _, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &part}); err != nil {
		t.Fatal(err)
	}
	s.want(s.heron("gc", "nomad"), 0, "removed 0 packages", "3 too young")
	s.want(s.heron("gc", "--older-than", "0", "nomad"), 0, "removed 2 packages", "part of a killed upload", "kept 1 in use")
	if got := s.objects(); len(got) != 1 || got[0] != kept[0] {
		t.Errorf("objects: %v, want %v", got, kept)
	}
	s.want(s.kill(), 0)
	s.nothingLeft()
}
