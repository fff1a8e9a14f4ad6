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
	"path"
	"path/filepath"
	"slices"
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
	coreFolder   = "heron-core"
)

// maxTarTime is the latest time that every tar file can hold.
const maxTarTime = 1<<33 - 1

// Package is what containers of one topology fetch: a gzipped tar of the
// topology file, the definition and configuration files, in this order. Equal input gives equal bytes.
type Package struct {
	// Binary is the path of the topology file; its base name is its name in
	// the package.
	Binary string
	// Definition is packed as <its name>.defn.
	Definition *Definition
	// Conf are configuration files, in the order in which they are packed, with
	// the folders that they need made before them. They must hold no secrets:
	// nothing is taken out here. Where override.yaml, which executors insist
	// on, is not among them, an empty one is packed.
	Conf []ConfFile
	// ModTime is the time of all members; the zero time stands for the start
	// of 1980, the earliest that all tools can show.
	ModTime time.Time
}

// ConfFile is a file of a package's configuration.
type ConfFile struct {
	// Name is the slash-separated path below heron-conf.
	Name string
	Data []byte
	// Private says that none but its owner may read it, here or in containers.
	Private bool
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
// whole.
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

// checkNames refuses what would take another member's place in a container.
func (p *Package) checkNames() error {
	name := filepath.Base(p.Binary)
	switch {
	case name == filepath.Base(confFolder), name == coreFolder, name == p.Definition.Filename():
		return inputError(nil, "a topology file cannot be called %q, since containers have something else of that name: rename it", name)
	case strings.Contains(name, ":") && onClasspath(name):
		return inputError(nil, "a topology file cannot be called %q, since Java in containers splits class paths at colons: rename it", name)
	case strings.Contains(name, "${"):
		return inputError(nil, "a topology file cannot be called %q, since Nomad takes ${ for a variable: rename it", name)
	case strings.HasPrefix(name, "-"), strings.ContainsFunc(name, unicode.IsControl):
		return inputError(nil, "a topology file cannot be called %q, since commands in containers would misread it: rename it", name)
	}
	return nil
}

// onClasspath says whether instances find a topology file by a class path.
func onClasspath(name string) bool {
	kind, err := PackageType(name)
	return err == nil && (kind == "jar" || kind == "tar")
}

// addConf packs the configuration files.
func (p *Package) addConf(a *archive) error {
	if err := a.addFolder(confFolder); err != nil {
		return err
	}
	files := p.Conf
	if !slices.ContainsFunc(files, func(f ConfFile) bool { return f.Name == overrideName }) {
		files = append(slices.Clip(files), ConfFile{Name: overrideName, Data: []byte("{}\n")})
	}
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := p.addFolders(a, made, path.Dir(f.Name)); err != nil {
			return err
		}
		if err := a.addData(confFolder+f.Name, f.Data, f.mode()); err != nil {
			return err
		}
	}
	return nil
}

// addFolders makes a folder and those above it that are not made yet.
func (p *Package) addFolders(a *archive, made map[string]bool, folder string) error {
	if made[folder] {
		return nil
	}
	made[folder] = true
	if err := p.addFolders(a, made, path.Dir(folder)); err != nil {
		return err
	}
	return a.addFolder(confFolder + folder + "/")
}

func (f ConfFile) mode() fs.FileMode {
	if f.Private {
		return 0o600
	}
	return 0o644
}
