package localfs

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"

	"github.com/heron-nomad/heron/internal/uploader"
)

// List implements uploader.Uploader. Files that vanish meanwhile are left out.
func (l *Uploader) List(ctx context.Context, folder string) iter.Seq2[uploader.Stored, error] {
	return func(yield func(uploader.Stored, error) bool) {
		if err := uploader.CheckName(folder); err != nil {
			yield(uploader.Stored{}, err)
			return
		}
		root, err := os.OpenRoot(l.dir)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(uploader.Stored{}, l.targetError("open", err))
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
			s := uploader.Stored{Name: name, Size: info.Size(), Modified: info.ModTime()}
			if whole, ok := uploader.TempOf(name); ok {
				s.Name, s.Partial = whole, true
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
		yield(uploader.Stored{}, err)
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
