package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"

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
	return uploader.Capabilities{Delete: true, FixedNames: true}
}

// Check implements uploader.Uploader: it makes a file in the folder and removes
// it.
func (u *Uploader) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	const name = incoming + "check"
	err := u.store.root.WriteFile(name, []byte("\n"), 0o600)
	if err == nil {
		err = u.store.root.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // another check removed it
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
	there, err := u.isThere(ctx, id, src)
	if there || err != nil {
		return at, err
	}
	content, err := src.Open()
	if err != nil {
		return uploader.Location{}, err
	}
	defer content.Close()
	// One byte more tells a content that is longer than announced.
	_, _, err = u.store.Put(ctx, id, io.LimitReader(content, src.Size+1), src.SHA256)
	switch {
	case errors.Is(err, ErrDigest):
		return uploader.Location{}, fmt.Errorf("%w: %w", uploader.ErrContent, err)
	case errors.Is(err, ErrFull):
		return uploader.Location{}, fmt.Errorf("%w: %w", uploader.ErrTarget, err)
	case err != nil:
		return uploader.Location{}, fmt.Errorf("store %s: %w", at.URI, err)
	}
	return at, nil
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

// List implements uploader.Uploader: names cannot be told from a package's id.
func (u *Uploader) List(context.Context, string) iter.Seq2[uploader.Stored, error] {
	return func(yield func(uploader.Stored, error) bool) {
		yield(uploader.Stored{}, fmt.Errorf("list packages: %w", errors.ErrUnsupported))
	}
}

// Close implements uploader.Uploader. The store belongs to the server.
func (u *Uploader) Close() error { return nil }
