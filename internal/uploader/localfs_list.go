package uploader

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"regexp"
)

// partName is the base name of a temporary file, with that of its package.
var partName = regexp.MustCompile(`^\.(.+)\.[0-9a-f]{16}\.part$`)

// List implements Uploader. Files that vanish meanwhile are left out.
func (l *LocalFS) List(ctx context.Context, folder string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		if err := checkName(folder); err != nil {
			yield(Stored{}, err)
			return
		}
		root, err := os.OpenRoot(l.dir)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(Stored{}, l.targetError("open", err))
			return
		}
		defer root.Close()
		err = fs.WalkDir(root.FS(), folder, func(name string, entry fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil || !entry.Type().IsRegular() {
				return ignoreMissing(err)
			}
			info, err := entry.Info()
			if err != nil {
				return ignoreMissing(err)
			}
			s := Stored{Name: name, Size: info.Size(), Modified: info.ModTime()}
			if m := partName.FindStringSubmatch(path.Base(name)); m != nil {
				s.Name, s.Partial = path.Join(path.Dir(name), m[1]), true
			}
			s.URI = l.uri(s.Name)
			if !yield(s, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			err = l.targetError("look into", err)
		}
		yield(Stored{}, err)
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
