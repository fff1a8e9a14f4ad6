package files

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"github.com/google/uuid"

	"github.com/heron-nomad/heron/internal/uploader"
)

// nameOf begins the name of the small file beside a package that holds the name
// which the package has elsewhere; FixedID does not give it back. What clients
// upload themselves has none.
const nameOf = ".name-"

// keepName writes down which name a package has elsewhere.
func (s *Store) keepName(id, name string) error {
	if kept, err := s.root.ReadFile(nameOf + id); err == nil && string(kept) == name {
		return nil
	}
	temp := incoming + "name-" + uuid.NewString()
	err := s.root.WriteFile(temp, []byte(name), 0o600)
	if err == nil {
		err = s.root.Rename(temp, nameOf+id)
	}
	if err != nil {
		_ = s.root.Remove(temp) // it is removed a day later otherwise
		return fmt.Errorf("note the name of package %s: %w", id, s.explain(err))
	}
	return nil
}

// dropName forgets the name of a package of which nothing came to be.
func (s *Store) dropName(id string) {
	if _, err := s.root.Lstat(id); err != nil {
		_ = s.root.Remove(nameOf + id) // it is listed as a part otherwise
	}
}

// List implements uploader.Uploader. What clients upload themselves is not among
// it.
func (u *Uploader) List(ctx context.Context, folder string) iter.Seq2[uploader.Stored, error] {
	return func(yield func(uploader.Stored, error) bool) {
		err := uploader.CheckName(folder)
		var entries []fs.DirEntry
		if err == nil {
			entries, err = fs.ReadDir(u.store.root.FS(), ".")
		}
		if err != nil {
			yield(uploader.Stored{}, fmt.Errorf("list the server's packages: %w", err))
			return
		}
		files := newInventory(entries)
		for id := range files.named {
			if err := ctx.Err(); err != nil {
				yield(uploader.Stored{}, err)
				return
			}
			name, err := u.store.root.ReadFile(nameOf + id)
			// One that was changed by hand does not say which package it is of.
			if err != nil || u.store.FixedID(string(name)) != id || !below(string(name), folder) {
				continue
			}
			for _, stored := range files.of(id) {
				stored.Name, stored.URI = string(name), u.base+id
				if !yield(stored, nil) {
					return
				}
			}
		}
	}
}

func below(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

// inventory is what is in the folder, by package.
type inventory struct {
	named map[string]fs.DirEntry
	whole map[string]fs.DirEntry
	parts map[string][]fs.DirEntry
}

func newInventory(entries []fs.DirEntry) *inventory {
	i := &inventory{named: map[string]fs.DirEntry{}, whole: map[string]fs.DirEntry{}, parts: map[string][]fs.DirEntry{}}
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() {
			continue
		}
		if id, ok := strings.CutPrefix(name, nameOf); ok && idForm.MatchString(id) {
			i.named[id] = e
			continue
		}
		if part, ok := strings.CutPrefix(name, incoming); ok {
			if dot := strings.LastIndexByte(part, '.'); dot > 0 && idForm.MatchString(part[:dot]) {
				i.parts[part[:dot]] = append(i.parts[part[:dot]], e)
			}
			continue
		}
		if idForm.MatchString(name) {
			i.whole[name] = e
		}
	}
	return i
}

// of is what is stored of a package: the whole, what killed uploads left, or its
// name alone, which one may have left that was killed before it wrote more.
func (i *inventory) of(id string) (list []uploader.Stored) {
	add := func(e fs.DirEntry, partial bool) {
		info, err := e.Info()
		if err != nil {
			return // removed in the meantime
		}
		one := uploader.Stored{Modified: info.ModTime(), Partial: partial}
		if e != i.named[id] {
			one.Size = info.Size()
		}
		list = append(list, one)
	}
	if e, ok := i.whole[id]; ok {
		add(e, false)
	}
	for _, e := range i.parts[id] {
		add(e, true)
	}
	if len(list) == 0 {
		add(i.named[id], true)
	}
	return list
}
