package scp

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"

	"github.com/heron-nomad/heron/internal/uploader"
)

// List implements uploader.Uploader. What lies on several hosts is listed once.
func (s *Uploader) List(ctx context.Context, folder string) iter.Seq2[uploader.Stored, error] {
	return func(yield func(uploader.Stored, error) bool) {
		if err := uploader.CheckName(folder); err != nil {
			yield(uploader.Stored{}, err)
			return
		}
		hosts, _, err := s.holding(ctx)
		if err != nil {
			yield(uploader.Stored{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		// All answer before the first is listed: then there is less that could
		// be listed twice.
		sessions := make([]*session, len(hosts))
		defer func() {
			for _, c := range sessions {
				if c != nil {
					c.close()
				}
			}
		}()
		at := make([]int, len(hosts))
		for i := range at {
			at[i] = i
		}
		if err := inParallel(at, cancel, func(i int) (err error) {
			sessions[i], err = s.open(ctx, hosts[i])
			return err
		}); err != nil {
			yield(uploader.Stored{}, err)
			return
		}
		type key struct {
			name    string
			partial bool
		}
		seen := map[key]bool{}
		for _, c := range sessions {
			goOn, err := s.listHost(ctx, c, folder, func(one uploader.Stored) bool {
				k := key{one.Name, one.Partial}
				if seen[k] {
					return true
				}
				seen[k] = true
				return yield(one, nil)
			})
			if err != nil {
				yield(uploader.Stored{}, err)
				return
			}
			if !goOn {
				return
			}
		}
	}
}

// listHost goes through one host. It says whether to go on.
func (s *Uploader) listHost(ctx context.Context, c *session, folder string, yield func(uploader.Stored) bool) (bool, error) {
	folders := []string{folder}
	for len(folders) > 0 {
		dir := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		entries, err := c.ReadDirContext(ctx, path.Join(s.dir, dir))
		// It may vanish meanwhile.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, c.failed(ctx, "list", path.Join(s.dir, dir), err)
		}
		uploader.Working(ctx)
		for _, entry := range entries {
			name := path.Join(dir, entry.Name())
			if entry.IsDir() {
				folders = append(folders, name)
				continue
			}
			if !entry.Mode().IsRegular() {
				continue
			}
			one := uploader.Stored{Name: name, Size: entry.Size(), Modified: entry.ModTime()}
			if whole, ok := uploader.TempOf(name); ok {
				one.Name, one.Partial = whole, true
			}
			one.URI = s.uri(one.Name)
			if !yield(one) {
				return false, nil
			}
		}
	}
	return true, nil
}
