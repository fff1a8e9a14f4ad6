package scp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pkg/sftp"

	"github.com/heron-nomad/heron/internal/uploader"
)

// nearest is the folder itself, or the nearest one above it that is there.
func (c *session) nearest(dir string) (string, fs.FileInfo, error) {
	for {
		info, err := c.Stat(dir)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			return dir, info, err
		}
		if link, lerr := c.Lstat(dir); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return dir, link, fmt.Errorf("%s is a symbolic link to nowhere: %w", dir, err)
		}
		dir = path.Dir(dir)
	}
}

// check writes a byte as near to the folder as can be and removes it again.
func (c *session) check(ctx context.Context, dir string) error {
	at, info, err := c.nearest(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("a file is in the place of a folder")
		return fmt.Errorf("%w: check %s on %s: %s: %w", uploader.ErrTarget, dir, c.host, at, err)
	}
	if err != nil {
		return c.failed(ctx, "check", dir, err)
	}
	name := path.Join(at, uploader.TempName("heron-check"))
	f, err := c.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return c.failed(ctx, "write to", at, err)
	}
	_, err = f.Write([]byte{'\n'})
	if err := errors.Join(err, f.Close(), c.Remove(name)); err != nil {
		return c.failed(ctx, "write to", at, err)
	}
	return nil
}

// statVFS asks for the file system that a file is on, or would be.
func (c *session) statVFS(file string) (*sftp.StatVFS, error) {
	if _, ok := c.HasExtension("statvfs@openssh.com"); !ok {
		return nil, errors.ErrUnsupported
	}
	at, _, err := c.nearest(file)
	if err != nil {
		return nil, err
	}
	return c.StatVFS(at)
}

// makeFolders makes a folder and what is missing above it, and returns what it
// made, outermost first, also when it failed half way. Below root it follows
// no symbolic links.
func (c *session) makeFolders(root, dir string) (made []string, err error) {
	look := c.Stat
	if strings.HasPrefix(dir, root+"/") {
		look = c.Lstat
	}
	info, err := look(dir)
	switch {
	case err == nil && !info.IsDir():
		return nil, fmt.Errorf("%s is no folder", dir)
	case err == nil && strings.HasPrefix(dir, root+"/"):
		return c.makeFolders(root, path.Dir(dir))
	case err == nil:
		return nil, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if dir != "/" {
		if made, err = c.makeFolders(root, path.Dir(dir)); err != nil {
			return made, err
		}
	}
	if err := c.Mkdir(dir); err != nil {
		// Somebody else may have been faster.
		if info, lerr := look(dir); lerr == nil && info.IsDir() {
			return made, nil
		}
		// It may be there although the answer was lost.
		return append(made, dir), err
	}
	made = append(made, dir)
	// The umask there may have taken away what containers need.
	return made, c.Chmod(dir, uploader.FolderMode)
}

// below lists the folders from below root down to that of a file, as long as
// they are there; missing says that one is not.
func (c *session) below(root, name string) (folders []string, missing bool, err error) {
	at := root
	for part := range strings.SplitSeq(path.Dir(name), "/") {
		if part == "." {
			break
		}
		at = path.Join(at, part)
		info, err := c.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return folders, true, nil
		case err != nil:
			return folders, false, err
		case !info.IsDir():
			return folders, false, fmt.Errorf("%w: %s on %s is no folder", uploader.ErrForeign, at, c.host)
		}
		folders = append(folders, at)
	}
	return folders, false, nil
}

// remove removes a package, what is left of uploads of it, and the folders
// that are empty then.
func (c *session) remove(ctx context.Context, root, name string) error {
	file := path.Join(root, name)
	folders, missing, err := c.below(root, name)
	if errors.Is(err, uploader.ErrForeign) {
		return fmt.Errorf("delete %s: %w", file, err)
	}
	if err != nil {
		return c.failed(ctx, "look for", file, err)
	}
	if !missing {
		info, err := c.Lstat(file)
		switch {
		case err == nil && !info.Mode().IsRegular():
			return fmt.Errorf("delete %s: %w: it is not a plain file on %s", file, uploader.ErrForeign, c.host)
		case err == nil:
			err = c.removeFile(file)
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		}
		if err == nil {
			err = c.removeParts(ctx, file)
		}
		if err != nil {
			return c.failed(ctx, "delete", file, err)
		}
	}
	c.removeFolders(folders)
	return nil
}

// removeParts removes the temporary files of a package.
func (c *session) removeParts(ctx context.Context, file string) error {
	entries, err := c.ReadDirContext(ctx, path.Dir(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if whole, ok := uploader.TempOf(entry.Name()); !ok || whole != path.Base(file) {
			continue
		}
		if err := c.removeFile(path.Join(path.Dir(file), entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// removeFile makes sure that a file is gone.
func (c *session) removeFile(file string) error {
	if err := c.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeWritten makes sure that a file which was written at a time is gone.
// SFTP tells times in seconds, and nothing else that tells two files apart.
func (c *session) removeWritten(file string, written time.Time) error {
	info, err := c.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Equal(written) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.removeFile(file)
}

// removeFolders removes those of the folders that are empty, innermost first.
func (c *session) removeFolders(folders []string) {
	for i := len(folders) - 1; i >= 0; i-- {
		if err := c.RemoveDirectory(folders[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
}

// publish gives a file its final name, whatever is there.
func (c *session) publish(part, file string) error {
	if _, ok := c.HasExtension("posix-rename@openssh.com"); ok {
		return c.PosixRename(part, file)
	}
	// The plain rename of SFTP does not replace anything.
	if err := c.removeFile(file); err != nil {
		return err
	}
	return c.Rename(part, file)
}
