package files

import (
	"errors"
	"io/fs"
	"time"
)

// Upload is a package that a client uploaded itself: the server knows no name of
// it but its id.
type Upload struct {
	ID   string
	Size int64
	// Used is when it was stored, or fetched since, to the day.
	Used time.Time
}

// Uploads are those packages that clients uploaded themselves.
func (s *Store) Uploads() ([]Upload, error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var list []Upload
	files := newInventory(entries)
	for id, e := range files.whole {
		if files.named[id] != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // removed in the meantime
		}
		list = append(list, Upload{ID: id, Size: info.Size(), Used: info.ModTime()})
	}
	return list, nil
}

// usedAgain is how old the note must be that says when a package was used: it is
// not written anew for each container that fetches one.
const usedAgain = 24 * time.Hour

// NoteUse remembers that a package is fetched, where a client uploaded it. When
// others were stored is left as it is.
func (s *Store) NoteUse(id string, info fs.FileInfo, now time.Time) {
	if now.Sub(info.ModTime()) < usedAgain {
		return
	}
	if _, err := s.root.Lstat(nameOf + id); errors.Is(err, fs.ErrNotExist) {
		_ = s.root.Chtimes(id, now, now) // the next one that fetches it tries again
	}
}
