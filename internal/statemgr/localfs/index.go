package localfs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// index remembers, per file, how it looked when last seen and the version that
// it had then. It is the store's memory between processes, kept in a file
// beside the tree; without it all nodes start again at version 0.
type index struct {
	store   *store
	changed bool

	Format int                 `json:"format"`
	Last   int64               `json:"last"` // the latest Created given out
	Files  map[string]indexRow `json:"files"`
}

// indexRow is one file. Version and Created are those of a Node; the rest shows
// whether another process has changed or replaced the file.
type indexRow struct {
	Version int    `json:"version"`
	Created int64  `json:"created"`
	Inode   uint64 `json:"inode"`
	MTime   int64  `json:"mtime"`
	Sum     string `json:"sum"`
}

type nodeKind int

const (
	isAbsent nodeKind = iota
	isEmpty           // an empty file, or one whose holder has ended
	isFile
	isDir
)

// node is what the store knows of a path.
type node struct {
	kind    nodeKind
	data    []byte
	version int
	created int64
}

func (n node) present() bool { return n.kind == isFile || n.kind == isDir }

// loadIndex reads the index. One that cannot be decoded counts as lost.
func (s *store) loadIndex() (*index, error) {
	ix := &index{store: s, Files: map[string]indexRow{}}
	data, err := os.ReadFile(s.hidden("index.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return nil, err
	}
	if err == nil && (json.Unmarshal(data, ix) != nil || ix.Format != 1 || ix.Files == nil) {
		ix.Last, ix.Files = 0, map[string]indexRow{}
	}
	ix.Format = 1
	return ix, nil
}

// save writes the index if it has changed.
func (ix *index) save() error {
	if !ix.changed {
		return nil
	}
	data, err := json.Marshal(ix)
	if err != nil {
		return err
	}
	if err := ix.store.replace(ix.store.hidden("index.json"), data, false); err != nil {
		return fmt.Errorf("save versions: %w", err)
	}
	ix.changed = false
	return nil
}

// nextCreated returns a number that no node had before.
func (ix *index) nextCreated() int64 {
	ix.Last = max(ix.Last+1, time.Now().UnixNano())
	ix.changed = true
	return ix.Last
}

// look finds out what is at path, and whether it has changed since last seen.
func (s *store) look(ix *index, path string) (node, error) {
	key := strings.TrimPrefix(path, s.root)
	row, known := ix.Files[key]
	n, now, err := s.inspect(path)
	if err != nil {
		return n, err
	}
	switch {
	case n.kind == isDir:
		n.created = int64(now.Inode)
	case n.kind == isFile && !known:
		now.Created = ix.nextCreated()
		ix.put(key, now)
	case n.kind == isFile:
		now.Version, now.Created = row.Version, row.Created
		switch {
		case now == row:
		case now.Inode != row.Inode && (now.Sum != row.Sum || now.MTime != row.MTime):
			now.Version, now.Created = 0, ix.nextCreated()
			ix.put(key, now)
		default:
			now.Version++
			ix.put(key, now)
		}
	}
	if n.kind == isFile {
		n.version, n.created = now.Version, now.Created
	} else if known {
		delete(ix.Files, key)
		ix.changed = true
	}
	return n, nil
}

func (ix *index) put(key string, row indexRow) {
	ix.Files[key] = row
	ix.changed = true
}

// inspect reads what is on the disk.
func (s *store) inspect(path string) (node, indexRow, error) {
	var n node
	var row indexRow
	var stat unix.Stat_t
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return n, row, nil
	}
	if err != nil {
		return n, row, err
	}
	defer file.Close()
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return n, row, fmt.Errorf("inspect: %w", err)
	}
	row.Inode, row.MTime = stat.Ino, stat.Mtim.Nano()
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		n.kind = isDir
		return n, row, nil
	}
	if n.data, err = io.ReadAll(file); err != nil {
		return n, row, err
	}
	n.kind = isFile
	if len(n.data) == 0 || s.canHold(path) && !isHeld(file) {
		n.kind, n.data = isEmpty, nil
	}
	row.Sum = sum(n.data)
	return n, row, nil
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:16])
}
