package e2e

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
)

// forgotten removes a topology's job and state, as when both were lost.
func (c *cluster) forgotten(topology string) {
	c.t.Helper()
	if _, _, err := c.api().Jobs().Deregister("heron.nomad."+topology, true, nil); err != nil {
		c.t.Fatal(err)
	}
	all := slices.DeleteFunc(c.nodes(), func(node string) bool { return !strings.Contains(node, "/"+topology) })
	c.zk(func(conn *zk.Conn) error { return deleteNodes(conn, all) })
}

// uploaded sends a file to the server as a client may, long ago, and returns
// where it is fetched from.
func (s *apiServer) uploaded(text string) (uri, file string) {
	s.t.Helper()
	kind, body := "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p.tar.gz\"\r\n\r\n"+text+"\r\n--b--\r\n"
	uri = s.ask(200, "POST", "/api/v1/file/upload", kind, strings.NewReader(body))
	file = filepath.Join(s.packages, path.Base(uri))
	s.aged(file)
	return uri, file
}

// A server's packages that nothing uses go: those of topologies that were lost,
// when somebody asks for it, and those that clients uploaded, when they are old.
func TestPackagesThatNothingUsesAtAServer(t *testing.T) {
	t.Parallel()
	s := newCluster(t).serve("--upload-expiry", "1h")
	at := "--service-url=" + s.url
	for _, name := range []string{s.topology, s.topology + "-lost"} {
		s.want(s.guest("submit", at, "nomad", bin.sample, "-", "--name", name, "--stmgrs", "1"), 0)
	}
	s.forgotten(s.topology + "-lost")
	s.want(s.guest("gc", at, "--older-than=0", "--dry-run", "nomad"), 0, "would remove 1 package", "-lost")
	s.want(s.guest("gc", at, "--older-than=0", "nomad"), 0, "removed 1 package", "kept 1 in use")
	s.want(s.guest("gc", at, "--older-than=0", "nomad"), 0, "removed 0 packages")

	s.onePackage()
	own := s.packageFiles()[0]
	s.aged(own)
	_, unused := s.uploaded("nobody wants this")
	uri, used := s.uploaded("a job of the original client fetches this")
	s.registered("default", s.topology+"-original", map[string]string{"HERON_TOPOLOGY_DOWNLOAD_CMD": "get " + uri + " ."}, nil)
	killed(s.run)
	s.begin()
	eventually(t, "the upload that nothing uses has expired", func() bool { return !there(unused) })
	if !there(used) || !there(own) {
		t.Errorf("a package that is in use has expired: %v", s.files(s.packages))
	}
	s.ask(204, "DELETE", "/api/v1/file/"+path.Base(uri), "", nil)
	s.want(s.guest("kill", at, "nomad", s.topology), 0)
	s.nothingLeft()
}
