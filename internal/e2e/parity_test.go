package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// parity runs the same lines without a server and through one.
type parity struct {
	*apiServer
	// direct and through are the names of the topologies.
	direct, through string
}

// line is a command line with NAME for the topology, in JSON.
func (p *parity) line(text, name string, more ...string) []string {
	words := strings.Fields(strings.ReplaceAll(text, "NAME", name))
	return slices.Concat(words[:1:1], more, []string{"--output", "json"}, words[1:])
}

// anyFailure stands for an exit code that is not 0, the same both ways.
const anyFailure = -1

// same runs a line both ways at the same time. Both have to end with a code and
// say the same.
func (p *parity) same(code int, text string) {
	p.t.Helper()
	through := p.startGuest(p.line(text, p.through, "--service-url="+p.url)...)
	direct := p.start(p.line(text, p.direct)...)
	one, other := direct.wait(p.t), through.wait(p.t)
	expected := one.code == code || code == anyFailure && one.code > 0
	if !expected || other.code != one.code {
		p.t.Fatalf("%s: want exit code %d\nwithout a server: %s\nthrough one: %s\nthe server's log:\n%s", text, code, one, other, p.run.errOut.String())
	}
	if strings.HasPrefix(text, "logs") && code == 0 {
		return // each has lines of its own
	}
	want, got := p.comparable(one.out, p.direct), p.comparable(other.out, p.through)
	if want != got {
		p.t.Errorf("%s\nwithout a server:\n%s\nthrough one:\n%s\nas they were: %s\n%s", text, want, got, one, other)
	}
}

// Texts that differ between any two runs.
var (
	serverNote = regexp.MustCompile(` \(the API server [^)]*\)`)
	ownTexts   = []struct {
		form *regexp.Regexp
		as   string
	}{
		{regexp.MustCompile(`http://\S*/api/v1/file/download/[^\s",;)]+`), "PACKAGE"},
		{regexp.MustCompile(`[^\s"/]+/[^\s"]*\.tar\.gz`), "PACKAGE"},
		{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
		{regexp.MustCompile(`\b[0-9a-f]{32,}\b`), "DIGEST"},
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "TIME"},
		{regexp.MustCompile(` --[a-z-]+(=|\b)\S*`), ""},
	}
)

// comparable is a result without what has to differ: ids, times, sizes of packages,
// and that a server was asked.
func (p *parity) comparable(out, name string) string {
	p.t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(serverNote.ReplaceAllString(out, "")), &doc); err != nil {
		p.t.Errorf("%v: %s", err, out)
		return out
	}
	text, err := json.MarshalIndent(p.walk(doc, name), "", "  ")
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *parity) walk(doc any, name string) any {
	switch v := doc.(type) {
	case map[string]any:
		for key := range v {
			switch key {
			case "request_id", "via", "ports", "controller_port", "last_event", "event_at", "package_size", "size", "job_modify_index", "job_version", "seconds", "warnings":
				delete(v, key)
				continue
			}
			v[key] = p.walk(v[key], name)
		}
	case []any:
		list := v[:0]
		for _, one := range v {
			// Lists of topologies have those of both sides.
			if m, ok := one.(map[string]any); ok && m["health"] != nil && m["topology"] != name {
				continue
			}
			list = append(list, p.walk(one, name))
		}
		return list
	case string:
		v = strings.ReplaceAll(v, name, "NAME")
		for _, own := range ownTexts {
			v = own.form.ReplaceAllString(v, own.as)
		}
		return v
	}
	return doc
}

