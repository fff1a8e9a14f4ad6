package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// documentedPolicy is the policy that docs/nomad-acl.md tells users to make,
// and the capabilities in it.
func documentedPolicy(t *testing.T) (policy string, capabilities []string) {
	t.Helper()
	text := string(readFile(t, filepath.Join(testenv.Root(), "docs", "nomad-acl.md")))
	_, text, found := strings.Cut(text, "```hcl\n")
	policy, _, closed := strings.Cut(text, "```")
	list := regexp.MustCompile(`capabilities = \[(.*)\]`).FindStringSubmatch(policy)
	if !found || !closed || list == nil {
		t.Fatal("docs/nomad-acl.md holds no policy")
	}
	for _, quoted := range strings.Split(list[1], ",") {
		capabilities = append(capabilities, strings.Trim(quoted, ` "`))
	}
	return policy, capabilities
}

func policyOf(capabilities ...string) string {
	return fmt.Sprintf("namespace \"default\" {\n  capabilities = [\"%s\"]\n}\n", strings.Join(capabilities, `", "`))
}

// secureCluster is a cluster whose Nomad has access control and mutual TLS.
// The user has the certificates and no token.
func secureCluster(t *testing.T) (*cluster, *testenv.SecureNomad) {
	t.Helper()
	n := testenv.RunSecureNomad(t)
	c := newCluster(t)
	c.nomad, c.client = n.Addr, n.API
	c.properties["heron.nomad.scheduler.uri"] = n.Addr
	c.env = append(c.env,
		"NOMAD_CACERT="+n.Authority.CertFile,
		"NOMAD_CLIENT_CERT="+n.Client.CertFile,
		"NOMAD_CLIENT_KEY="+n.Client.KeyFile,
	)
	return c, n
}

// as is the same user with another token.
func (c *cluster) as(token string) *cluster {
	other := *c
	other.env = append(slices.Clone(c.env), "NOMAD_TOKEN="+token)
	return &other
}

func TestTheDocumentedPolicyIsEnough(t *testing.T) {
	t.Parallel()
	c, n := secureCluster(t)
	policy, _ := documentedPolicy(t)
	token := n.NewToken(t, policy)
	user := c.as(token)
	file := program(t, "env\nps -eo args\nexec "+bin.sample+" --name "+c.topology+" --stmgrs 2\n")

	plan := user.heron("plan", "--verbose", "nomad", file, "-")
	c.want(plan, 0, "does not exist; submit would create:", "it fits on the cluster now",
		"Nomad's token is from NOMAD_TOKEN", "Nomad's CA certificate "+n.Authority.CertFile+" is from NOMAD_CACERT",
		"Nomad's address "+n.Addr+" is from heron.nomad.scheduler.uri in --config-property")
	submitted := user.heron("submit", "--verbose", "--wait", "nomad", file, "-")
	c.want(submitted, 0, "topology "+c.topology+" runs at", "HERON_OPTIONS=")
	same := user.heron("plan", "--verbose", "nomad", file, "-")
	c.want(same, 0, "runs as it would be submitted")

	seen := map[string]string{"plan": plan.String(), "submit": submitted.String(), "second plan": same.String()}
	for _, m := range c.packageOf() {
		seen["the package's "+m.name] = string(m.content)
	}
	job, err := json.Marshal(c.job())
	if err != nil {
		t.Fatal(err)
	}
	seen["the job"] = string(job)
	c.zk(func(conn *zk.Conn) error {
		return walk(conn, c.root, func(path string) error {
			data, _, err := conn.Get(path)
			seen["the node "+path] = string(data)
			return err
		})
	})
	processes, err := exec.CommandContext(t.Context(), "ps", "-eo", "args").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen["the list of processes"] = string(processes)
	killed := user.kill("--verbose")
	c.want(killed, 0, "topology "+c.topology+" killed")
	seen["kill"] = killed.String()
	for where, text := range seen {
		if strings.Contains(text, token) {
			t.Errorf("%s shows the token:\n%s", where, text)
		}
	}
	c.nothingLeft()
}

