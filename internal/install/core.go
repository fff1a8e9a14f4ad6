package install

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/heron-nomad/heron/internal/fetch"
	"github.com/heron-nomad/heron/internal/outcome"
)

// CoreError says that what was given is not a heron-core package.
type CoreError struct {
	Source, Reason string
}

func (e *CoreError) Error() string { return fmt.Sprintf("heron-core from %s: %s", e.Source, e.Reason) }

// Kind implements the contract of package outcome.
func (*CoreError) Kind() outcome.Kind { return outcome.Usage }

// executor is the file by which a core package is known.
const executor = "heron-core/bin/heron-executor"

// Core puts a heron-core package, from a path or any URI that fetch takes, at
// dist/heron-core.tar.gz below the prefix. It is checked on the way: its
// digest, if one is given in hex, and that it holds an executor. A package
// that fails leaves nothing, not even an empty folder.
func Core(ctx context.Context, prefix, source, sha256hex string) (done Done, err error) {
	target := filepath.Join(prefix, "dist", "heron-core.tar.gz")
	undo, err := makeFolders(filepath.Dir(target))
	defer func() {
		if err != nil {
			undo()
		}
	}()
	if err != nil {
		return Done{}, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(target), ".heron-core.*")
	if err != nil {
		return Done{}, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	_, err = fetch.File(ctx, source, tmp, fetch.Options{SHA256: sha256hex})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Done{}, &CoreError{source, "there is no such file"}
	case err != nil:
		return Done{}, fmt.Errorf("heron-core: %w", err)
	}
	if err := checkCore(tmp, fetch.Shown(source)); err != nil {
		return Done{}, err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return Done{}, err
	}
	if err := tmp.Close(); err != nil {
		return Done{}, fmt.Errorf("write %s: %w", target, err)
	}
	if err := os.Rename(tmp.Name(), target); err != nil {
		return Done{}, err
	}
	return Done{Path: target, What: Written}, nil
}

// makeFolders makes a folder and those above it. Undo, which is never nil,
// removes those that it made and that are empty.
func makeFolders(dir string) (undo func(), err error) {
	var made []string // the innermost first
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		made = append(made, at)
	}
	undo = func() {
		for _, folder := range made {
			_ = os.Remove(folder)
		}
	}
	return undo, os.MkdirAll(dir, 0o755)
}

// checkCore reads the whole of r and looks for the executor in it.
func checkCore(r io.Reader, source string) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return &CoreError{source, "not a .tar.gz: " + err.Error()}
	}
	t, found := tar.NewReader(z), false
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("heron-core from %s: read the archive: %w", source, err)
		}
		found = found || strings.TrimPrefix(h.Name, "./") == executor
	}
	// The checksum of gzip stands behind the archive.
	if _, err := io.Copy(io.Discard, z); err != nil {
		return fmt.Errorf("heron-core from %s: read the archive: %w", source, err)
	}
	if !found {
		return &CoreError{source, "it has no " + executor}
	}
	return nil
}
