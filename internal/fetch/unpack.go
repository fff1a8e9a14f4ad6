package fetch

import (
	"context"
	"fmt"

	"github.com/heron-nomad/heron/internal/tarball"
)

// Unpacked is an archive that was fetched and unpacked.
type Unpacked struct {
	Result
	tarball.Summary
}

// Unpack fetches a tar file and unpacks it into a folder, which is made where
// it is missing. What is in the folder stays, but for files of the same names.
// Nothing is unpacked before the digest is right, nothing is visible before
// all is unpacked, and where anything fails the folder is as it was; what
// could not be taken back is an *tarball.LeftError.
func Unpack(ctx context.Context, uri, dir string, opts Options, limits tarball.Limits) (Unpacked, error) {
	stage, err := tarball.NewStage(dir)
	if err != nil {
		return Unpacked{}, err
	}
	got, err := unpack(ctx, uri, stage, opts, limits)
	return got, stage.Discard(err)
}

func unpack(ctx context.Context, uri string, stage *tarball.Stage, opts Options, limits tarball.Limits) (Unpacked, error) {
	var got Unpacked
	f, err := stage.File("package")
	if err != nil {
		return got, err
	}
	defer f.Close()
	if got.Result, err = File(ctx, uri, f, opts); err != nil {
		return got, err
	}
	if got.Summary, err = stage.Unpack(ctx, f, limits); err != nil {
		return got, fmt.Errorf("unpack %s: %w", Shown(uri), err)
	}
	return got, stage.Commit(ctx)
}