func TestAMissingRightIsNamed(t *testing.T) {
	t.Parallel()
	c, n := secureCluster(t)
	policy, all := documentedPolicy(t)
	user := c.as(n.NewToken(t, policy))
	without := map[string]*cluster{}
	for i, capability := range all {
		rest := slices.Delete(slices.Clone(all), i, i+1)
		without[capability] = c.as(n.NewToken(t, policyOf(rest...)))
	}
	denied := func(r result, capability string) {
		t.Helper()
		c.want(r, 1, "Permission denied; the token lacks the capability "+capability+
			` (namespace "default" { capabilities = ["`+capability+`"] }), or is not valid`)
	}
	for _, capability := range []string{"read-job", "submit-job"} {
		denied(without[capability].submit(), capability)
		denied(without[capability].plan(nil), capability)
		c.nothingLeft()
	}
	c.want(c.submit(), 1, "no token was given", "NOMAD_TOKEN", "one with the capability read-job is needed")
	c.want(c.as("00000000-0000-0000-0000-000000000001").submit(), 1, "or is not valid")
	c.nothingLeft()

	c.want(user.submit("--wait"), 0)
	reader := c.as(n.NewToken(t, policyOf("read-job", "read-fs")))
	c.want(reader.logs("nomad", c.topology), 0, "[0 heron-executor-0.stdout] ", "[2 heron-executor-2.stdout] ")
	denied(user.logs("nomad", c.topology), "read-fs")
	denied(user.logs("--follow", "nomad", c.topology), "read-fs")
	state := c.nodes()
	for capability, other := range without {
		denied(other.kill(), capability)
		c.wantCheck(other.doctor(3, "nomad"), "token", "problem", "lacks "+capability)
	}
	examined := user.doctor(0, "nomad")
	c.wantCheck(examined, "token", "ok", "list-jobs, read-job, submit-job")
	for _, capability := range []string{"node:read", "agent:read", "read-fs", "read-logs"} {
		c.wantCheck(examined, "token", "warning", "lacks "+capability)
	}
	c.wantCheck(examined, "packages", "ok", "not looked at")
	if live := c.liveContainers(); len(live) != 3 || len(c.nodes()) != len(state) {
		t.Errorf("after kills that were denied: containers %v, nodes %v, before %v", live, c.nodes(), state)
	}
	c.want(user.kill(), 0)
	c.nothingLeft()
}

func TestAccessFromFlagsAndFiles(t *testing.T) {
	t.Parallel()
	c, n := secureCluster(t)
	policy, _ := documentedPolicy(t)
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(n.NewToken(t, policy)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.env = slices.DeleteFunc(c.env, func(v string) bool { return strings.HasPrefix(v, "NOMAD_") })
	delete(c.properties, "heron.nomad.scheduler.uri")
	flags := []string{
		"--nomad-address", n.Addr, "--nomad-token-file", tokenFile, "--nomad-ca-cert", n.Authority.CertFile,
		"--nomad-client-cert", n.Client.CertFile, "--nomad-client-key", n.Client.KeyFile,
	}
	c.want(c.plan(flags), 0)
	c.want(c.plan(flags[:len(flags)-4]), 6, "unreachable")
	c.want(c.plan(append(flags, "--nomad-tls-server-name", "nobody.test")), 6, "nobody.test")
	c.want(c.plan(append(flags, "--nomad-tls-server-name", "nobody.test", "--nomad-skip-verify")), 0)
	c.want(c.plan(append(flags, "--nomad-namespace", "mars")), 1, `namespace "mars" { capabilities = ["read-job"] }`)

	c.addConf("scheduler.yaml", strings.Join([]string{
		"heron.nomad.scheduler.uri: " + n.Addr,
		"heron.nomad.token.file: " + tokenFile,
		"heron.nomad.tls.ca.cert: " + n.Authority.CertFile,
		"heron.nomad.tls.client.cert: " + n.Client.CertFile,
		"heron.nomad.tls.client.key: " + n.Client.KeyFile,
	}, "\n"))
	c.want(c.plan([]string{"--verbose"}), 0, "Nomad's token is from heron.nomad.token.file in "+filepath.Join(c.home, "conf", "nomad", "scheduler.yaml")+":")
	// The token of another server than the one in the file is not sent.
	c.env = append(c.env, "NOMAD_ADDR=https://127.0.0.1:1", "NOMAD_TOKEN=of-another-server")
	c.want(c.plan(nil), 0, "NOMAD_ADDR names another server: not used are NOMAD_TOKEN")
	c.nothingLeft()
}

func TestAnotherNamespace(t *testing.T) {
	t.Parallel()
	c, n := secureCluster(t)
	if _, err := n.API.Namespaces().Register(&api.Namespace{Name: "ads"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := n.API.NodePools().Register(&api.NodePool{Name: "apart"}, nil); err != nil {
		t.Fatal(err)
	}
	policy, _ := documentedPolicy(t)
	user := c.as(n.NewToken(t, strings.Replace(policy, `"default"`, `"ads"`, 1)))
	elsewhere := *user
	user.env = append(user.env, "NOMAD_NAMESPACE=ads")

	c.want(user.plan([]string{"--config-property", "heron.nomad.node.pool=apart"}), 3, "it does not fit now", "no node is ready in node pool apart")
	c.want(user.submit("--wait"), 0, "topology "+c.topology+" runs at")
	job, _, err := n.API.Jobs().Info(c.jobID(), &api.QueryOptions{Namespace: "ads"})
	if err != nil || *job.Namespace != "ads" {
		t.Errorf("the job in its namespace: %v, %v", job, err)
	}
	c.want(elsewhere.kill(), 2, `runs in Nomad's namespace "ads", not "default"; to act on it there: --nomad-namespace ads`)
	c.want(elsewhere.kill("--nomad-namespace", "ads"), 0)
	if _, _, err := n.API.Jobs().Info(c.jobID(), &api.QueryOptions{Namespace: "ads"}); err == nil {
		t.Error("the job is left")
	}
	c.nothingLeft()
}
