package conf

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestClientConfig(t *testing.T) {
	home := t.TempDir()
	c := NewClientConfig(home)
	file := filepath.Join(home, ".config", "heron", "nomad", "cli.yaml")
	if list, err := c.List("nomad"); err != nil || len(list) != 0 {
		t.Errorf("list of a new cluster: %v, %v", list, err)
	}
	if err := c.Unset("nomad", "service_url"); err != nil {
		t.Errorf("unset of what is not set: %v", err)
	}
	if err := c.Set("nomad", "service_url", "http://h:9000"); err != nil {
		t.Fatal(err)
	}
	if err := c.Set("nomad", "service_url", "https://h:9001/x"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil || string(data) != "service_url: https://h:9001/x\n" {
		t.Errorf("the file says %q, %v", data, err)
	}
	list, err := c.List("nomad")
	if diff := cmp.Diff([]Property{{"service_url", "https://h:9001/x"}}, list); diff != "" || err != nil {
		t.Errorf("list: %v %s", err, diff)
	}
	if u, err := c.ServiceURL("nomad"); u != "https://h:9001/x" || err != nil {
		t.Errorf("service URL: %q, %v", u, err)
	}
	if err := c.Unset("nomad", "service_url"); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 0 {
		t.Errorf("after unset: %v, %v", entries, err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if u, err := c.ServiceURL("nomad"); u != "" || err != nil {
		t.Errorf("an empty file: %q, %v", u, err)
	}
}

func TestClientConfigRefuses(t *testing.T) {
	home := t.TempDir()
	c := NewClientConfig(home)
	for _, cluster := range []string{"", ".", "..", "../x", "a/b", `a\b`, "/etc", "a\nb"} {
		if err := c.Set(cluster, "service_url", "http://h:9000"); outcome.KindOf(err) != outcome.Usage {
			t.Errorf("cluster %q: %v", cluster, err)
		}
		if _, err := c.List(cluster); outcome.KindOf(err) != outcome.Usage {
			t.Errorf("list of %q: %v", cluster, err)
		}
	}
	if err := c.Set("nomad", "color", "blue"); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("unknown property: %v", err)
	}
	if err := c.Unset("nomad", "color"); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("unknown property: %v", err)
	}
	for _, value := range []string{"", "h:9000", "ftp://h", "http://"} {
		if err := c.Set("nomad", "service_url", value); outcome.KindOf(err) != outcome.Usage {
			t.Errorf("%q: %v", value, err)
		}
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
	file := filepath.Join(home, ".config", "heron", "nomad", "cli.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"service_url: [", "- a\n", "service_url: {a: b}\n"} {
		if err := os.WriteFile(file, []byte(broken), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ServiceURL("nomad"); outcome.KindOf(err) != outcome.Usage {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

func TestReadRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "release.yaml")
	text := "heron.build.version: '0.20'\nheron.build.timestamp: 1500000000000\nheron.build.git.status: 0.10\nheron.build.host:\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRelease(path)
	want := []Property{
		{"heron.build.git.status", "0.10"}, {"heron.build.host", ""},
		{"heron.build.timestamp", "1500000000000"}, {"heron.build.version", "0.20"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := ReadRelease(path + "x"); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("missing file: %v", err)
	}
}
