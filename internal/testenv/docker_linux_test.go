package testenv

import (
	"net"
	"os/exec"
	"strings"
	"testing"
)

func TestDockerRunsAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	d, err := StartDocker(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Stop() })
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	err = d.Build(t.Context(), "small:1", "FROM scratch\nCOPY busybox /bin/\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n", map[string]string{"busybox": busybox})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Build(t.Context(), "broken:1", "FROM scratch\nCOPY no-such /\n", nil); err == nil || !strings.Contains(err.Error(), "no-such") {
		t.Errorf("a broken build: %v", err)
	}
	if tags, err := d.Images(t.Context()); err != nil || len(tags) != 1 || tags[0] != "small:1" {
		t.Errorf("images %v, %v", tags, err)
	}

	// Containers reach this machine on every network.
	l, err := net.Listen("tcp", net.JoinHostPort(d.IP, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("hello\n"))
			_ = conn.Close()
		}
	}()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	for _, network := range []string{"default", "bridge", "host"} {
		code, out, err := d.Run(t.Context(), "small:1", network, "sh", "-c", "nc -w 10 "+host+" "+port+"; exit 7")
		if err != nil || code != 7 || strings.TrimSpace(out) != "hello" {
			t.Errorf("on network %s: exit code %d, output %q, %v", network, code, out, err)
		}
	}
	if ids, err := d.Containers(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("containers %v, %v", ids, err)
	}

	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := net.InterfaceByName(d.Interface); err == nil {
		t.Errorf("the device %s is left", d.Interface)
	}
	if pids, err := Processes(dir); err != nil || len(pids) != 0 {
		t.Errorf("processes %v are left, %v", pids, err)
	}
}
