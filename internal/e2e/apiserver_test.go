package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// apiServer is an API server as the original's documentation starts one.
type apiServer struct {
	*cluster
	url string
	run *running
	// args are what it was started with.
	args []string
}

// serve starts an API server under the original's name. Packages and the engine
// go through it.
func (c *cluster) serve(more ...string) *apiServer {
	c.t.Helper()
	return c.serveAt(testenv.Ports(c.t, 1)[0], more...)
}

// serveAt is serve at a port.
func (c *cluster) serveAt(port int, more ...string) *apiServer {
	c.t.Helper()
	s := &apiServer{cluster: c, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	s.args = []string{
		"--cluster", "nomad", "--base-template", "nomad", "-D", "heron.statemgr.connection.string=" + c.properties["heron.statemgr.connection.string"],
		// The documentation leaves the scheme out.
		"-D", "heron.nomad.scheduler.uri=" + strings.TrimPrefix(c.properties["heron.nomad.scheduler.uri"], "http://"),
		"-D", "heron.class.uploader=org.apache.heron.uploader.http.HttpUploader", "--verbose",
		"--port", fmt.Sprint(port), "--heron-core-package-path", c.core,
		"-D", "heron.package.core.uri=" + s.url + "/api/v1/file/download/core",
		"-D", "heron.apiserver.http.file.system.directory=" + c.packages,
	}
	for _, key := range []string{"heron.statemgr.root.path", "heron.statemgr.zookeeper.session.timeout.ms", "heron.nomad.request.timeout"} {
		s.args = append(s.args, "-D", key+"="+c.properties[key])
	}
	s.args = append(s.args, more...)
	s.begin()
	return s
}

// begin runs the server and returns when it answers.
func (s *apiServer) begin() {
	s.t.Helper()
	link := filepath.Join(s.t.TempDir(), "heron-apiserver")
	if err := os.Symlink(bin.heron, link); err != nil {
		s.t.Fatal(err)
	}
	s.run = &running{cmd: exec.Command(link, s.args...), done: make(chan struct{})}
	s.run.cmd.Env = s.env
	s.run.cmd.Stdout, s.run.cmd.Stderr = &s.run.out, &s.run.errOut
	if err := s.run.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	run := s.run
	go func() {
		defer close(run.done)
		_ = run.cmd.Wait()
	}()
	s.t.Cleanup(func() {
		_ = run.cmd.Process.Kill()
		<-run.done
	})
	eventually(s.t, "the API server is ready", func() bool {
		select {
		case <-run.done:
			s.t.Fatalf("the API server ended:\n%s", run.errOut.String())
		default:
		}
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// ask sends a request and returns the answer's body, which has to come with a
// status.
func (s *apiServer) ask(status int, method, path, contentType string, body io.Reader, header ...string) string {
	s.t.Helper()
	got, text, err := s.send(method, path, contentType, body, header...)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != status {
		s.t.Fatalf("%s %s: %d, want %d: %s\nthe server's log:\n%s", method, path, got, status, text, s.run.errOut.String())
	}
	return text
}

// send sends a request, on a connection of its own, and returns the answer's
// status and body.
func (s *apiServer) send(method, path, contentType string, body io.Reader, header ...string) (int, string, error) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Close = true
	r.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// definition runs the sample's program as a client does.
func (s *apiServer) definition(name string, stmgrs int) []byte {
	s.t.Helper()
	dir := s.t.TempDir()
	cmd := exec.Command(bin.sample, "--name", name, "--stmgrs", fmt.Sprint(stmgrs))
	cmd.Env = append(os.Environ(), "HERON_OPTIONS=cmdline.topologydefn.tmpdirectory="+dir+",cmdline.topology.initial.state=RUNNING")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, name+".defn"))
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// form is what the original's client posts for the sample.
func (s *apiServer) form() (string, *bytes.Buffer) {
	s.t.Helper()
	return s.formWith(s.topology, 2)
}

// formOf is the form for a topology of five containers, with a program of a few
// bytes.
func (s *apiServer) formOf(name string) (string, *bytes.Buffer) {
	s.t.Helper()
	return s.formFor(name, 4, []byte("#!/bin/sh\n"))
}

func (s *apiServer) formWith(name string, stmgrs int) (string, *bytes.Buffer) {
	s.t.Helper()
	program, err := os.ReadFile(bin.sample)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.formFor(name, stmgrs, program)
}

func (s *apiServer) formFor(name string, stmgrs int, program []byte) (string, *bytes.Buffer) {
	s.t.Helper()
	body := &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, f := range [][2]string{{"name", name}, {"cluster", "nomad"}, {"role", "ann"}, {"environment", "default"}, {"user", "ann"}} {
		_ = w.WriteField(f[0], f[1])
	}
	for _, f := range []struct {
		name, file string
		data       []byte
	}{{"definition", name + ".defn", s.definition(name, stmgrs)}, {"topology", "sample-topology", program}} {
		at, _ := w.CreateFormFile(f.name, f.file)
		_, _ = at.Write(f.data)
	}
	_ = w.Close()
	return w.FormDataContentType(), body
}

func (s *apiServer) at() string { return "/api/v1/topologies/nomad/ann/default/" + s.topology }

// TestAPIServer deploys through a server that was started as the original's
// documentation says, with the requests of the original's client.
func TestAPIServer(t *testing.T) {
	t.Parallel()
	s := newCluster(t).serve()
	contentType, body := s.form()
	answer := s.ask(201, "POST", "/api/v1/topologies?wait=2m", contentType, body)
	if want := fmt.Sprintf(`{"name":%q,"cluster":"nomad","role":"ann","environment":"default"}`, s.topology); answer != want {
		t.Errorf("answer %s, want %s", answer, want)
	}
	var status struct{ Health, Reason string }
	if err := json.Unmarshal([]byte(s.ask(200, "GET", s.at(), "", nil)), &status); err != nil || status.Health != "healthy" {
		t.Errorf("status %+v (%v)", status, err)
	}
	if list := s.ask(200, "GET", "/api/v1/topologies", "", nil); !strings.Contains(list, s.topology) {
		t.Errorf("list: %s", list)
	}
	uri := s.job().Meta["heron.package.uri"]
	_, name, ok := strings.Cut(uri, "/api/v1/file/download/")
	if !ok {
		t.Errorf("package %s", uri)
	}
	if strings.Contains(s.run.errOut.String(), name) {
		t.Error("the log has the name of the package, by which everybody can fetch it")
	}
	sum := sha256.Sum256([]byte(name))
	for what, path := range map[string]string{"package": fmt.Sprintf("/api/v1/file/download/{file-%x}", sum[:4]), "core": "/api/v1/file/download/core"} {
		if n := strings.Count(s.run.errOut.String(), "method=GET path="+path+" status=200"); n < 3 {
			t.Errorf("the %s was fetched %d times, want once by each container; the server's log:\n%s", what, n, s.run.errOut.String())
		}
	}
	if got := s.ask(200, "POST", s.at()+"/deactivate", "", nil); got != fmt.Sprintf(`{"message":"%s deactivated"}`, s.topology) {
		t.Errorf("answer %s", got)
	}
	s.ask(200, "POST", s.at()+"/activate", "", nil)
	// Container 1 is restarted in place: the others, and its allocation, stay.
	before := s.container(1).ID
	if got := s.ask(200, "POST", s.at()+"/restart?wait=2m", "application/x-www-form-urlencoded", strings.NewReader("container_id=1")); got != fmt.Sprintf(`{"message":"%s restarted"}`, s.topology) {
		t.Errorf("answer %s", got)
	}
	if after := s.container(1).ID; after != before {
		t.Errorf("allocation %s, it was %s", after, before)
	}
	if lines := s.ask(200, "GET", s.at()+"/logs?container=1&tail=5", "", nil); !strings.Contains(lines, `{"line":{"container":1,`) || !strings.HasSuffix(lines, "{\"end\":true}\n") {
		t.Errorf("logs: %s", lines)
	}
	const form = "application/x-www-form-urlencoded"
	const scale = "component_parallelism=word%3A2&component_parallelism=count%3A5"
	if dry := s.ask(200, "POST", s.at()+"/update", form, strings.NewReader(scale+"&dry_run=True&dry_run_format=table")); !strings.HasPrefix(dry, `{"response":"Total number of containers: `) {
		t.Errorf("dry run: %s", dry)
	}
	if got := s.ask(200, "POST", s.at()+"/update", form, strings.NewReader(scale)); got != fmt.Sprintf(`{"message":"%s updated"}`, s.topology) {
		t.Errorf("answer %s", got)
	}
	contentType, body = s.formWith(s.topology, 3)
	s.ask(201, "POST", "/api/v1/topologies?replace=true", contentType, body)
	if history := s.ask(200, "GET", s.at()+"/history", "", nil); !strings.Contains(history, `"number":3`) {
		t.Errorf("history: %s", history)
	}
	s.ask(200, "POST", s.at()+"/rollback?version=1", "", nil)
	contentType, body = s.form()
	s.ask(409, "POST", "/api/v1/topologies", contentType, body)
	// The command line sees what the server did, and the other way round.
	s.properties["heron.class.uploader"] = "http"
	s.properties["heron.uploader.http.uri"] = s.url + "/api/v1/file/upload"
	s.want(s.heron("status", "nomad/ann/default", s.topology), 0, "healthy")
	if got := s.ask(200, "DELETE", s.at(), "", nil); got != fmt.Sprintf(`{"message":"%s killed"}`, s.topology) {
		t.Errorf("answer %s", got)
	}
	s.ask(404, "DELETE", s.at(), "", nil)
	// A command line uploads to the server, and removes from there.
	s.want(s.submit("--wait"), 0, "runs at nomad/ann/default")
	if uri := s.job().Meta["heron.package.uri"]; !strings.HasPrefix(uri, s.url+"/api/v1/file/download/") {
		t.Errorf("package %s", uri)
	}
	s.want(s.kill(), 0, "killed")
	s.nothingLeft()

	if err := s.run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r := s.run.wait(t); r.code != 0 {
		t.Errorf("SIGTERM: %s", r)
	}
	if text := s.run.errOut.String(); !strings.Contains(text, "NO AUTHENTICATION") {
		t.Errorf("it does not say that everybody may do everything:\n%s", text)
	}
}

// TestAPIServerIsKilled kills the server in the middle of a submission. The
// client's request, repeated at the next server, continues it.
func TestAPIServerIsKilled(t *testing.T) {
	t.Parallel()
	s := newCluster(t).serve()
	contentType, body := s.form()
	first := body.Bytes()
	operation := s.ask(202, "POST", "/api/v1/topologies?wait=2m", contentType, bytes.NewReader(first), "Prefer", "respond-async")
	if !strings.Contains(operation, `"operation":"submit"`) {
		t.Errorf("operation %s", operation)
	}
	eventually(t, "the submission has begun", func() bool { return len(s.nodes()) > 0 })
	if err := s.run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.run.done
	s.begin()
	eventually(t, "the repeated request continues it", func() bool {
		r, err := http.Post(s.url+"/api/v1/topologies?wait=2m", contentType, bytes.NewReader(first))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, _ := io.ReadAll(r.Body)
		// Where all had been done, the topology exists. Until the dead server's
		// session has expired, its claim counts.
		if r.StatusCode == 201 || r.StatusCode == 409 && strings.Contains(string(text), `"kind":"exists"`) {
			return true
		}
		if r.StatusCode != 409 {
			t.Fatalf("%s: %s\n%s", r.Status, text, s.run.errOut.String())
		}
		return false
	})
	s.ask(200, "DELETE", s.at(), "", nil)
	s.nothingLeft()
}
