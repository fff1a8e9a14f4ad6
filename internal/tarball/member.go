package tarball

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"
)

// file writes a regular file.
func (x *extraction) file(name string, content io.Reader, header *tar.Header) error {
	if err := x.makeRoom(name); err != nil {
		return err
	}
	mode := permissions(header.FileInfo().Mode())
	if x.private {
		mode = 0o600 | mode&0o100
	}
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, memberReader{x, content})
	if err == nil && n != header.Size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if x.private {
		return nil
	}
	return x.setTime(name, header.ModTime)
}

// memberReader counts the content of files. Of a sparse file that is more
// than is read for it.
type memberReader struct {
	x *extraction
	io.Reader
}

func (r memberReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.x.done.Bytes += int64(n)
	if limit := r.x.limits.check(r.x.done.Bytes, r.x.source.n); limit != nil {
		return n, limit
	}
	return n, err
}

// setTime sets the time of change of a file or folder. Folders that are only
// implied have none, and one that no file system keeps is left out.
func (x *extraction) setTime(name string, at time.Time) error {
	if at.IsZero() || at.Year() < 1902 || at.Year() > 2446 {
		return nil
	}
	return x.root.Chtimes(name, at, at)
}

// hardLink makes another name of a file that came before. A link to a link
// is refused: in another folder it would lead elsewhere.
func (x *extraction) hardLink(name, target string) error {
	if outside(target) {
		return refuse(name, "is a link to %q, outside the archive: put the file itself in", target)
	}
	info, err := x.root.Lstat(target)
	switch {
	case isMissing(err):
		return refuse(name, "is a link to %q, which does not come before it", target)
	case errors.Is(err, syscall.ELOOP):
		return refuse(name, "is a link to %q, where links lead in a circle", target)
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return refuse(name, "is a hard link to %q, which is no file", target)
	}
	if name == target {
		return nil
	}
	if err := x.makeRoom(name); err != nil {
		return err
	}
	return x.root.Link(target, name)
}

// symlink makes a symbolic link. Where it leads is looked at once more when
// all is there.
func (x *extraction) symlink(name, target string) error {
	if target == "" || path.IsAbs(target) || outside(path.Join(path.Dir(name), target)) {
		return refuse(name, "is a link to %q, outside the archive: put the file itself in", target)
	}
	if err := x.makeRoom(name); err != nil {
		return err
	}
	if err := x.root.Symlink(target, name); err != nil {
		return err
	}
	x.links = append(x.links, name)
	return nil
}

// makeRoom removes a file or link of the same name that came before.
func (x *extraction) makeRoom(name string) error {
	if err := x.count(name); err != nil {
		return err
	}
	info, err := x.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return refuse(name, "is a folder before, and something else here")
	}
	return x.root.Remove(name)
}

// count adds an entry.
func (x *extraction) count(name string) error {
	if x.done.Entries++; x.done.Entries > x.limits.Entries {
		return refuse(name, "is one too many: at most %d files, folders and links are unpacked", x.limits.Entries)
	}
	return nil
}
