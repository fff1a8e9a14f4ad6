package topology

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Places in a package. Containers unpack it into their working directory,
// beside the folder coreFolder.
const (
	confFolder   = "./heron-conf/"
	overrideName = "override.yaml"
	releaseName  = "release.yaml"
	coreFolder   = "heron-core"
)

// maxTarTime is the latest time that every tar file can hold.
const maxTarTime = 1<<33 - 1

// Package is what containers of one topology fetch: a gzipped tar of the
// topology file, the definition, the cluster's configuration directory with
// everything in it, the release file and the overrides, in this order. Equal
// input gives equal bytes.
type Package struct {
	// Binary is the path of the topology file; its base name is its name in
	// the package.
	Binary string
	// Definition is packed as <its name>.defn.
	Definition *Definition
	// ConfDir is the cluster's configuration directory; links in it are
	// followed.
	ConfDir string
	// Release is the content of the release file, and ReleaseName its base
	// name, "release.yaml" if empty; nil Release leaves it out.
	ReleaseName string
	Release     []byte
	// Override is the content of override.yaml, which executors insist on; the
	// directory's own is not packed. Empty is written as an empty mapping.
	Override []byte
	// Filter, if set, gets every configuration file, release and override file
	// too, by its slash-separated path below heron-conf, and returns what to
	// pack in its place: this is where secrets are taken out.
	Filter func(name string, data []byte) ([]byte, error)
	// ModTime is the time of all members; the zero time stands for the start
	// of 1980, the earliest that all tools can show.
	ModTime time.Time
}

// Built is a finished package file.
type Built struct {
	File string
	// Size is in bytes, SHA256 in lower-case hex.
	Size   int64
	SHA256 string
}

// Build writes the package to a new file in dir and digests it on the way.
// After an error, also that of ctx, there is no file.
func (p *Package) Build(ctx context.Context, dir string) (built *Built, err error) {
	f, err := os.CreateTemp(dir, "topology-*.tar.gz")
	if err != nil {
		return nil, fmt.Errorf("make the topology's package: %w", err)
	}
	defer func() {
		if err == nil {
			return
		}
		if removeErr := os.Remove(f.Name()); removeErr != nil {
			err = errors.Join(err, removeErr)
		}
	}()
	digest := &digestWriter{ctx: ctx, w: f, hash: sha256.New()}
	err = p.Write(digest)
	if closeErr := f.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("write the topology's package: %w", closeErr)
	}
	if err != nil {
		return nil, err
	}
	return &Built{File: f.Name(), Size: digest.size, SHA256: hex.EncodeToString(digest.hash.Sum(nil))}, nil
}

type digestWriter struct {
	ctx  context.Context
	w    io.Writer
	hash hash.Hash
	size int64
}

func (d *digestWriter) Write(data []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := d.w.Write(data)
	d.hash.Write(data[:n])
	d.size += int64(n)
	return n, err
}

// Write streams the package to w. The topology file is never in memory as a
// whole; configuration files are, one at a time.
func (p *Package) Write(w io.Writer) error {
	// Topology files are compressed already: more effort gains nothing.
	compressed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if err := p.writeTar(compressed, p.Definition); err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return fmt.Errorf("pack topology %s: %w", p.Definition.Name(), err)
	}
	return nil
}

// Fingerprint is a digest, in hex, of what is in the package, the topology's
// id left out: two runs of one program that define the same topology have the
// same.
func (p *Package) Fingerprint(ctx context.Context) (string, error) {
	digest := &digestWriter{ctx: ctx, w: io.Discard, hash: sha256.New()}
	if err := p.writeTar(digest, p.Definition.WithID("")); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.hash.Sum(nil)), nil
}