// TestParity has every command do the same, and say the same, without an API
// server and through one, where it succeeds and where it fails.
func TestParity(t *testing.T) {
	t.Parallel()
	s := newCluster(t).serve()
	s.properties["heron.class.uploader"] = "org.apache.heron.uploader.http.HttpUploader"
	s.properties["heron.uploader.http.uri"] = s.url + "/api/v1/file/upload"
	p := &parity{apiServer: s, direct: s.topology + "-d", through: s.topology + "-t"}
	for _, name := range []string{p.direct, p.through} {
		t.Cleanup(func() { s.heron("kill", "--ignore-missing", "nomad", name) })
	}
	program := "nomad " + bin.sample + " - --name NAME --stmgrs "

	for _, text := range []string{
		"status nomad NAME", "history nomad NAME", "activate nomad NAME", "deactivate nomad NAME", "restart nomad NAME", "kill nomad NAME",
		"update --component-parallelism count:3 nomad NAME", "rollback nomad NAME", "logs nomad NAME",
	} {
		p.same(4, text) // there is none
	}
	p.same(0, "kill --ignore-missing nomad NAME")
	p.same(0, "unlock nomad NAME")
	p.same(0, "submit --wait=3m "+program+"2")
	p.same(5, "submit "+program+"2")
	for _, text := range []string{
		"status nomad", "kill --drain=-1s nomad NAME", "update nomad NAME", "update --component-parallelism nothing:2 nomad NAME",
		"update --component-parallelism count:x nomad NAME", "submit --no-such-flag " + program + "2", "restart nomad NAME x",
		"logs --tail=-5 nomad NAME", "logs --file=../x nomad NAME", "rollback nomad NAME x", "kill nomad/ann/default/more NAME",
		"kill nomad/bob NAME", "kill nomad//prod NAME",
	} {
		p.same(anyFailure, text)
	}
	p.same(0, "status nomad NAME")
	p.same(0, "topologies nomad")
	p.same(0, "history nomad NAME")
	p.same(0, "deactivate nomad NAME")
	p.same(0, "deactivate nomad NAME")
	p.same(0, "activate nomad NAME")
	p.same(0, "restart --wait=3m nomad NAME 1")
	p.same(anyFailure, "restart nomad NAME 7")
	p.same(anyFailure, "logs nomad NAME 7")
	p.same(anyFailure, "logs --component=nothing nomad NAME")
	p.same(0, "logs --tail=1 nomad NAME 1")
	p.same(0, "update --dry-run --component-parallelism count:4 nomad NAME")
	p.same(0, "update --wait=3m --component-parallelism count:4 nomad NAME")
	p.same(0, "submit --replace "+program+"3")
	p.same(anyFailure, "rollback nomad NAME 77")
	p.same(0, "rollback nomad NAME 1")
	p.same(0, "history nomad NAME")
	p.same(0, "unlock nomad NAME")
	p.same(0, "kill nomad NAME")
	p.same(4, "kill nomad NAME")
	p.same(4, "status nomad NAME")
	s.want(s.heron("version", "--output", "json"), 0)
	s.want(s.guest("version", "--service-url="+s.url, "--output", "json"), 0)

	// A claim that another command holds.
	p.direct, p.through = s.topology, s.topology
	run := s.slowSubmit()
	p.same(5, "kill nomad NAME")
	p.same(5, "kill --lock-timeout=1s nomad NAME")
	p.same(5, "unlock nomad NAME")
	if r := s.guest("kill", "--service-url="+s.url, "--output", "json", "nomad", s.topology); !strings.Contains(r.out, `"command": "submit"`) {
		t.Errorf("it does not say who holds the claim: %s", r)
	}
	run.interrupt(t)
	s.want(run.wait(t), 130)
}

// TestServerBehindNginx goes through a proxy that speaks https and adds a path.
func TestServerBehindNginx(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	authority, err := testenv.NewAuthority(t.TempDir(), "nginx")
	if err != nil {
		t.Fatal(err)
	}
	port := testenv.Ports(t, 1)[0]
	upstream := fmt.Sprintf("http://127.0.0.1:%d/", port)
	nginx := testenv.RunNginx(t, testenv.NginxOptions{Authority: authority, Server: "client_max_body_size 0;\nlocation /heron/ { proxy_pass " + upstream + "; }"})
	// The nodes do not know the authority.
	s := c.serveAt(port, "--public-url", nginx.Addr+"/heron", "-D", "heron.class.uploader=org.apache.heron.uploader.localfs.LocalFileSystemUploader",
		"-D", "heron.uploader.localfs.file.system.directory="+c.packages)
	do := func(words ...string) result {
		return s.guest(append(append(words[:1:1], "--service-url="+nginx.Addr+"/heron/", "--service-ca-cert="+authority.CertFile), words[1:]...)...)
	}
	s.want(s.guest("status", "--service-url="+nginx.Addr+"/heron", "nomad", s.topology), 6, "certificate")
	s.want(do("status", "nomad", s.topology), 4, "no topology")
	s.want(do("submit", "--wait=3m", "nomad", bin.sample, "-", "--name", s.topology, "--stmgrs", "2"), 0, "runs at nomad/ann/default")
	follow := s.startGuest("logs", "--service-url="+nginx.Addr+"/heron", "--service-ca-cert="+authority.CertFile, "-f", "nomad", s.topology)
	eventually(t, "logs come through", func() bool { return strings.Contains(follow.out.String(), "[1 ") })
	s.want(do("status", "nomad", s.topology), 0, "healthy")
	s.want(do("topologies", "nomad"), 0, s.topology)
	s.want(do("kill", "nomad", s.topology), 0, "killed")
	s.want(follow.wait(t), 0)
	contentType, body := s.form()
	accepted, _, err := s.send("POST", "/api/v1/topologies?plan=true", contentType, body)
	if err != nil || accepted != 200 {
		t.Errorf("status %d, %v", accepted, err)
	}
	s.nothingLeft()
}
