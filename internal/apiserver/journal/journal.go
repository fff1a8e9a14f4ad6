// Package journal keeps an API server's operations on disk, so that the next
// server knows them: what came of those that have ended, and which ones the end
// of the server interrupted.
//
// A journal is a folder with a file per operation, below a folder that servers
// may share. A server locks its own for as long as it lives; the folder of a
// server that has died is taken over by the next one that opens a journal.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// Entry is one operation.
type Entry struct {
	// Version is that of the format, 1. Keep sets it.
	Version int    `json:"version"`
	ID      string `json:"id"`
	// Key and Owner tell repetitions of a request, Digest what it asks for.
	Key       string `json:"key,omitempty"`
	Owner     string `json:"owner"`
	Digest    string `json:"digest"`
	RequestID string `json:"request_id"`

	Operation string    `json:"operation"`
	Topology  string    `json:"topology,omitempty"`
	Cluster   string    `json:"cluster"`
	Role      string    `json:"role"`
	Environ   string    `json:"environ"`
	Began     time.Time `json:"began"`
	// Ended is when it ended; of one that has not, it is zero, as is all that
	// follows.
	Ended time.Time `json:"ended,omitzero"`
	// Interrupted: the server ended before it did.
	Interrupted bool `json:"interrupted,omitempty"`
	Status      int  `json:"status,omitempty"`
	// Location, Response and Result are of the answer, Problem is the failure.
	Location string          `json:"location,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Problem  json.RawMessage `json:"problem,omitempty"`
}

const (
	// format is the version of Entry's format.
	format = 1
	// lockFile is what a server locks in its folder, suffix ends the files of
	// operations.
	lockFile = "lock"
	suffix   = ".json"
	// unready begins the names of folders and files that are not whole yet.
	unready = ".new-"
	// maxFile bounds what is read of a file, in bytes: nothing larger is written.
	maxFile = 1 << 20
)

// Journal is the folder of one server. It may be used by several goroutines.
type Journal struct {
	root *os.Root
	lock *os.File
}

// Open makes a journal for this server below a folder, and takes over those of
// servers that have died there. It returns what they knew, of which nothing is
// under way any more. What cannot be read is left out, and is what trouble says.
func Open(dir string) (_ *Journal, known []Entry, trouble, err error) {
	j, err := create(dir)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("make the journal of operations in %s: %w", dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("read the journals of operations: %w", err), j.Close())
	}
	var troubles []error
	for _, e := range entries {
		at := filepath.Join(dir, e.Name())
		if !e.IsDir() || at == j.root.Name() {
			continue
		}
		if strings.HasPrefix(e.Name(), unready) {
			removeOld(at, e)
			continue
		}
		found, err := j.adopt(at)
		known = append(known, found...)
		if err != nil {
			troubles = append(troubles, fmt.Errorf("take over the journal of operations %s: %w", at, err))
		}
	}
	return j, known, errors.Join(troubles...), nil
}

// removeOld removes the folder of a server that was killed when it made it.
func removeOld(at string, e os.DirEntry) {
	if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > time.Hour {
		_ = os.RemoveAll(at) // the next server tries again
	}
}

// create makes a folder that is locked before others see it.
func create(dir string) (*Journal, error) {
	name := uuid.NewString()
	fresh, at := filepath.Join(dir, unready+name), filepath.Join(dir, name)
	if err := os.MkdirAll(fresh, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(fresh, lockFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = os.Rename(fresh, at)
	}
	var root *os.Root
	if err == nil {
		root, err = os.OpenRoot(at)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Journal{root: root, lock: lock}, nil
}

// Close ends the journal. What is in it stays for the next server; an empty one
// is removed.
func (j *Journal) Close() error {
	at := j.root.Name()
	if entries, err := os.ReadDir(at); err == nil && len(entries) == 1 {
		_ = os.RemoveAll(at) // it only saves the next server the look
	}
	return errors.Join(j.root.Close(), j.lock.Close())
}

// Keep writes an operation down as it is now. What is there of it is replaced
// as a whole, or stays.
func (j *Journal) Keep(e Entry) error {
	e.Version = format
	data, err := json.Marshal(e)
	if err == nil {
		err = j.write(e.ID+suffix, data)
	}
	if err != nil {
		return fmt.Errorf("write operation %s to the journal: %w", e.ID, err)
	}
	return nil
}

func (j *Journal) write(name string, data []byte) error {
	temp := unready + name
	f, err := j.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = j.root.Rename(temp, name)
	}
	if err != nil {
		_ = j.root.Remove(temp) // it is overwritten otherwise
	}
	return err
}

// Forget removes an operation.
func (j *Journal) Forget(id string) error {
	if err := j.root.Remove(id + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove operation %s from the journal: %w", id, err)
	}
	return nil
}
