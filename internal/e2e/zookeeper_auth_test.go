package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/testenv"
)

// secureState is a cluster whose ZooKeeper has a port for clients that speak
// TLS and one without for executors. The user has no credentials.
func secureState(t *testing.T, acl string) *cluster {
	t.Helper()
	s := testenv.RunSecureZooKeeper(t, testenv.SecureZooKeeperOptions{})
	c := newCluster(t)
	c.zookeeper, c.credentials = s.Addr, "ann:sesame:open"
	c.properties["heron.statemgr.connection.string"] = s.Addr
	c.properties["heron.statemgr.zookeeper.client.connection.string"] = s.TLSAddr
	c.properties["heron.statemgr.zookeeper.tls.enabled"] = "true"
	c.properties["heron.statemgr.zookeeper.tls.ca.cert"] = s.Authority.CertFile
	c.properties["heron.statemgr.zookeeper.acl"] = acl
	return c
}

// signedIn is the same user with credentials in the environment.
func (c *cluster) signedIn(credentials string) *cluster {
	other := *c
	other.env = append(slices.Clone(c.env), "HERON_ZOOKEEPER_AUTH="+credentials)
	return &other
}

// credentialsIn writes credentials into a file of the user's home and names it
// in the cluster's configuration.
func (c *cluster) credentialsIn(file, credentials string) {
	c.t.Helper()
	path := filepath.Join(filepath.Dir(c.home), file)
	if err := os.WriteFile(path, []byte(credentials+"\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.addConf("statemgr.yaml", "heron.statemgr.zookeeper.auth.digest.file: ${HOME}/"+file+"\n")
}

// addTraces collects what a submitted topology leaves where others may look.
func (c *cluster) addTraces(seen map[string]string) {
	c.t.Helper()
	for _, m := range c.packageOf() {
		seen["the package's "+m.name] = string(m.content)
	}
	job, err := json.Marshal(c.job())
	if err != nil {
		c.t.Fatal(err)
	}
	seen["the job"] = string(job)
	c.zk(func(conn *zk.Conn) error {
		return walk(conn, c.root, func(path string) error {
			data, _, err := conn.Get(path)
			seen["the node "+path] = string(data)
			return err
		})
	})
	processes, err := exec.CommandContext(c.t.Context(), "ps", "-eo", "args").Output()
	if err != nil {
		c.t.Fatal(err)
	}
	seen["the list of processes"] = string(processes)
	for _, dir := range []string{"log-files", "heron-conf"} {
		c.addContainerFiles(seen, 1, dir)
	}
}

func TestZooKeeperWithCredentialsAndTLS(t *testing.T) {
	t.Parallel()
	for name, acl := range map[string]string{
		"protected": "protected",
		"networks":  "auth::cdrwa,ip:127.0.0.0/8:cdrwa",
	} {
		t.Run(name, func(t *testing.T) {
			c := secureState(t, acl)
			user := c
			from := "HERON_ZOOKEEPER_AUTH"
			if name == "networks" {
				c.credentialsIn("zookeeper.auth", c.credentials)
				from = filepath.Join(filepath.Dir(c.home), "zookeeper.auth")
			} else {
				user = c.signedIn(c.credentials)
			}
			file := program(t, "env\nps -eo args\nexec "+bin.sample+" --name "+c.topology+" --stmgrs 2\n")
			seen := map[string]string{}
			run := func(what string, says ...string) {
				t.Helper()
				args := append(strings.Fields(what), "nomad", file, "-")
				if strings.HasPrefix(what, "kill") {
					args = append(strings.Fields(what), "nomad", c.topology)
				}
				r := user.heron(args...)
				c.want(r, 0, says...)
				seen[what] = r.String()
			}
			run("plan --verbose", "it fits on the cluster now", "ZooKeeper's credentials are from "+from,
				c.properties["heron.statemgr.zookeeper.client.connection.string"]+" with TLS")
			run("submit --verbose --dry-run --dry-run-format deployment")
			run("submit --verbose --wait", "topology "+c.topology+" runs at", "HERON_OPTIONS=")
			if live := c.liveContainers(); len(live) != 3 {
				t.Errorf("containers: %v", live)
			}
			c.addTraces(seen)
			if flag := "--state-manager-connection=" + c.zookeeper; !strings.Contains(seen["the job"], flag) {
				t.Errorf("the job has no %s:\n%s", flag, seen["the job"])
			}
			run("kill --verbose", "topology "+c.topology+" killed")
			for where, text := range seen {
				if strings.Contains(text, "sesame") {
					t.Errorf("%s shows the password:\n%s", where, text)
				}
			}
			c.nothingLeft()
		})
	}
}

func TestZooKeeperDeniesStrangers(t *testing.T) {
	t.Parallel()
	c := secureState(t, "protected")
	user := c.signedIn(c.credentials)
	strangers := map[string]*cluster{
		"there are no credentials: set HERON_ZOOKEEPER_AUTH":                                           c,
		"user ann, with the password from HERON_ZOOKEEPER_AUTH, has no right to this; is the password": c.signedIn("ann:sesame:shut"),
		"user bob, with the password from HERON_ZOOKEEPER_AUTH, has no right to this; is the password": c.signedIn("bob:sesame:open"),
	}
	denied := func(r result, says string) {
		t.Helper()
		c.want(r, 1, "access denied", says)
		if strings.Contains(r.String(), "sesame") {
			t.Errorf("the password is shown: %s", r)
		}
	}
	// A folder of a user's own, as an administrator would make it.
	c.zk(func(conn *zk.Conn) error {
		_, err := conn.Create(c.root, nil, 0, zk.AuthACL(zk.PermAll))
		return err
	})
	for says, stranger := range strangers {
		denied(stranger.submit(), says)
		denied(stranger.submit("--output", "json"), says)
		c.want(stranger.kill(), 4, "no topology")
	}
	c.nothingLeft()

	// What the client makes itself others may read, for the engine is one of
	// them.
	c.zk(func(conn *zk.Conn) error { return conn.Delete(c.root, -1) })
	c.want(user.submit("--wait"), 0)
	before := c.nodes()
	for says, stranger := range strangers {
		c.want(stranger.submit(), 5, "already exists")
		r := stranger.kill()
		denied(r, says)
		c.want(r, 1, "nothing was changed")
	}
	if live := c.liveContainers(); len(live) != 3 || !slices.Equal(c.nodes(), before) {
		t.Errorf("after kills that were denied: containers %v, nodes %v, before %v", live, c.nodes(), before)
	}
	c.want(user.kill(), 0)
	for says, stranger := range strangers {
		denied(stranger.submit(), says)
	}
	c.nothingLeft()
}

func TestZooKeeperThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	c := secureState(t, "protected").signedIn("ann:sesame:open")
	delete(c.properties, "heron.statemgr.zookeeper.tls.ca.cert")
	c.want(c.submit(), 6, "its certificate is not accepted", "heron.statemgr.zookeeper.tls.ca.cert")
	c.want(c.kill("--output", "json"), 6, "its certificate is not accepted")
	c.properties["heron.statemgr.zookeeper.tls.skip.verify"] = "true"
	c.want(c.submit(), 0)
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func TestZooKeeperAddressesInTheWrongPlace(t *testing.T) {
	t.Parallel()
	c := secureState(t, "protected")
	connect := func(to string) result {
		return c.heron("submit", "--config-property", "heron.statemgr.connection.string="+to, "nomad", bin.sample, "-")
	}
	for says, r := range map[string]result{
		"HERON_ZOOKEEPER_AUTH: does not hold a user":         c.signedIn("sesame").submit(),
		"has a user or password in it":                       connect("ann:sesame@127.0.0.1:1"),
		"has a path (chroot), which executors cannot follow": connect(c.zookeeper + "/chroot"),
	} {
		c.want(r, 2, says)
		if strings.Contains(r.String(), "sesame") {
			t.Errorf("the password is shown: %s", r)
		}
	}
	c.nothingLeft()
}
