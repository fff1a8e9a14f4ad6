// Package clustertest is a cluster of fakes and folders for tests of use cases:
// a Nomad in memory, a state store and a package store in folders, each of
// which can be made to fail, and a process that dies in the middle.
package clustertest

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/localfs"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/all"
)

// PackageText is what the package of a Bench holds.
const PackageText = "the package"

// Bench is a cluster of fakes and folders.
type Bench struct {
	T        *testing.T
	Jobs     *Jobs
	Store    *Store
	Uploader *Uploader
	Cluster  cluster.Cluster
	Settings *conf.Settings
	// Packages is the folder of the package store.
	Packages string
}

// New makes a Bench with nothing on it.
func New(t *testing.T) *Bench {
	t.Helper()
	dir := t.TempDir()
	b := &Bench{T: t, Jobs: &Jobs{Jobs: map[string]*api.Job{}}, Packages: filepath.Join(dir, "packages")}
	b.Settings = Settings(t, dir)
	store, err := localfs.Open(b.Settings.State.Root)
	b.Must(err)
	t.Cleanup(func() { store.Close() })
	up, err := all.New(b.Settings.Upload, uploader.Options{})
	b.Must(err)
	b.Store, b.Uploader = &Store{Store: store}, &Uploader{Uploader: up}
	b.Cluster = cluster.Cluster{
		Settings: b.Settings, State: statemgr.Tree{Store: b.Store, Layout: statemgr.Layout{Root: b.Settings.State.Root}},
		Jobs: b.Jobs, Uploader: b.Uploader, Progress: b.Log,
	}
	return b
}

// Log prints an event to the test's log.
func (b *Bench) Log(e progress.Event) { b.T.Logf("%+v", e) }

// Must ends the test at an error.
func (b *Bench) Must(err error) {
	b.T.Helper()
	if err != nil {
		b.T.Fatal(err)
	}
}

// PackageFile is a file that holds PackageText.
func (b *Bench) PackageFile() string {
	b.T.Helper()
	file := filepath.Join(b.T.TempDir(), "package")
	b.Must(os.WriteFile(file, []byte(PackageText), 0o600))
	return file
}

// Left lists everything that is there of the topology "words".
func (b *Bench) Left() []string {
	b.T.Helper()
	var left []string
	for id := range b.Jobs.Jobs {
		left = append(left, "job "+id)
	}
	tree := b.Cluster.State
	ops, err := tree.Deletion(b.T.Context(), "words", true)
	b.Must(err)
	for _, op := range ops {
		left = append(left, "node "+op.Path)
	}
	for _, dir := range []string{path.Dir(tree.Operation("words")), tree.Owners()} {
		names, err := tree.Children(b.T.Context(), dir)
		if err != nil && !errors.Is(err, statemgr.ErrNotFound) {
			b.T.Fatal(err)
		}
		for _, name := range names {
			left = append(left, "node "+dir+"/"+name)
		}
	}
	files, err := filepath.Glob(filepath.Join(b.Packages, "*"))
	b.Must(err)
	return append(left, files...)
}
