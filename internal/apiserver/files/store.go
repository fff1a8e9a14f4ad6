// Package files keeps the packages that clients upload to the API server.
//
// A Store is a folder with one file per package. Names are made here and
// cannot be guessed: whoever knows one may fetch the package, as nodes do. What
// a client calls its file is only the end of the name. Nothing outside the
// folder is touched, whatever a name says.
package files

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart.
var (
	// ErrNotFound: there is no package of that name.
	ErrNotFound = outcome.New(outcome.NotFound, "no such package")
	// ErrFull: there is no room for the package.
	ErrFull = errors.New("no room for the package")
	// ErrDigest: what came is not what was announced.
	ErrDigest = errors.New("the content's digest is not the announced one")
)

const (
	// incoming begins the names of files that are not whole yet.
	incoming = ".incoming-"
	// keyFile holds the secret that names are made with.
	keyFile = ".names.key"
	// staleAfter is when a file that is not whole is nobody's any more.
	staleAfter = 24 * time.Hour
)

// Store is a folder of packages. It may be used by several goroutines.
type Store struct {
	dir  string
	root *os.Root
	// limit bounds all packages together, in bytes; 0 does not.
	limit  int64
	key    []byte
	copier *copier

	mu   sync.Mutex
	used int64
}

// Open opens a folder and makes it where it is missing. limit bounds the sum of
// all packages, in bytes; 0 does not. What uploads left that were cut off long
// ago is removed.
func Open(dir string, limit int64) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of packages: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of packages: %w", err)
	}
	s := &Store{dir: dir, root: root, limit: limit, copier: newCopier()}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the folder of packages %s: %w", dir, err), root.Close())
	}
	return s, nil
}

// prepare removes old leftovers, counts what is there and reads the key.
func (s *Store) prepare() error {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // removed in the meantime
		}
		switch {
		case strings.HasPrefix(e.Name(), incoming) && time.Since(info.ModTime()) > staleAfter:
			_ = s.root.RemoveAll(e.Name()) // it only costs room
		case info.Mode().IsRegular() && e.Name() != keyFile && !strings.HasPrefix(e.Name(), nameOf):
			s.used += info.Size()
		}
	}
	return s.readKey()
}

// readKey reads the secret, or makes one. Of two servers that make one at the
// same time one wins.
func (s *Store) readKey() error {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	temp := incoming + uuid.NewString()
	if err := s.root.WriteFile(temp, fresh, 0o600); err != nil {
		return err
	}
	defer func() { _ = s.root.Remove(temp) }()
	if err := s.root.Link(temp, keyFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	key, err := s.root.ReadFile(keyFile)
	if err == nil && len(key) != len(fresh) {
		err = fmt.Errorf("%s does not hold %d bytes; remove it, and packages uploaded before have to be removed by hand", keyFile, len(fresh))
	}
	s.key = key
	return err
}

// TempDir makes a folder for the files of one request, which the caller removes.
// What a server left that was killed is removed as an upload that was cut off.
func (s *Store) TempDir() (string, error) { return os.MkdirTemp(s.dir, incoming+"request-") }

// Close frees the folder.
func (s *Store) Close() error { return s.root.Close() }

// Dir is the folder.
func (s *Store) Dir() string { return s.dir }

// idForm is what a package's name looks like.
var idForm = lazyregexp.New(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)

// maxBase is the longest end of a name, in bytes.
const maxBase = 150

// NewID makes a name that ends like the name a client gave.
func NewID(name string) string { return uuid.NewString() + "-" + base(name) }

// FixedID is the name for a package that has one elsewhere: always the same for
// the same, and not to be guessed by others.
func (s *Store) FixedID(name string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(name))
	id, _ := uuid.FromBytes(mac.Sum(nil)[:16]) // 16 bytes are right
	return id.String() + "-" + base(name)
}

// base is the last part of a name, made of harmless characters only.
func base(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-', r == '+':
			return r
		}
		return '_'
	}, name)
	name = strings.TrimLeft(name, ".+-")
	if name == "" {
		return "package"
	}
	return name[max(0, len(name)-maxBase):]
}

