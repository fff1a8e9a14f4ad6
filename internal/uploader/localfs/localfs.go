// Package localfs stores packages in a folder that submitter and nodes share:
// one machine, or a network mount.
package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
)

// Uploader stores packages below a folder.
//
// URIs are "file://" and the absolute path, nothing escaped: a start script
// cuts the scheme off and has the path. Folders and names that would read
// differently in a URI are refused. Nothing outside the folder is touched, not
// through symbolic links either.
type Uploader struct {
	dir string
}

var _ uploader.Uploader = (*Uploader)(nil)

// New makes an uploader for the folder of the settings, an absolute path; it
// need not exist. A wrong setting is an *uploader.ConfigError.
func New(settings conf.Upload) (*Uploader, error) {
	dir := settings.LocalDir
	reason := uploader.Unfit(dir)
	if !filepath.IsAbs(dir) {
		reason = "must be an absolute path"
	}
	if filepath.Clean(dir) == string(filepath.Separator) {
		reason = "must not be the root of the file system"
	}
	if reason != "" {
		return nil, &uploader.ConfigError{What: "heron.uploader.localfs.file.system.directory", Value: dir, Reason: reason}
	}
	return &Uploader{dir: filepath.Clean(dir)}, nil
}

// Capabilities implements uploader.Uploader.
func (l *Uploader) Capabilities() uploader.Capabilities {
	return uploader.Capabilities{Delete: true, FixedNames: true, List: true}
}

// Close implements uploader.Uploader; there is nothing to free.
func (l *Uploader) Close() error { return nil }

// Locate implements uploader.Uploader.
func (l *Uploader) Locate(name string) uploader.Location {
	uri := l.uri(name)
	return uploader.Location{URI: uri, Fetch: uri}
}

func (l *Uploader) uri(name string) string { return uploader.FileScheme + path.Join(l.dir, name) }

// Check implements uploader.Uploader: it writes a byte into the folder, or the nearest
// one above it that exists, and removes it again.
func (l *Uploader) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := l.dir
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return l.targetError("check", fmt.Errorf("%s: %w", dir, syscall.ENOTDIR))
		}
		if err == nil {
			break
		}
		if _, lerr := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) || lerr == nil || dir == filepath.Dir(dir) {
			return l.targetError("check", err)
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, ".heron-check-*")
	if err != nil {
		return l.targetError("check", err)
	}
	_, err = f.Write([]byte{'\n'})
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return l.targetError("check", err)
	}
	return nil
}

// Upload implements uploader.Uploader. The package is written beside its final name,
// flushed to the disk and renamed. Where the name is taken by something else
// than this package, a plain file is replaced; anything other is an error.
func (l *Uploader) Upload(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	if err := uploader.CheckSource(src); err != nil {
		return uploader.Location{}, err
	}
	if err := ctx.Err(); err != nil {
		return uploader.Location{}, fmt.Errorf("store %s: %w", l.uri(src.Name), err)
	}
	made, err := makeFolders(l.dir)
	if err != nil {
		removeFolders(made)
		return uploader.Location{}, l.targetError("make", err)
	}
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		removeFolders(made)
		return uploader.Location{}, l.targetError("open", err)
	}
	defer root.Close()
	if err := l.upload(ctx, root, src); err != nil {
		removeFolders(made)
		return uploader.Location{}, fmt.Errorf("store %s: %w", l.uri(src.Name), err)
	}
	return l.Locate(src.Name), nil
}

func (l *Uploader) upload(ctx context.Context, root *os.Root, src uploader.Source) (err error) {
	there, err := l.isThere(ctx, root, src)
	if there || err != nil {
		return err
	}
	f, made, err := createTemp(root, src.Name)
	defer func() {
		if err != nil {
			removeFoldersIn(root, made)
		}
	}()
	if err != nil {
		return l.targetError("write to", err)
	}
	temp := f.name
	defer func() {
		if err != nil {
			err = errors.Join(err, l.removed(root, temp))
		}
	}()
	inTarget, err := uploader.CopyVerified(ctx, f, src)
	if err == nil {
		inTarget = true
		err = errors.Join(f.Chmod(uploader.FileMode), f.Sync())
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		if inTarget {
			return l.targetError("write to", err)
		}
		return err
	}
	// The last moment at which a cancelled upload still leaves nothing.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := root.Rename(temp, src.Name); err != nil {
		return l.targetError("write to", err)
	}
	syncFolder(root, path.Dir(src.Name))
	return nil
}

// isThere says whether the package lies under its name already.
func (l *Uploader) isThere(ctx context.Context, root *os.Root, src uploader.Source) (bool, error) {
	info, err := root.Lstat(src.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, l.targetError("look into", err)
	case !info.Mode().IsRegular():
		return false, l.targetError("write to", fmt.Errorf("%s is not a plain file", src.Name))
	case info.Size() != src.Size:
		return false, nil
	}
	f, err := root.Open(src.Name)
	if err != nil {
		return false, l.targetError("read", err)
	}
	defer f.Close()
	same, err := uploader.Holds(ctx, f, src)
	if err != nil && ctx.Err() == nil {
		return false, l.targetError("read", err)
	}
	return same, err
}

// Delete implements uploader.Uploader. It also removes what an upload of this package
// left that was killed in the middle.
func (l *Uploader) Delete(ctx context.Context, uri string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, ok := strings.CutPrefix(uri, uploader.FileScheme+l.dir+"/")
	if !ok || uploader.CheckName(name) != nil {
		return fmt.Errorf("delete %s: %w: it is not below %s", uri, uploader.ErrForeign, l.dir)
	}
	root, err := os.OpenRoot(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return l.targetError("open", err)
	}
	defer root.Close()
	info, err := root.Lstat(name)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("delete %s: %w: it is not a plain file", uri, uploader.ErrForeign)
	case err == nil:
		if err := l.removed(root, name); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return l.targetError("delete from", err)
	}
	if err := l.removeParts(root, name); err != nil {
		return err
	}
	var parents []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		parents = append([]string{dir}, parents...)
	}
	removeFoldersIn(root, parents)
	return nil
}

// removeParts removes the temporary files of one package.
func (l *Uploader) removeParts(root *os.Root, name string) error {
	entries, err := fs.ReadDir(root.FS(), path.Dir(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return l.targetError("look into", err)
	}
	for _, entry := range entries {
		if whole, ok := uploader.TempOf(entry.Name()); !ok || whole != path.Base(name) || !entry.Type().IsRegular() {
			continue
		}
		if err := l.removed(root, path.Join(path.Dir(name), entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// removed makes sure that a file is gone.
func (l *Uploader) removed(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l.targetError("delete from", err)
	}
	return nil
}

// targetError is ErrTarget with what failed and what to do about it.
func (l *Uploader) targetError(verb string, err error) error {
	hint := "check the folder, or set heron.uploader.localfs.file.system.directory to another"
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint = "the disk is full: make room there, or set heron.uploader.localfs.file.system.directory to another folder"
	case errors.Is(err, syscall.EROFS):
		hint = "the file system is read-only: set heron.uploader.localfs.file.system.directory to another folder"
	case errors.Is(err, fs.ErrPermission):
		hint = "the user must be able to write there"
	case errors.Is(err, syscall.ENOTDIR):
		hint = "a file is in the place of a folder"
	}
	return fmt.Errorf("%w: %s the package folder %s: %w; %s", uploader.ErrTarget, verb, l.dir, err, hint)
}
