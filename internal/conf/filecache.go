package conf

import (
	"io/fs"
	"os"
	"sync"
	"time"
)

// FileCache keeps what YAML files hold, so that a program that loads
// configurations again and again parses only those that changed. It may be used
// by several goroutines; nil keeps nothing. The zero value is ready.
type FileCache struct {
	mu    sync.Mutex
	files map[string]parsed
}

// parsed is what a file held when it was as info says. Nobody changes content.
type parsed struct {
	info    fs.FileInfo
	content mapping
}

const (
	// settled is how long a file must have been left alone to be kept: one that is
	// written twice within the clock's step looks the same both times.
	settled = 2 * time.Second
	// maxFiles bounds how many files are kept.
	maxFiles = 100
)

// read is readFile.
func (c *FileCache) read(path string) (mapping, error) {
	if c == nil || path == "" {
		return readFile(path)
	}
	// It is looked at first: what is written after that will look newer.
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return readFile(path)
	}
	c.mu.Lock()
	known, ok := c.files[path]
	c.mu.Unlock()
	if ok && unchanged(known.info, info) {
		return known.content, nil
	}
	content, err := readFile(path)
	if err != nil || time.Since(info.ModTime()) < settled {
		return content, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil || len(c.files) >= maxFiles {
		c.files = map[string]parsed{}
	}
	c.files[path] = parsed{info, content}
	return content, nil
}

func unchanged(before, now fs.FileInfo) bool {
	return os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()) && before.Size() == now.Size()
}
