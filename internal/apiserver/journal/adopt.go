package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// idForm is the id of an operation, and so what names its file.
var idForm = lazyregexp.New(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// adopt takes over the journal of a server, if that has died. Each operation is
// written to this journal before it leaves the other one: a server that is
// killed meanwhile leaves all of them for the next.
func (j *Journal) adopt(at string) ([]Entry, error) {
	lock, err := os.OpenFile(filepath.Join(at, lockFile), os.O_WRONLY|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // another server was faster
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, nil //nolint:nilerr // its server lives
	}
	root, err := os.OpenRoot(at)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	files, err := os.ReadDir(at)
	if err != nil {
		return nil, err
	}
	var known []Entry
	var troubles []error
	for _, f := range files {
		id, is := strings.CutSuffix(f.Name(), suffix)
		if !is || !idForm.MatchString(id) {
			continue
		}
		e, err := read(root, f.Name())
		if err == nil && e.ID != id {
			err = fmt.Errorf("it is of operation %q", e.ID)
		}
		if err == nil {
			if e.Ended.IsZero() {
				e.Ended, e.Interrupted = time.Now(), true
			}
			err = j.Keep(e)
		}
		if err != nil {
			troubles = append(troubles, fmt.Errorf("%s: %w", f.Name(), err))
			continue
		}
		known = append(known, e)
	}
	// What cannot be read now could not be read next time either.
	return known, errors.Join(append(troubles, os.RemoveAll(at))...)
}

// read reads the file of an operation.
func read(root *os.Root, name string) (e Entry, err error) {
	if info, err := root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return e, errors.Join(err, errors.New("it is not a file"))
	}
	f, err := root.Open(name)
	if err != nil {
		return e, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	if err == nil && e.Version != format {
		err = fmt.Errorf("its format is %d, and this program knows %d", e.Version, format)
	}
	return e, err
}
