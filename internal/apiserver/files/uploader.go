package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/google/uuid"

	"github.com/heron-nomad/heron/internal/uploader"
)

// Uploader puts packages into a store of this process and names them by the
// address that the API server has for nodes. It does what an upload to the
// server itself would do, without the way through the network.
type Uploader struct {
	store *Store
	// base is the address of downloads, with a slash at its end.
	base string
}

var _ uploader.Uploader = (*Uploader)(nil)

// NewUploader makes an uploader for a store whose packages nodes fetch below
// base.
func NewUploader(store *Store, base string) *Uploader {
	return &Uploader{store: store, base: strings.TrimSuffix(base, "/") + "/"}
}

// Capabilities implements uploader.Uploader.
func (u *Uploader) Capabilities() uploader.Capabilities {
	return uploader.Capabilities{Delete: true, FixedNames: true, List: true}
}

// Check implements uploader.Uploader: it makes a file in the folder and removes
// it.
func (u *Uploader) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := incoming + "check-" + uuid.NewString()
	err := u.store.root.WriteFile(name, []byte("\n"), 0o600)
	if err == nil {
		err = u.store.root.Remove(name)
	}
	if err != nil {
		return fmt.Errorf("%w: write to the server's folder of packages %s: %w", uploader.ErrTarget, u.store.dir, err)
	}
	return nil
}

// Locate implements uploader.Uploader.
func (u *Uploader) Locate(name string) uploader.Location {
	uri := u.base + u.store.FixedID(name)
	return uploader.Location{URI: uri, Fetch: uri}
}

// Upload implements uploader.Uploader.
func (u *Uploader) Upload(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	if err := uploader.CheckSource(src); err != nil {
		return uploader.Location{}, err
	}
	at := u.Locate(src.Name)
	id := path.Base(at.URI)
	if err := u.store.keepName(id, src.Name); err != nil {
		return uploader.Location{}, fmt.Errorf("%w: %w", uploader.ErrTarget, err)
	}
	if err := u.put(ctx, id, at.URI, src); err != nil {
		u.store.dropName(id)
		return uploader.Location{}, err
	}
	// Another upload of it that failed in the meantime may have dropped it.
	return at, u.store.keepName(id, src.Name)
}

// put stores a package that is not there yet.
func (u *Uploader) put(ctx context.Context, id, uri string, src uploader.Source) error {
	there, err := u.isThere(ctx, id, src)
	if there || err != nil {
		return err
	}
	content, err := src.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	_, _, err = u.store.Put(ctx, id, &sized{content, src.Size}, src.SHA256)
	switch {
	case errors.Is(err, ErrDigest):
		return fmt.Errorf("%w: %w", uploader.ErrContent, err)
	case errors.Is(err, ErrFull):
		return fmt.Errorf("%w: %w", uploader.ErrTarget, err)
	case err != nil:
		return fmt.Errorf("store %s: %w", uri, err)
	}
	return nil
}

// sized is a content that fails where it is longer or shorter than announced.
type sized struct {
	content io.Reader
	left    int64
}

// Read implements io.Reader.
func (s *sized) Read(p []byte) (int, error) {
	n, err := s.content.Read(p)
	s.left -= int64(n)
	if s.left < 0 || errors.Is(err, io.EOF) && s.left > 0 {
		return n, fmt.Errorf("%w: it is not as long as announced", uploader.ErrContent)
	}
	return n, err
}

// isThere says whether the very package has been stored already.
func (u *Uploader) isThere(ctx context.Context, id string, src uploader.Source) (bool, error) {
	f, info, err := u.store.Get(id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info.Size() != src.Size {
		return false, nil
	}
	return uploader.Holds(ctx, f, src)
}

// Delete implements uploader.Uploader. A package of this store is removed
// whatever address the server had when it was stored.
func (u *Uploader) Delete(ctx context.Context, uri string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	id, ours := strings.CutPrefix(uri, u.base)
	if !ours {
		id = path.Base(uri)
	}
	err := u.store.Delete(id)
	switch {
	case errors.Is(err, ErrNotFound) && ours:
		return nil
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("delete %s: %w: it is not below %s", uri, uploader.ErrForeign, u.base)
	}
	return err
}

// Close implements uploader.Uploader. The store belongs to the server.
func (u *Uploader) Close() error { return nil }
