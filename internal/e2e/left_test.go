package e2e

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/hashicorp/nomad/api"
)

// nothingLeft checks that neither server, nor the package folder, nor the
// temporary folder has anything of this test's topology.
func (c *cluster) nothingLeft() {
	c.t.Helper()
	for what, left := range map[string][]string{
		"jobs":            c.jobs(),
		"containers":      c.liveContainers(),
		"state nodes":     c.nodes(),
		"state files":     c.stateFiles(),
		"packages":        c.packageTree(),
		"temporary files": c.files(c.tmp),
	} {
		if len(left) > 0 {
			c.t.Errorf("%s are left: %s", what, strings.Join(left, ", "))
		}
	}
}

// stateFiles are those of the topology where the state is in a folder.
func (c *cluster) stateFiles() []string {
	c.t.Helper()
	if c.properties["heron.class.state.manager"] != "localfs" {
		return nil
	}
	return slices.DeleteFunc(c.files(c.properties["heron.statemgr.root.path"]), func(file string) bool {
		return !strings.Contains(filepath.Base(file), c.topology)
	})
}

// packageTree is the package folder, without what an API server keeps there
// for itself, and what one that was killed leaves of a request for a day.
func (c *cluster) packageTree() []string {
	c.t.Helper()
	return slices.DeleteFunc(c.files(c.packages), func(file string) bool {
		name, _ := filepath.Rel(c.packages, file)
		return name == ".names.key" || strings.HasPrefix(name, ".operations") || strings.HasPrefix(name, ".incoming-request-")
	})
}

// api is one client for the whole test: Nomad counts connections.
func (c *cluster) api() *api.Client {
	c.t.Helper()
	if c.client == nil || c.client.Address() != c.nomad {
		config := &api.Config{Address: c.nomad}
		if c.net != nil {
			config.HttpClient = &http.Client{Transport: &http.Transport{DialContext: c.net.Dial}}
		}
		client, err := api.NewClient(config)
		if err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(client.Close)
		c.client = client
	}
	return c.client
}

func (c *cluster) jobID() string { return "heron.nomad." + c.topology }

// job is the stored job, nil if there is none.
func (c *cluster) job() *api.Job {
	c.t.Helper()
	job, _, err := c.api().Jobs().Info(c.jobID(), nil)
	var answer api.UnexpectedResponseError
	if errors.As(err, &answer) && answer.StatusCode() == 404 {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return job
}

func (c *cluster) jobs() []string {
	c.t.Helper()
	if job := c.job(); job != nil {
		return []string{*job.ID}
	}
	return nil
}

func (c *cluster) liveContainers() []string {
	c.t.Helper()
	allocs, _, err := c.api().Allocations().List(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	var live []string
	for _, a := range allocs {
		if a.JobID == c.jobID() && (a.ClientStatus == api.AllocClientStatusRunning || a.ClientStatus == api.AllocClientStatusPending) {
			live = append(live, a.Name+" "+a.ClientStatus)
		}
	}
	slices.Sort(live)
	return live
}

// zk runs f with a connection to the real ZooKeeper.
func (c *cluster) zk(f func(*zk.Conn) error) {
	c.t.Helper()
	dial := net.DialTimeout
	if c.net != nil {
		dial = func(network, address string, timeout time.Duration) (net.Conn, error) {
			// Also when the test has ended and cleans up.
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			return c.net.Dial(ctx, network, address)
		}
	}
	conn, _, err := zk.Connect(strings.Split(c.zookeeper, ","), 10*time.Second, zk.WithDialer(dial), zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	if c.credentials != "" {
		if err := conn.AddAuth("digest", []byte(c.credentials)); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := f(conn); err != nil {
		c.t.Fatal(err)
	}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// nodes are the state nodes below the directories that stay.
func (c *cluster) nodes() []string {
	c.t.Helper()
	var found []string
	c.zk(func(conn *zk.Conn) error {
		return walk(conn, c.root, func(path string) error {
			if strings.Count(path, "/") > 2 {
				found = append(found, path)
			}
			return nil
		})
	})
	return found
}

func (c *cluster) removeState() {
	c.zk(func(conn *zk.Conn) error {
		var all []string
		err := walk(conn, c.root, func(path string) error {
			all = append(all, path)
			return nil
		})
		return errors.Join(err, deleteNodes(conn, all))
	})
}

// deleteNodes removes nodes, of which children come after their parents. One
// that has come to have others stays.
func deleteNodes(conn *zk.Conn, nodes []string) error {
	for _, node := range slices.Backward(nodes) {
		if err := conn.Delete(node, -1); err != nil && !errors.Is(err, zk.ErrNoNode) && !errors.Is(err, zk.ErrNotEmpty) {
			return err
		}
	}
	return nil
}

// walk calls f for path and all nodes below it, parents first.
func walk(conn *zk.Conn, path string, f func(string) error) error {
	names, _, err := conn.Children(path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f(path); err != nil {
		return err
	}
	for _, name := range names {
		if err := walk(conn, path+"/"+name, f); err != nil {
			return err
		}
	}
	return nil
}

// node reads a state node.
func (c *cluster) node(path string) []byte {
	c.t.Helper()
	var data []byte
	c.zk(func(conn *zk.Conn) (err error) {
		data, _, err = conn.Get(path)
		return err
	})
	return data
}

// files lists everything below a folder.
func (c *cluster) files(dir string) []string {
	c.t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir {
			found = append(found, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.t.Fatal(err)
	}
	return found
}

// eventually polls until done says true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	if !within(t, done) {
		t.Fatalf("after %s still not: %s", patience, what)
	}
}

// within tells whether done says true before patience ends.
func within(t *testing.T, done func() bool) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
