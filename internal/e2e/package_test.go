package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// member is a file in a package.
type member struct {
	name    string
	content []byte
}

type members []member

// data is the content of one member.
func (m members) data(t *testing.T, name string) []byte {
	t.Helper()
	for _, one := range m {
		if one.name == name {
			return one.content
		}
	}
	t.Fatalf("there is no %s in the package, but %v", name, m.names())
	return nil
}

func (m members) names() []string {
	var names []string
	for _, one := range m {
		names = append(names, one.name)
	}
	return names
}

// packageFile is where the only package of the topology is stored.
func (c *cluster) packageFile() string {
	c.t.Helper()
	var found []string
	for _, path := range c.files(c.packages) {
		if strings.HasSuffix(path, ".tar.gz") && strings.Contains(path, "/nomad/ann/default/"+c.topology+"/") {
			found = append(found, path)
		}
	}
	if len(found) != 1 {
		c.t.Fatalf("packages of %s: %v, want one", c.topology, found)
	}
	return found[0]
}

// packageOf reads the stored package.
func (c *cluster) packageOf() members {
	c.t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(readFile(c.t, c.packageFile())))
	if err != nil {
		c.t.Fatal(err)
	}
	var list members
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			c.t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			c.t.Fatal(err)
		}
		list = append(list, member{h.Name, content})
	}
}