// Put stores a package under a name; digest, unless "", is what its SHA-256 has
// to be, in hex. Nothing is visible before all of it is there. When ctx ends
// or content fails, nothing of it stays.
func (s *Store) Put(ctx context.Context, id string, content io.Reader, digest string) (size int64, sum string, err error) {
	if !idForm.MatchString(id) {
		return 0, "", outcome.Errorf(outcome.Usage, "%q is not the name of a package", id)
	}
	temp := incoming + id + "." + uuid.NewString()[:8]
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, "", s.explain(err)
	}
	w, digested := &counted{ctx: ctx, store: s, file: f}, sha256.New()
	defer func() {
		if err != nil {
			s.take(-w.size)
			err = errors.Join(err, s.root.Remove(temp))
		}
	}()
	_, err = s.copier.copy(w, digested, content)
	sum = hex.EncodeToString(digested.Sum(nil))
	if err == nil && digest != "" && !strings.EqualFold(digest, sum) {
		err = fmt.Errorf("%w: it is %s, announced was %s", ErrDigest, sum, digest)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.publish(temp, id)
	}
	if err != nil {
		return 0, "", s.explain(err)
	}
	return w.size, sum, nil
}

// publish gives a whole file its name. What had the name before no longer
// counts.
func (s *Store) publish(temp, id string) error {
	var old int64
	if info, err := s.root.Lstat(id); err == nil {
		old = info.Size()
	}
	if err := s.root.Rename(temp, id); err != nil {
		return err
	}
	s.take(-old)
	if d, err := s.root.Open("."); err == nil {
		_ = d.Sync() // some file systems cannot
		_ = d.Close()
	}
	return nil
}

// take adds to what is used and says whether that is within the limit.
func (s *Store) take(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && s.limit > 0 && s.used+n > s.limit {
		return false
	}
	s.used += n
	return true
}

// Used is how many bytes the packages have.
func (s *Store) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// explain gives an error of the disk its class.
func (s *Store) explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: the disk of %s is full", ErrFull, s.dir)
	}
	return err
}

// counted writes, counts, digests, and watches the limit and the context.
type counted struct {
	ctx   context.Context
	store *Store
	file  *os.File
	size  int64
}

func (c *counted) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	if !c.store.take(int64(len(p))) {
		return 0, fmt.Errorf("%w: packages may take %d bytes", ErrFull, c.store.limit)
	}
	c.size += int64(len(p))
	return c.file.Write(p)
}

// Get opens a package, or returns ErrNotFound.
func (s *Store) Get(id string) (*os.File, fs.FileInfo, error) {
	if !idForm.MatchString(id) {
		return nil, nil, ErrNotFound
	}
	// A link is nobody's package.
	if info, err := s.root.Lstat(id); err == nil && !info.Mode().IsRegular() {
		return nil, nil, ErrNotFound
	}
	f, err := s.root.Open(id)
	if err != nil {
		return nil, nil, found(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotFound
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// Delete removes a package, with what uploads of it left that were killed, or
// returns ErrNotFound.
func (s *Store) Delete(id string) error {
	if !idForm.MatchString(id) {
		return ErrNotFound
	}
	if err := s.removeParts(id); err != nil {
		return err
	}
	info, err := s.root.Lstat(id)
	if err == nil && !info.Mode().IsRegular() {
		return ErrNotFound
	}
	if err == nil {
		err = s.root.Remove(id)
	}
	if err == nil {
		s.take(-info.Size())
	}
	// The name goes last: a package without one could not be listed.
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		if gone := s.root.Remove(nameOf + id); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			return gone
		}
	}
	return found(err)
}

// removeParts removes what is not whole of a package.
func (s *Store) removeParts(id string) error {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), incoming+id+".") {
			continue
		}
		if err := s.root.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// found turns the absence of a file into ErrNotFound.
func found(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	return err
}