// writeTar writes what is to be compressed, with the given definition.
func (p *Package) writeTar(w io.Writer, def *Definition) error {
	if err := p.checkNames(); err != nil {
		return err
	}
	definition, err := def.Bytes()
	if err != nil {
		return fmt.Errorf("pack the definition of %s: %w", p.Definition.Name(), err)
	}
	archive := &archive{tar: tar.NewWriter(w), modTime: p.modTime()}
	steps := []func() error{
		func() error { return archive.addFile(filepath.Base(p.Binary), p.Binary) },
		func() error { return archive.addData(p.Definition.Filename(), definition, 0o644) },
		func() error { return p.addConf(archive) },
		archive.tar.Close,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("pack topology %s: %w", p.Definition.Name(), err)
		}
	}
	return nil
}

func (p *Package) modTime() time.Time {
	if p.ModTime.IsZero() {
		return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return p.ModTime.Truncate(time.Second)
}

// SourceDate reads the value of SOURCE_DATE_EPOCH, seconds since 1970, for
// ModTime; none is the zero time. Anything else is an *InputError.
func SourceDate(value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > maxTarTime {
		return time.Time{}, inputError(nil, "SOURCE_DATE_EPOCH is %q: set it to whole seconds since 1970, or unset it", value)
	}
	return time.Unix(n, 0).UTC(), nil
}

func (p *Package) release() string {
	if p.ReleaseName == "" {
		return releaseName
	}
	return filepath.Base(p.ReleaseName)
}

// checkNames refuses what would take another member's place in a container.
func (p *Package) checkNames() error {
	name := filepath.Base(p.Binary)
	switch {
	case name == filepath.Base(confFolder), name == coreFolder, name == p.Definition.Filename():
		return inputError(nil, "a topology file cannot be called %q, since containers have something else of that name: rename it", name)
	case strings.HasPrefix(name, "-"), strings.ContainsFunc(name, unicode.IsControl):
		return inputError(nil, "a topology file cannot be called %q, since commands in containers would misread it: rename it", name)
	case p.release() == overrideName && p.Release != nil:
		return inputError(nil, "the release file cannot be called %s, since the overrides are: rename it", overrideName)
	}
	return nil
}

// addConf packs the configuration directory, release file and overrides.
func (p *Package) addConf(a *archive) error {
	if err := a.addFolder(confFolder); err != nil {
		return err
	}
	if p.ConfDir != "" {
		info, err := os.Stat(p.ConfDir)
		if err != nil {
			return err
		}
		if err := p.addConfFolder(a, "", p.ConfDir, []fs.FileInfo{info}); err != nil {
			return err
		}
	}
	if p.Release != nil {
		if err := p.addConfData(a, p.release(), p.Release, 0o644); err != nil {
			return err
		}
	}
	override := p.Override
	if len(override) == 0 {
		override = []byte("{}\n")
	}
	return p.addConfData(a, overrideName, override, 0o644)
}

// addConfFolder packs what is in dir, sorted, as below the path prefix; above
// are the folders that lead to it, to notice links that go round.
func (p *Package) addConfFolder(a *archive, prefix, dir string, above []fs.FileInfo) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, file := prefix+entry.Name(), filepath.Join(dir, entry.Name())
		if name == overrideName || p.Release != nil && name == p.release() {
			continue
		}
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return err
		case info.IsDir():
			for _, other := range above {
				if os.SameFile(info, other) {
					return inputError(nil, "%s is a link to a folder that it lies in: take it out of the configuration directory", file)
				}
			}
			if err := a.addFolder(confFolder + name + "/"); err != nil {
				return err
			}
			err = p.addConfFolder(a, name+"/", file, append(above[:len(above):len(above)], info))
		case info.Mode().IsRegular():
			var data []byte
			if data, err = os.ReadFile(file); err == nil {
				err = p.addConfData(a, name, data, info.Mode())
			}
		default:
			return inputError(nil, "%s is neither a file nor a folder: take it out of the configuration directory", file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Package) addConfData(a *archive, name string, data []byte, mode fs.FileMode) error {
	if p.Filter != nil {
		filtered, err := p.Filter(name, data)
		if err != nil {
			return fmt.Errorf("take secrets out of %s%s: %w", confFolder, name, err)
		}
		data = filtered
	}
	return a.addData(confFolder+name, data, mode)
}
