package lifecycle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/submit"
)

var errBroken = errors.New("broken on purpose")

// bench is a cluster of fakes and folders, with one manifest.
type bench struct {
	*clustertest.Bench
	d *submit.Manifest
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Bench: clustertest.New(t)}
	b.d = b.manifest("words1234")
	return b
}

func (b *bench) manifest(id string) *submit.Manifest {
	b.T.Helper()
	m, err := submit.NewManifest(submit.Input{
		Settings: b.Settings, Definition: clustertest.Words(id),
		DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: submit.PackageFile{
			Path: b.PackageFile(), Size: int64(len(clustertest.PackageText)),
			SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(clustertest.PackageText))),
		},
		Locate:  b.Uploader.Locate,
		Script:  "#!/bin/sh\n",
		Client:  "test",
		Now:     time.Unix(1_700_000_000, 0),
		Request: "a request",
	})
	b.Must(err)
	return m
}

// submitTo submits a manifest to a cluster.
func submitTo(ctx context.Context, cl cluster.Cluster, m *submit.Manifest) error {
	there, err := cl.Look(ctx, m.Definition.Name(), cluster.Scope{Job: true, Originals: true})
	if err != nil {
		return err
	}
	_, err = submit.Submit(ctx, cl, []submit.Decision{{Manifest: m, There: there}}, submit.Options{})
	return err
}

func (b *bench) submit(ctx context.Context) error {
	return submitTo(ctx, b.Cluster, b.d)
}

func (b *bench) kill(ctx context.Context, opts KillOptions) (*Killed, error) {
	return Kill(ctx, b.Cluster, "words", opts)
}
