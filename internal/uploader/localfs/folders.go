package localfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/heron-nomad/heron/internal/uploader"
)

// makeFolders makes dir and what is missing above it, and returns what it
// made, outermost first, also when it failed half way.
func makeFolders(dir string) (made []string, err error) {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil, nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if made, err = makeFolders(parent); err != nil {
			return made, err
		}
	}
	err = os.Mkdir(dir, uploader.FolderMode)
	if errors.Is(err, fs.ErrExist) {
		// Somebody else was faster, or it is a file.
		info, serr := os.Stat(dir)
		if serr == nil && info.IsDir() {
			return made, nil
		}
		return made, err
	}
	if err != nil {
		return made, err
	}
	made = append(made, dir)
	// The umask may have taken away what the nodes need.
	return made, os.Chmod(dir, uploader.FolderMode)
}

// removeFolders removes those of the folders that are empty, innermost first.
func removeFolders(made []string) {
	for i := len(made) - 1; i >= 0; i-- {
		if os.Remove(made[i]) != nil {
			return
		}
	}
}

// makeFoldersIn is makeFolders below a root.
func makeFoldersIn(root *os.Root, dir string) (made []string, err error) {
	if dir == "." {
		return nil, nil
	}
	if info, err := root.Stat(dir); err == nil && info.IsDir() {
		return nil, nil
	}
	if made, err = makeFoldersIn(root, path.Dir(dir)); err != nil {
		return made, err
	}
	err = root.Mkdir(dir, uploader.FolderMode)
	if errors.Is(err, fs.ErrExist) {
		info, serr := root.Stat(dir)
		if serr == nil && info.IsDir() {
			return made, nil
		}
		return made, errors.Join(err, serr)
	}
	if err != nil {
		return made, err
	}
	made = append(made, dir)
	return made, root.Chmod(dir, uploader.FolderMode)
}

// removeFoldersIn is removeFolders below a root. A file in the place of a
// folder stays.
func removeFoldersIn(root *os.Root, made []string) {
	for i := len(made) - 1; i >= 0; i-- {
		info, err := root.Lstat(made[i])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !info.IsDir() || root.Remove(made[i]) != nil {
			return
		}
	}
}

// tempFile is an open file and its name below the root.
type tempFile struct {
	*os.File
	name string
}

// createTemp makes a new file beside name, and the folders it needs, which it
// returns also when it failed.
func createTemp(root *os.Root, name string) (f *tempFile, made []string, err error) {
	// Another upload that fails at the same time may remove the folders
	// between the two steps.
	for range 10 {
		var more []string
		more, err = makeFoldersIn(root, path.Dir(name))
		made = append(made, more...)
		if err == nil {
			temp := uploader.TempName(name)
			var file *os.File
			if file, err = root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, uploader.FileMode); err == nil {
				return &tempFile{file, temp}, made, nil
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return nil, made, err
}

// syncFolder makes a rename in a folder last through a power cut, where the
// file system can.
func syncFolder(root *os.Root, dir string) {
	if f, err := root.Open(dir); err == nil {
		_ = f.Sync()
		_ = f.Close()
	}
}
