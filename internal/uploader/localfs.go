package uploader

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Modes of what is made: the user that containers run as has to read it.
const (
	folderMode = 0o755
	fileMode   = 0o644
)

const fileScheme = "file://"

// LocalFS keeps packages in a folder that submitter and nodes share: one
// machine, or a network mount.
//
// URIs are "file://" and the absolute path, nothing escaped: a start script
// cuts the scheme off and has the path. Folders and names that would read
// differently in a URI are refused (unfit). Nothing outside the folder is
// touched, not through symbolic links either.
type LocalFS struct {
	dir string
}

var _ Uploader = (*LocalFS)(nil)

// NewLocalFS keeps packages below dir, an absolute path; it need not exist.
func NewLocalFS(dir string) (*LocalFS, error) {
	reason := unfit(dir)
	if !filepath.IsAbs(dir) {
		reason = "must be an absolute path"
	}
	if filepath.Clean(dir) == string(filepath.Separator) {
		reason = "must not be the root of the file system"
	}
	if reason != "" {
		return nil, &ConfigError{What: "heron.uploader.localfs.file.system.directory", Value: dir, Reason: reason}
	}
	return &LocalFS{dir: filepath.Clean(dir)}, nil
}

// Capabilities implements Uploader.
func (l *LocalFS) Capabilities() Capabilities {
	return Capabilities{Delete: true, FixedNames: true, List: true}
}

// Close implements Uploader; there is nothing to free.
func (l *LocalFS) Close() error { return nil }

// Locate implements Uploader.
func (l *LocalFS) Locate(name string) Location {
	uri := l.uri(name)
	return Location{URI: uri, Fetch: uri}
}

func (l *LocalFS) uri(name string) string { return fileScheme + path.Join(l.dir, name) }

// Check implements Uploader: it writes a byte into the folder, or the nearest
// one above it that exists, and removes it again.
func (l *LocalFS) Check(ctx context.Context) error {
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

// Upload implements Uploader. The package is written beside its final name,
// flushed to the disk and renamed. Where the name is taken by something else
// than this package, a plain file is replaced; anything other is an error.
func (l *LocalFS) Upload(ctx context.Context, src Source) (Location, error) {
	if err := checkSource(src); err != nil {
		return Location{}, err
	}
	if err := ctx.Err(); err != nil {
		return Location{}, fmt.Errorf("store %s: %w", l.uri(src.Name), err)
	}
	made, err := makeFolders(l.dir)
	if err != nil {
		removeFolders(made)
		return Location{}, l.targetError("make", err)
	}
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		removeFolders(made)
		return Location{}, l.targetError("open", err)
	}
	defer root.Close()
	if err := l.upload(ctx, root, src); err != nil {
		removeFolders(made)
		return Location{}, fmt.Errorf("store %s: %w", l.uri(src.Name), err)
	}
	return l.Locate(src.Name), nil
}

func (l *LocalFS) upload(ctx context.Context, root *os.Root, src Source) (err error) {
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
	inTarget, err := copyVerified(ctx, f, src)
	if err == nil {
		inTarget = true
		err = errors.Join(f.Chmod(fileMode), f.Sync())
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
func (l *LocalFS) isThere(ctx context.Context, root *os.Root, src Source) (bool, error) {
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
	same, err := holds(ctx, f, src)
	if err != nil && ctx.Err() == nil {
		return false, l.targetError("read", err)
	}
	return same, err
}

// Delete implements Uploader. It also removes what an upload of this package
// left that was killed in the middle.
func (l *LocalFS) Delete(ctx context.Context, uri string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, ok := strings.CutPrefix(uri, fileScheme+l.dir+"/")
	if !ok || checkName(name) != nil {
		return fmt.Errorf("delete %s: %w: it is not below %s", uri, ErrForeign, l.dir)
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
		return fmt.Errorf("delete %s: %w: it is not a plain file", uri, ErrForeign)
	case err == nil:
		if err := l.removed(root, name); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return l.targetError("delete from", err)
	}
	leftovers, err := fs.Glob(root.FS(), tempPattern(name))
	if err != nil {
		return l.targetError("look into", err)
	}
	for _, leftover := range leftovers {
		if err := l.removed(root, leftover); err != nil {
			return err
		}
	}
	var parents []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		parents = append([]string{dir}, parents...)
	}
	removeFoldersIn(root, parents)
	return nil
}

// removed makes sure that a file is gone.
func (l *LocalFS) removed(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l.targetError("delete from", err)
	}
	return nil
}

// targetError is ErrTarget with what failed and what to do about it.
func (l *LocalFS) targetError(verb string, err error) error {
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
	return fmt.Errorf("%w: %s the package folder %s: %w; %s", ErrTarget, verb, l.dir, err, hint)
}

// tempName is a name beside name that nobody else has, tempPattern what
// matches all of them.
func tempName(name string) string {
	random := make([]byte, 8)
	// rand.Read never fails.
	rand.Read(random)
	return path.Join(path.Dir(name), "."+path.Base(name)+"."+hex.EncodeToString(random)+".part")
}

func tempPattern(name string) string {
	quote := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
	return path.Join(quote.Replace(path.Dir(name)), "."+quote.Replace(path.Base(name))+".*.part")
}