func TestEqualInputGivesAnEqualPackage(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.topology = "same"
	file := writeFile(t, "words.jar", zipped(t, map[string][]byte{"empty": nil}), 0o600)
	ready := writeFile(t, "same.defn", definition(t, c.topology), 0o600)
	submit := func() (path string, content []byte) {
		c.want(c.heron("submit", "--wait", "--topology-id", "same-id", "--topology-definition", ready, "nomad", file), 0)
		path = c.packageFile()
		return path, readFile(t, path)
	}
	firstPath, first := submit()
	want := []string{
		"words.jar", "same.defn", "./heron-conf/",
		"./heron-conf/client.yaml", "./heron-conf/cluster.yaml", "./heron-conf/downloader.yaml",
		"./heron-conf/heron_internals.yaml", "./heron-conf/heron_nomad.sh", "./heron-conf/metrics_sinks.yaml",
		"./heron-conf/packing.yaml", "./heron-conf/scheduler.yaml", "./heron-conf/stateful.yaml",
		"./heron-conf/statemgr.yaml", "./heron-conf/uploader.yaml",
		"./heron-conf/release.yaml", "./heron-conf/override.yaml",
	}
	if diff := cmp.Diff(want, c.packageOf().names()); diff != "" {
		t.Errorf("members of the package (-want +got):\n%s", diff)
	}
	release := readFile(t, filepath.Join(c.home, "release.yaml"))
	if got := c.packageOf().data(t, "./heron-conf/release.yaml"); !bytes.Equal(got, release) || len(release) == 0 {
		t.Errorf("release.yaml in the package is %q, that of the installation %q", got, release)
	}
	c.want(c.kill(), 0)
	c.nothingLeft()

	// When a file was written does not make it another one.
	later := time.Now().Add(time.Hour)
	for _, path := range append(c.files(filepath.Join(c.home, "conf")), file, ready) {
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	secondPath, second := submit()
	if firstPath != secondPath || !bytes.Equal(first, second) {
		t.Errorf("the package is %s of %d bytes, then %s of %d bytes", firstPath, len(first), secondPath, len(second))
	}
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func TestPropertiesReachTheExecutors(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.logging.directory"] = "my-logs"
	c.properties["my.own.key"] = "a=b c"
	c.want(c.submit("--wait"), 0)
	want := map[string]any{
		"heron.statemgr.root.path":         c.root,
		"heron.statemgr.connection.string": c.zookeeper,
		"heron.logging.directory":          "my-logs",
		"my.own.key":                       "a=b c",
	}
	for where, text := range map[string][]byte{
		"package":     c.packageOf().data(t, "./heron-conf/override.yaml"),
		"container 2": c.containerFile(2, "heron-conf/override.yaml"),
	} {
		var got map[string]any
		if err := yaml.Unmarshal(text, &got); err != nil {
			t.Fatalf("override.yaml of the %s: %v", where, err)
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("override.yaml of the %s: %s is %v, want %v", where, key, got[key], value)
			}
		}
	}
	logs, _, err := c.api().AllocFS().List(c.container(1), inContainer(1, "my-logs"), nil)
	if err != nil || len(logs) == 0 {
		t.Errorf("logs of container 1: %d files, %v", len(logs), err)
	}
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func TestSecretsStayWithTheUser(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for name, text := range map[string]string{
		"uploader.yaml": "# It was sesame-comment last year.\nheron.uploader.s3.secret_key: sesame-file\nheron.uploader.s3.bucket: open-bucket\n",
		"client.yaml": "my.database: {user: open-user, password: sesame-nested}\nmy.urls: ['http://u:sesame-url@host/']\n" +
			"# heron.nomad.token: sesame-comment\nmy.files: ./heron-conf/files\n",
		"override.yaml": "heron.uploader.s3.access_key: sesame-override\nmy.open.key: open-override\n",
	} {
		c.addConf(name, text)
	}
	conf := filepath.Join(c.home, "conf", "nomad")
	for name, text := range map[string]string{
		"files/open.txt":      "open-file\n",
		"files/docker-secret": "sesame-docker\n",
		"files/.hidden":       "sesame-hidden\n",
		"files/open.txt~":     "sesame-editor\n",
		".git/config":         "sesame-git\n",
		"scheduler.yaml.orig": "<<<<<<< HEAD\nheron.nomad.token: sesame-orig\n",
		"notes":               "sesame-notes\n",
	} {
		path := filepath.Join(conf, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.addConf("scheduler.yaml", "heron.nomad.docker.auth.username: ann\nheron.nomad.docker.auth.password.file: ${HERON_CONF}/files/docker-secret\n")
	c.properties["heron.uploader.s3.proxy_uri"] = "http://u:sesame-proxy@host:1"
	c.properties["my.apiToken"] = "sesame-property"
	c.properties["my.open.property"] = "open-property"
	c.env = append(c.env, "AWS_SECRET_ACCESS_KEY=sesame-aws", "HERON_API_TOKEN=sesame-token")
	file := program(t, "env\nexec "+bin.sample+" --name "+c.topology+" --stmgrs 2\n")

	dry := c.heron("submit", "--verbose", "--dry-run", "--dry-run-format", "deployment", "nomad", file, "-")
	c.want(dry, 0)
	submitted := c.heron("submit", "--verbose", "--wait", "nomad", file, "-")
	c.want(submitted, 0, "HERON_OPTIONS=")
	again := c.heron("submit", "--verbose", "--output", "json", "nomad", file, "-")
	c.want(again, 5)
	seen := map[string]string{"dry run": dry.String(), "submit": submitted.String(), "failing submit": again.String()}

	inside := c.packageOf()
	for _, m := range inside {
		seen["the package's "+m.name] = string(m.content)
	}
	for name, open := range map[string]string{
		"uploader.yaml":  "open-bucket",
		"client.yaml":    "open-user",
		"override.yaml":  "open-override",
		"files/open.txt": "open-file",
	} {
		if text := inside.data(t, "./heron-conf/"+name); !bytes.Contains(text, []byte(open)) {
			t.Errorf("%s of the package has lost %s, which is no secret:\n%s", name, open, text)
		}
	}
	if text := inside.data(t, "./heron-conf/override.yaml"); !bytes.Contains(text, []byte("open-property")) {
		t.Errorf("override.yaml of the package has lost open-property, which is no secret:\n%s", text)
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
	for _, dir := range []string{"log-files", "heron-conf"} {
		c.addContainerFiles(seen, 1, dir)
	}
	killed := c.kill("--verbose")
	c.want(killed, 0)
	seen["kill"] = killed.String()

	for where, text := range seen {
		for line := range strings.SplitSeq(text, "\n") {
			if strings.Contains(line, "sesame") {
				t.Errorf("%s: %s", where, line)
			}
		}
	}
	c.nothingLeft()
}

// addConf puts text at the end of a file of the cluster's directory.
func (c *cluster) addConf(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.home, "conf", "nomad", name)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	_, err = io.WriteString(f, "\n"+text)
	if err := errors.Join(err, f.Close()); err != nil {
		c.t.Fatal(err)
	}
}

// addContainerFiles reads the files in a folder of a container.
func (c *cluster) addContainerFiles(into map[string]string, index int, dir string) {
	c.t.Helper()
	files, _, err := c.api().AllocFS().List(c.container(index), inContainer(index, dir), nil)
	if err != nil || len(files) == 0 {
		c.t.Fatalf("container %d: %d files in %s, %v", index, len(files), dir, err)
	}
	for _, f := range files {
		if !f.IsDir {
			into["the container's "+dir+"/"+f.Name] = string(c.containerFile(index, dir+"/"+f.Name))
		}
	}
}
