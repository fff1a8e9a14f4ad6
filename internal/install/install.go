// Package install fills Heron's home: the program with its links, the
// shipped configuration, the release file, and heron-core.
//
// It never overwrites what a user has edited, and it knows nothing of what
// the files mean.
package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Options say what goes where.
type Options struct {
	// Prefix is Heron's home.
	Prefix string
	// Program is the path of the program to copy to bin/heron.
	Program string
	// Conf has a folder per cluster; Release is the text of release.yaml.
	Conf    fs.FS
	Release []byte
}

// What happened to a file.
const (
	Written   = "written"
	Unchanged = "unchanged"
	// Beside: the file was edited, so the new one lies beside it as *.new.
	Beside = "kept, new one beside it"
)

// Done is one file of an installation and what happened to it.
type Done struct {
	Path string `json:"path"`
	What string `json:"what"`
}

// links are other names of the program.
var links = []string{"heron-apiserver", "heron-downloader"} //nolint:gochecknoglobals // constant

// manifestName is the file that remembers what was installed, so that an
// edited file can be told from an old one. It lies above the cluster folders,
// for these travel with every topology.
const manifestName = ".shipped.json"

// Install copies everything below the prefix. It may be repeated, also with
// another version.
func Install(ctx context.Context, opts Options) ([]Done, error) {
	in := &installer{opts: opts, manifest: map[string]string{}}
	if err := in.readManifest(); err != nil {
		return nil, err
	}
	err := fs.WalkDir(opts.Conf, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(opts.Conf, name)
		if err != nil {
			return err
		}
		return in.file(filepath.Join("conf", filepath.FromSlash(name)), data)
	})
	if err == nil {
		err = in.file("release.yaml", opts.Release)
	}
	if err == nil {
		err = in.program()
	}
	// Also after a failure: what was written must not look edited later.
	err = errors.Join(err, in.writeManifest())
	if err != nil {
		return in.done, fmt.Errorf("install into %s: %w", opts.Prefix, err)
	}
	return in.done, nil
}

type installer struct {
	opts     Options
	manifest map[string]string
	done     []Done
}

func (in *installer) manifestPath() string {
	return filepath.Join(in.opts.Prefix, "conf", manifestName)
}

func (in *installer) readManifest() error {
	data, err := os.ReadFile(in.manifestPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what was installed before: %w", err)
	}
	if err := json.Unmarshal(data, &in.manifest); err != nil {
		return fmt.Errorf("read what was installed before: %s: %w; remove the file to go on", in.manifestPath(), err)
	}
	return nil
}

func (in *installer) writeManifest() error {
	data, err := json.MarshalIndent(in.manifest, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(in.manifestPath(), bytes.NewReader(append(data, '\n')), 0o644)
}

// file installs one file unless the user has edited the one that is there.
func (in *installer) file(name string, data []byte) error {
	path := filepath.Join(in.opts.Prefix, name)
	what := Written
	old, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(old, data):
		what = Unchanged
	case err == nil && digest(old) != in.manifest[name]:
		what = Beside
		path += ".new"
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	in.done = append(in.done, Done{Path: path, What: what})
	if what == Beside {
		return writeFile(path, bytes.NewReader(data), 0o644)
	}
	in.manifest[name] = digest(data)
	if what == Unchanged {
		return nil
	}
	return writeFile(path, bytes.NewReader(data), 0o644)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// program copies the program and makes its links.
func (in *installer) program() error {
	bin := filepath.Join(in.opts.Prefix, "bin")
	target := filepath.Join(bin, "heron")
	if same(in.opts.Program, target) {
		in.done = append(in.done, Done{Path: target, What: Unchanged})
	} else {
		src, err := os.Open(in.opts.Program)
		if err != nil {
			return err
		}
		defer src.Close()
		if err := writeFile(target, src, 0o755); err != nil {
			return err
		}
		in.done = append(in.done, Done{Path: target, What: Written})
	}
	for _, name := range links {
		if err := link(filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	return nil
}

func same(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

// link makes path a link to heron beside it. Something else under that name,
// such as a program of the original client, is an error.
func link(path string) error {
	to, err := os.Readlink(path)
	if err == nil && to == "heron" {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists and is not a link to heron: remove it, or install into another folder", path)
	}
	return os.Symlink("heron", path)
}

// writeFile makes a file, whole or not at all, with the folders above it.
func writeFile(path string, from io.Reader, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := io.Copy(tmp, from); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := tmp.Chmod(mode); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(tmp.Name(), path)
}
