package scp

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// sshHosts are servers that a whole test uses; each place has a folder of its
// own on them.
type sshHosts struct {
	servers []*testenv.SSHServer
	home    string
	// private is a folder of which each server has its own.
	private string
	places  atomic.Int32
}

func newSSHHosts(t *testing.T, n int) *sshHosts {
	t.Helper()
	h := &sshHosts{private: t.TempDir()}
	o := atHome(t, testenv.SSHOptions{})
	if n > 1 {
		o.Private = h.private
	}
	h.servers = testenv.SSHHosts(t, n, o)
	h.home = testenv.SSHHome(t, h.servers...)
	return h
}

// atHome gives a server's sessions an empty home folder, for the real one has
// start files of a shell, which may do anything; and more variables.
func atHome(t *testing.T, o testenv.SSHOptions, variables ...string) testenv.SSHOptions {
	t.Helper()
	// Only the first such line counts.
	o.Config = "SetEnv HOME=" + t.TempDir() + " " + strings.Join(variables, " ") + "\n" + o.Config
	return o
}

// newPlace makes a folder that does not exist at first, in one that does.
func (h *sshHosts) newPlace(t *testing.T) uploadertest.Place {
	parent := filepath.Join(h.private, fmt.Sprint(h.places.Add(1)))
	for _, s := range h.servers {
		if err := os.MkdirAll(s.Path(parent), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &scpPlace{sshHosts: h, parent: parent, dir: filepath.Join(parent, "it's my \"packages\" $HOME", "heron")}
}

type scpPlace struct {
	*sshHosts
	parent, dir string
}

// settings are those of an uploader to all servers.
func (h *sshHosts) settings(dir string) conf.Upload {
	c := conf.SCPUpload{Dir: dir, Options: "-q -P " + h.servers[0].Port, SSHOptions: "-p " + h.servers[0].Port}
	for _, s := range h.servers {
		c.Hosts = append(c.Hosts, s.User+"@"+s.Host)
	}
	return conf.Upload{Kind: "scp", SCP: c}
}

func newSCP(t *testing.T, home string, settings conf.Upload) uploader.Uploader {
	t.Helper()
	u, err := New(settings, uploader.Options{Home: home, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

func (p *scpPlace) Uploader(t *testing.T) uploader.Uploader {
	return newSCP(t, p.home, p.settings(p.dir))
}

// fetch reads the package on each host; all must have the same.
func (p *scpPlace) Fetch(t *testing.T, uri string) []byte {
	t.Helper()
	var all []byte
	for i, s := range p.servers {
		data, err := os.ReadFile(s.Path(strings.TrimPrefix(uri, "file://")))
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && !bytes.Equal(data, all) {
			t.Fatalf("%s has something else than the others", s.Host)
		}
		all = data
	}
	return all
}

// list leaves out the folder itself, once a package was in it.
func (p *scpPlace) List(t *testing.T) (names []string) {
	t.Helper()
	for _, s := range p.servers {
		top := s.Path(p.parent)
		err := filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
			inside := filepath.Join(p.parent, strings.TrimPrefix(path, top))
			if err == nil && !strings.HasPrefix(p.dir+"/", inside+"/") {
				names = append(names, s.Host+":"+inside)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	return names
}

// smallDisk is an uploader to hosts of which the one in the middle has a disk
// with these mount options.
func (p *scpPlace) smallDisk(t *testing.T, options, sftp string) (uploader.Uploader, *sshHosts) {
	t.Helper()
	uploadertest.NeedRoot(t, "to mount a file system that is small")
	h := &sshHosts{private: t.TempDir()}
	port := testenv.Ports(t, 1)[0]
	for i := range p.servers {
		o := atHome(t, testenv.SSHOptions{Host: fmt.Sprintf("127.0.0.%d", i+2), Port: port, Private: h.private})
		if i == len(p.servers)/2 {
			o.Disk, o.SFTP = options, sftp
		}
		h.servers = append(h.servers, testenv.SSHD(t, o))
	}
	h.home = testenv.SSHHome(t, h.servers...)
	return newSCP(t, h.home, h.settings(h.private)), h
}

func (p *scpPlace) ReadOnly(t *testing.T) uploader.Uploader {
	u, _ := p.smallDisk(t, "ro,size=1m", "")
	return u
}

func (p *scpPlace) Full(t *testing.T) uploader.Uploader {
	u, _ := p.smallDisk(t, "size=1m", "")
	return u
}

func (p *scpPlace) PartSize() int { return opensshPacket }

func (p *scpPlace) Secrets() []string {
	text, err := os.ReadFile(filepath.Join(p.home, ".ssh", "id_ed25519"))
	if err != nil {
		return []string{err.Error()}
	}
	return strings.Split(string(text), "\n")
}

// faults puts a proxy before the last of the hosts.
func (p *scpPlace) Faults(t *testing.T) (func(conf.Upload) uploader.Uploader, *testenv.FaultProxy) {
	t.Helper()
	last := p.servers[len(p.servers)-1]
	proxy := testenv.Proxy(t, last.Addr)
	host, port, err := net.SplitHostPort(proxy.Addr)
	if err != nil {
		t.Fatal(err)
	}
	home := testenv.SSHHome(t, p.servers...)
	config := fmt.Sprintf("Host behind\n HostName %s\n Port %s\n HostKeyAlias behind\n", host, port)
	known, err := os.OpenFile(filepath.Join(home, ".ssh", "known_hosts"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(known, "behind %s\n", last.HostKey(t))
	}
	if err := errors.Join(err, known.Close(), os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(config), 0o600)); err != nil {
		t.Fatal(err)
	}
	return func(common conf.Upload) uploader.Uploader {
		settings := p.settings(p.dir)
		common.Kind, common.SCP = settings.Kind, settings.SCP
		common.SCP.Options, common.SCP.SSHOptions = "", ""
		for i, s := range p.servers {
			common.SCP.Hosts[i] = "ssh://" + s.User + "@" + s.Addr
		}
		common.SCP.Hosts[len(p.servers)-1] = last.User + "@behind"
		return newSCP(t, home, common)
	}, proxy
}

func (p *scpPlace) LeavePart(t *testing.T, src uploader.Source) bool {
	t.Helper()
	last := p.servers[len(p.servers)-1]
	part := last.Path(filepath.Join(p.dir, uploader.TempName(src.Name)))
	if err := errors.Join(os.MkdirAll(filepath.Dir(part), 0o755), os.WriteFile(part, []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return true
}

func (p *scpPlace) Foreign(*testing.T) []string {
	outside := filepath.Join(p.parent, "outside")
	return []string{
		"", outside, "file://" + outside, "file://" + p.dir, "file://" + p.dir + "/", "file://" + p.dir + "/../outside",
		"file://" + p.dir + "/local", "file://" + p.dir + "x/y", "http://example.org/" + p.dir, "scp://localhost" + p.dir + "/x",
		"file://" + p.dir + "/a\nb",
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	uploadertest.Run(t, newSSHHosts(t, 1).newPlace)
}

// The rest of the suite differs little with the number of hosts.
func TestConformance_three_hosts(t *testing.T) {
	t.Parallel()
	uploadertest.NeedRoot(t, "to give each host its own files")
	h := newSSHHosts(t, 3)
	if testenv.Times(0, 1) == 1 {
		uploadertest.Run(t, h.newPlace)
		return
	}
	uploadertest.Run(t, h.newPlace, "repetition", "delete", "list")
}
