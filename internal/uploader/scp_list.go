package uploader

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
)

// List implements Uploader. What lies on several hosts is listed once.
func (s *SCP) List(ctx context.Context, folder string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		if err := checkName(folder); err != nil {
			yield(Stored{}, err)
			return
		}
		hosts, _, err := s.holding(ctx)
		if err != nil {
			yield(Stored{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		// All answer before the first is listed: then there is less that could
		// be listed twice.
		sessions := make([]*scpSession, len(hosts))
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
			yield(Stored{}, err)
			return
		}
		type key struct {
			name    string
			partial bool
		}
		seen := map[key]bool{}
		for _, c := range sessions {
			goOn, err := s.listHost(ctx, c, folder, func(one Stored) bool {
				k := key{one.Name, one.Partial}
				if seen[k] {
					return true
				}
				seen[k] = true
				return yield(one, nil)
			})
			if err != nil {
				yield(Stored{}, err)
				return
			}
			if !goOn {
				return
			}
		}
	}
}

// listHost goes through one host. It says whether to go on.
func (s *SCP) listHost(ctx context.Context, c *scpSession, folder string, yield func(Stored) bool) (bool, error) {
	folders := []string{folder}
	for len(folders) > 0 {
		dir := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		entries, err := c.ReadDirContext(ctx, path.Join(s.dir, dir))
		// It may vanish meanwhile.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, c.failed(ctx, "list", path.Join(s.dir, dir), err)
		}
		for _, entry := range entries {
			name := path.Join(dir, entry.Name())
			if entry.IsDir() {
				folders = append(folders, name)
				continue
			}
			if !entry.Mode().IsRegular() {
				continue
			}
			one := Stored{Name: name, Size: entry.Size(), Modified: entry.ModTime()}
			if m := partName.FindStringSubmatch(entry.Name()); m != nil {
				one.Name, one.Partial = path.Join(dir, m[1]), true
			}
			one.URI = s.uri(one.Name)
			if !yield(one) {
				return false, nil
			}
		}
	}
	return true, nil
}
