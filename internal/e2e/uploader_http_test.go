package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

const httpToken = "sesame-http"

// throughPackages has packages go to a package server.
func (c *cluster) throughPackages(opts testenv.PackageServerOptions) *testenv.PackageServer {
	c.t.Helper()
	s := testenv.RunPackageServer(c.t, opts)
	c.packages = s.Dir
	c.properties["heron.class.uploader"] = "org.apache.heron.uploader.http.HttpUploader"
	c.properties["heron.uploader.http.uri"] = s.Upload
	c.properties["heron.uploader.retry.count"] = "0"
	delete(c.properties, "heron.uploader.localfs.file.system.directory")
	return s
}

func TestPackageGoesByHTTP(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := c.throughPackages(testenv.PackageServerOptions{Delete: true, Token: httpToken})
	c.env = append(c.env, "HERON_UPLOADER_HTTP_TOKEN="+httpToken)
	c.want(c.submit("--dry-run"), 0)
	c.nothingLeft()
	if n := len(s.Requests()); n > 0 {
		t.Errorf("a dry run asked the server %d times", n)
	}
	r := c.submit("--wait", "--verbose")
	c.want(r, 0, "topology "+c.topology+" runs at", "3 containers")
	files := c.files(c.packages)
	if len(files) != 1 {
		t.Fatalf("packages: %q", files)
	}
	uri := s.URL + "/api/v1/file/download/" + filepath.Base(files[0])
	if got := c.job().Meta["heron.package.uri"]; got != uri {
		t.Errorf("the job's package is %s, want %s", got, uri)
	}
	fetched := 0
	for _, r := range s.Requests() {
		if r.Method == http.MethodGet && strings.HasSuffix(uri, r.URL.Path) {
			fetched++
		}
		if token := r.Header.Get("Authorization"); token != "" && r.Method == http.MethodGet {
			t.Errorf("a node shows the token at %s", r.URL.Path)
		}
	}
	if fetched < 3 {
		t.Errorf("the package was fetched %d times, want once by each container", fetched)
	}
	c.want(c.plan(nil, "--stmgrs", "2"), 0, "runs as it would be submitted")
	killed := c.kill("--verbose")
	c.want(killed, 0, "topology "+c.topology+" killed")
	c.nothingLeft()
	for _, text := range []string{r.String(), killed.String()} {
		if strings.Contains(text, httpToken) {
			t.Errorf("the token is shown: %s", text)
		}
	}
}

func TestHTTPUploadsThatFail(t *testing.T) {
	t.Parallel()
	unknown := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead || r.Method == http.MethodGet {
			http.NotFound(w, r)
			return true
		}
		return false
	}
	for _, f := range []struct {
		name string
		opts testenv.PackageServerOptions
		code int
		says string
	}{
		{"no token", testenv.PackageServerOptions{Token: httpToken}, 1, "401 Unauthorized"},
		{"takes nothing", testenv.PackageServerOptions{ReadOnly: true}, 1, "takes no POST"},
		{"unfetchable", testenv.PackageServerOptions{Delete: true, Intercept: unknown}, 7, "nodes cannot fetch the package"},
		{"is no URI", testenv.PackageServerOptions{Answer: func(w http.ResponseWriter, _ string) { _, _ = w.Write([]byte("<html>")) }}, 8, "is no URI but HTML or JSON"},
		{"unfetchable and stays", testenv.PackageServerOptions{Intercept: unknown}, 8, "still there: package http://"},
	} {
		t.Run(f.name, func(t *testing.T) {
			c := newCluster(t)
			s := c.throughPackages(f.opts)
			r := c.submit()
			c.want(r, f.code, f.says, s.URL, "heron: ")
			if strings.Contains(r.String(), httpToken) {
				t.Errorf("the token is shown: %s", r)
			}
			if f.code == 8 {
				// It is named, and is all that is left.
				c.packages = t.TempDir()
			}
			c.nothingLeft()
		})
	}
	t.Run("too large", func(t *testing.T) {
		c := newCluster(t)
		s := c.throughPackages(testenv.PackageServerOptions{})
		nginx := testenv.RunNginx(t, testenv.NginxOptions{Server: "client_max_body_size 100k;\nlocation / { proxy_pass " + s.URL + "; }"})
		c.properties["heron.uploader.http.uri"] = nginx.Addr + "/api/v1/file/upload"
		c.want(c.submit(), 7, "413 Request Entity Too Large", "raise its limit (nginx: client_max_body_size)", "nothing is left")
		c.nothingLeft()
	})
	t.Run("unreachable", func(t *testing.T) {
		c := newCluster(t)
		c.throughPackages(testenv.PackageServerOptions{})
		addr := fmt.Sprintf("http://127.0.0.1:%d", testenv.Ports(t, 1)[0])
		c.properties["heron.uploader.http.uri"] = addr + "/up"
		c.want(c.submit(), 6, addr)
		c.nothingLeft()
	})
	t.Run("bad settings", func(t *testing.T) {
		c := newCluster(t)
		c.throughPackages(testenv.PackageServerOptions{})
		for uri, says := range map[string]string{"": "heron.uploader.http.uri: missing", "http://ann:sesame@h/": "has a user or password"} {
			c.properties["heron.uploader.http.uri"] = uri
			r := c.submit()
			c.want(r, 2, says)
			if strings.Contains(r.String(), "sesame") {
				t.Errorf("the password is shown: %s", r)
			}
		}
		c.nothingLeft()
	})
}
