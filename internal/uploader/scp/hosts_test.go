package scp

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// on is an uploader to servers, with nodes of the cluster.
func on(t *testing.T, h *sshHosts, targets []string, nodes []uploader.Node, home string) uploader.Uploader {
	t.Helper()
	settings := h.settings(filepath.Join(h.private, "packages"))
	if targets != nil {
		settings.SCP.Hosts = targets
	}
	opts := uploader.Options{Home: home, Nodes: func(context.Context) ([]uploader.Node, error) { return nodes, nil }}
	if nodes == nil {
		opts.Nodes = nil
	}
	u, err := New(settings, opts)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// left are the files on all hosts.
func (h *sshHosts) left(t *testing.T) (names []string) {
	t.Helper()
	for _, s := range h.servers {
		top := s.Path(h.private)
		err := filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
			if path != top {
				names = append(names, s.Host+":"+strings.TrimPrefix(path, top))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func TestOneOfThreeHostsFails(t *testing.T) {
	uploadertest.NeedRoot(t, "to give each host its own files")
	h := newSSHHosts(t, 3)
	last := h.servers[2]
	src, _ := uploadertest.Source(uploadertest.Folder, uploadertest.BigSize)
	uploads := func(label string, u uploader.Uploader, want error, says ...string) {
		t.Helper()
		where, err := u.Upload(t.Context(), src)
		if !errors.Is(err, want) || where.URI != "" {
			t.Errorf("%s: got %v, want %v", label, err, want)
		}
		for _, text := range append(says, last.Host) {
			if err != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q is missing in %v", label, text, err)
			}
		}
		if left := h.left(t); len(left) > 0 {
			t.Errorf("%s: it left %q", label, left)
		}
	}
	edit := func(name string, change func(string) string) string {
		t.Helper()
		home := testenv.SSHHome(t, h.servers...)
		file := filepath.Join(home, ".ssh", name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		return home
	}
	unknown := edit("known_hosts", func(text string) string { return strings.ReplaceAll(text, last.KnownName(), "elsewhere") })
	uploads("unknown key", on(t, h, nil, nil, unknown), uploader.ErrDenied, "ssh-keyscan -p "+last.Port+" -H "+last.Host, "SHA256:")
	other := testenv.SSHKey(t, filepath.Join(t.TempDir(), "other"))
	changed := edit("known_hosts", func(text string) string {
		return strings.ReplaceAll(text, last.KnownName()+" "+last.HostKey(t), last.KnownName()+" "+other)
	})
	uploads("changed key", on(t, h, nil, nil, changed), uploader.ErrDenied, "ssh-keygen -R '"+last.KnownName()+"'", "known_hosts:3")

	if err := os.WriteFile(filepath.Join(last.Dir, "authorized_keys"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	uploads("refused identity", on(t, h, nil, nil, h.home), uploader.ErrDenied, "id_ed25519")
	public, err := os.ReadFile(filepath.Join(h.home, ".ssh", "id_ed25519.pub"))
	if err != nil {
		t.Fatal(err)
	}
	last.Allow(t, string(public))

	// It dies when it has a part of the package.
	breaks := src
	breaks.Open = uploadertest.Tripping(src.Open, uploadertest.BigSize/2, last.DropSessions)
	good := src
	src = breaks
	uploads("host that crashes", on(t, h, nil, nil, h.home), uploader.ErrUnreachable)
	src = good

	if err := last.Kill(); err != nil {
		t.Fatal(err)
	}
	u := on(t, h, nil, nil, h.home)
	if _, err := u.Upload(t.Context(), src); !errors.Is(err, uploader.ErrUnreachable) || !strings.Contains(err.Error(), last.Host) {
		t.Errorf("unreachable: got %v", err)
	}
}

func TestFullDiskOnTheSecondOfThreeHosts(t *testing.T) {
	for label, c := range map[string]struct{ sftp, says string }{
		"seen before": {"", "free of the"},
		// A server that does not tell how full its disk is.
		"met on the way": {"internal-sftp -P statvfs", "write to"},
	} {
		t.Run(label, func(t *testing.T) {
			p := &scpPlace{sshHosts: &sshHosts{servers: make([]*testenv.SSHServer, 3)}}
			u, h := p.smallDisk(t, "size=1m", c.sftp)
			src, _ := uploadertest.Source(uploadertest.Folder, uploadertest.BigSize)
			_, err := u.Upload(t.Context(), src)
			if !errors.Is(err, uploader.ErrTarget) || !strings.Contains(err.Error(), h.servers[1].Host) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if left := h.left(t); len(left) > 0 {
				t.Errorf("it left %q", left)
			}
		})
	}
}

// What another upload of the same package put there stays when this one is
// taken back.
func TestUndoRemovesItsOwnFileAlone(t *testing.T) {
	h := newSSHHosts(t, 1)
	s := on(t, h, nil, nil, h.home).(*Uploader)
	dir := filepath.Join(h.private, "packages")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	written := time.Now().Truncate(time.Second)
	for label, c := range map[string]struct {
		there time.Time
		stays bool
	}{"its own": {written, false}, "another's": {written.Add(time.Second), true}} {
		file := filepath.Join(dir, "package")
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chtimes(file, c.there, c.there)); err != nil {
			t.Fatal(err)
		}
		hosts, err := s.resolve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		undone := &replica{host: hosts[0], file: file, part: file + ".part", created: true, published: true, written: written}
		if err := s.undo(t.Context(), []*replica{undone}, "package", uploadertest.ErrBroken); !errors.Is(err, uploadertest.ErrBroken) {
			t.Errorf("%s: got %v", label, err)
		}
		if _, err := os.Stat(file); (err == nil) != c.stays {
			t.Errorf("%s: the file stays: %v, want %v", label, err == nil, c.stays)
		}
	}
}

func TestWithoutProgramsAndExtensions(t *testing.T) {
	for label, o := range map[string]testenv.SSHOptions{
		"no programs":       {Config: "ForceCommand internal-sftp"},
		"no extensions":     {SFTP: "internal-sftp -P statvfs,fsync,posix-rename"},
		"a single session":  {Config: "MaxSessions 1"},
		"read by a program": {SFTP: "/usr/lib/openssh/sftp-server"},
	} {
		t.Run(label, func(t *testing.T) {
			h := &sshHosts{private: t.TempDir(), servers: []*testenv.SSHServer{testenv.SSHD(t, atHome(t, o))}}
			h.home = testenv.SSHHome(t, h.servers...)
			p := h.newPlace(t)
			u := p.Uploader(t)
			// More than one channel carries.
			src, data := uploadertest.Source(uploadertest.Folder, manyFrom+1)
			where := uploadertest.MustUpload(t, p, u, src, data)
			src.Open = func() (uploader.Content, error) { return nil, uploadertest.ErrBroken }
			if _, err := u.Upload(t.Context(), src); err != nil {
				t.Errorf("again: %v", err)
			}
			uploadertest.DeleteTwice(t, u, where.URI)
			uploadertest.MustBeEmpty(t, p, "the delete")
		})
	}
	t.Run("no SFTP", func(t *testing.T) {
		h := &sshHosts{private: t.TempDir(), servers: []*testenv.SSHServer{testenv.SSHD(t, atHome(t, testenv.SSHOptions{SFTP: "/bin/false"}))}}
		h.home = testenv.SSHHome(t, h.servers...)
		if err := on(t, h, nil, nil, h.home).Check(t.Context()); !errors.Is(err, uploader.ErrTarget) || !strings.Contains(err.Error(), "Subsystem sftp") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFindsItsNodes(t *testing.T) {
	h := newSSHHosts(t, 1)
	s := h.servers[0]
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(h.home, ".ssh", "config"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Host store\n HostName " + s.Host + "\n")
	here := uploader.Node{ID: "1", Name: "one", Address: s.Host, Eligible: true}
	away := uploader.Node{ID: "2", Name: "two", Address: "192.0.2.1"}
	for _, c := range []struct {
		targets []string
		nodes   []uploader.Node
		want    []string
	}{
		{[]string{"nomad"}, []uploader.Node{here, away}, []string{"1"}},
		{[]string{s.User + "@nomad"}, []uploader.Node{here, {ID: "3", Address: s.Host, Eligible: true}}, []string{"1", "3"}},
		{[]string{s.Host}, []uploader.Node{away, here}, []string{"1"}},
		{[]string{"store"}, []uploader.Node{away, here}, []string{"1"}},
		{[]string{"store"}, []uploader.Node{{ID: "4", Name: "Store", Address: "192.0.2.4", Eligible: true}, here}, []string{"4"}},
		{[]string{s.Host}, nil, []string{s.Host}},
	} {
		u := on(t, h, c.targets, c.nodes, h.home)
		if got := u.Locate("a").Nodes; !slices.Equal(got, c.targets) {
			t.Errorf("%q: before it is %q", c.targets, got)
		}
		if err := u.Check(t.Context()); err != nil {
			t.Errorf("%q: %v", c.targets, err)
		}
		if got := u.Locate("a").Nodes; !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.targets, got, c.want)
		}
	}
	var input *uploader.ConfigError
	for _, c := range []struct {
		targets []string
		nodes   []uploader.Node
		want    error
		says    string
	}{
		{[]string{"nomad"}, []uploader.Node{away}, uploader.ErrTarget, "no node"},
		{[]string{"nomad"}, nil, nil, "name the hosts"},
		{[]string{s.Host}, []uploader.Node{away}, uploader.ErrTarget, "two (192.0.2.1)"},
		{[]string{s.Host}, []uploader.Node{here, {ID: "5", Name: "five", Address: s.Host, Eligible: true}}, uploader.ErrTarget, "five"},
		{[]string{"store", s.Host}, []uploader.Node{here}, nil, "same node"},
		{[]string{"192.0.2.1"}, []uploader.Node{away, here}, uploader.ErrTarget, "takes containers"},
	} {
		err := on(t, h, c.targets, c.nodes, h.home).Check(t.Context())
		if c.want != nil && !errors.Is(err, c.want) || c.want == nil && !errors.As(err, &input) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: got %v, want %q", c.targets, err, c.says)
		}
	}
}

func TestDeleteReachesNodesThatTakeNothingAnyMore(t *testing.T) {
	uploadertest.NeedRoot(t, "to give each host its own files")
	h := newSSHHosts(t, 2)
	nodes := []uploader.Node{{ID: "1", Address: h.servers[0].Host, Eligible: true}, {ID: "2", Address: h.servers[1].Host, Eligible: true}}
	src, _ := uploadertest.Source(uploadertest.Folder, 10)
	where, err := on(t, h, []string{"nomad"}, nodes, h.home).Upload(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	nodes[1].Eligible = false
	u := on(t, h, []string{"nomad"}, append(nodes, uploader.Node{ID: "3", Address: "127.0.0.9"}), h.home).(*Uploader)
	var said []progress.Event
	u.sink = func(e progress.Event) { said = append(said, e) }
	if err := u.Delete(t.Context(), where.URI); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || said[0].State != progress.Warned || said[0].What.Where != "127.0.0.9" || said[0].What.ID != where.URI {
		t.Errorf("the events are %+v", said)
	}
	for _, name := range h.left(t) {
		if !strings.HasSuffix(name, ":/packages") {
			t.Errorf("left is %s", name)
		}
	}
}

func TestDeleteNeedsNoNodeThatTakesContainers(t *testing.T) {
	h := newSSHHosts(t, 1)
	node := uploader.Node{ID: "1", Name: "one", Address: h.servers[0].Host, Eligible: true}
	idle := node
	idle.Eligible = false
	for label, c := range map[string]struct {
		target string
		later  []uploader.Node
	}{
		"named, draining": {h.servers[0].Host, []uploader.Node{idle}},
		"named, down":     {h.servers[0].Host, nil},
		"every, draining": {"nomad", []uploader.Node{idle}},
	} {
		nodes := []uploader.Node{node}
		u := on(t, h, []string{c.target}, nil, h.home).(*Uploader)
		u.nodes = func(context.Context) ([]uploader.Node, error) { return nodes, nil }
		src, _ := uploadertest.Source(uploadertest.Folder, 10)
		where, err := u.Upload(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		nodes = c.later
		if err := u.Delete(t.Context(), where.URI); err != nil {
			t.Errorf("%s: %v", label, err)
		}
		for _, name := range h.left(t) {
			if !strings.HasSuffix(name, ":/packages") {
				t.Errorf("%s: left is %s", label, name)
			}
		}
	}
}

func TestRateIsThatOfAllHostsTogether(t *testing.T) {
	uploadertest.NeedRoot(t, "to give each host its own files")
	h := newSSHHosts(t, 3)
	settings := h.settings(filepath.Join(h.private, "packages"))
	const rate = 3 << 20
	settings.RateLimit = rate
	base, err := New(settings, uploader.Options{Home: h.home})
	if err != nil {
		t.Fatal(err)
	}
	u := uploader.Decorate(base, settings, uploader.Options{})
	src, _ := uploadertest.Source(uploadertest.Folder, rate)
	start := time.Now()
	if _, err := u.Upload(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	// Three times a second's worth, less what may come at once.
	if took := time.Since(start); took < 2*time.Second {
		t.Errorf("%d bytes to three hosts took %s at %d bytes a second", rate, took, rate)
	}
}

func TestDoesNotFollowLinks(t *testing.T) {
	h := newSSHHosts(t, 1)
	u := on(t, h, nil, nil, h.home)
	outside := t.TempDir()
	src, _ := uploadertest.Source("a", 1)
	victim := filepath.Join(outside, filepath.Base(src.Name))
	dir := filepath.Join(h.private, "packages")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Symlink(outside, filepath.Join(dir, "a")), os.WriteFile(victim, []byte("keep"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Upload(t.Context(), src); !errors.Is(err, uploader.ErrTarget) {
		t.Errorf("upload: got %v, want ErrTarget", err)
	}
	if err := u.Delete(t.Context(), u.Locate(src.Name).URI); !errors.Is(err, uploader.ErrForeign) {
		t.Errorf("delete: got %v, want ErrForeign", err)
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "keep" {
		t.Errorf("the file outside: %q, %v", data, err)
	}
}

func TestRefusesBadSettings(t *testing.T) {
	good := conf.SCPUpload{Hosts: []string{"host"}, Dir: "/packages"}
	for label, spoil := range map[string]func(*conf.SCPUpload){
		"relative":      func(c *conf.SCPUpload) { c.Dir = "packages" },
		"root":          func(c *conf.SCPUpload) { c.Dir = "/" },
		"a%20b":         func(c *conf.SCPUpload) { c.Dir = "/a%20b" },
		"no host":       func(c *conf.SCPUpload) { c.Hosts = nil },
		"twice":         func(c *conf.SCPUpload) { c.Hosts = []string{"a", "a"} },
		"nomad and":     func(c *conf.SCPUpload) { c.Hosts = []string{"nomad", "a"} },
		"host:port":     func(c *conf.SCPUpload) { c.Hosts = []string{"host:22"} },
		"scp option":    func(c *conf.SCPUpload) { c.Options = "-Z" },
		"ssh option":    func(c *conf.SCPUpload) { c.SSHOptions = "-o StrictHostKeyChecking=no" },
		"not an option": func(c *conf.SCPUpload) { c.SSHOptions = "'" },
	} {
		settings := good
		spoil(&settings)
		var input *uploader.ConfigError
		if u, err := New(conf.Upload{Kind: "scp", SCP: settings}, uploader.Options{}); !errors.As(err, &input) || input.Kind() != outcome.Usage || u != nil {
			t.Errorf("%s: got %v, want a *ConfigError", label, err)
		}
	}
}
