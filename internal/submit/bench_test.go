package submit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/lifecycle"
)

var errBroken = errors.New("broken on purpose")

// bench is a cluster of fakes and folders, with one manifest.
type bench struct {
	*clustertest.Bench
	d *Manifest
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Bench: clustertest.New(t)}
	b.d = b.manifest("words1234")
	return b
}

func (b *bench) manifest(id string) *Manifest {
	b.T.Helper()
	m, err := NewManifest(Input{
		Settings: b.Settings, Definition: clustertest.Words(id),
		DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: PackageFile{
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
func submitTo(ctx context.Context, cl cluster.Cluster, m *Manifest) (*Submitted, error) {
	list, err := submitAll(ctx, cl, m)
	if len(list) == 0 {
		return nil, err
	}
	return list[0], err
}

func submitAll(ctx context.Context, cl cluster.Cluster, manifests ...*Manifest) ([]*Submitted, error) {
	var decisions []Decision
	for _, m := range manifests {
		there, err := cl.Look(ctx, m.Definition.Name(), scope())
		if err != nil {
			return nil, err
		}
		decisions = append(decisions, Decision{m, there})
	}
	return Submit(ctx, cl, decisions, Options{})
}

func (b *bench) submit(ctx context.Context) error {
	_, err := submitTo(ctx, b.Cluster, b.d)
	return err
}

func (b *bench) kill(ctx context.Context, opts lifecycle.KillOptions) (*lifecycle.Killed, error) {
	return lifecycle.Kill(ctx, b.Cluster, "words", opts)
}
