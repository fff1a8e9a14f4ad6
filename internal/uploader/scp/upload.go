package scp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"github.com/heron-nomad/heron/internal/uploader"
)

// Upload implements uploader.Uploader. All hosts get a temporary file; once each has
// all of it, with the right digest, these get their final name. One host that
// fails undoes the others.
func (s *Uploader) Upload(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	if err := uploader.CheckSource(src); err != nil {
		return uploader.Location{}, err
	}
	hosts, err := s.resolve(ctx)
	if err != nil {
		return uploader.Location{}, err
	}
	if err := s.upload(ctx, hosts, src); err != nil {
		return uploader.Location{}, fmt.Errorf("store %s: %w", s.uri(src.Name), err)
	}
	return s.Locate(src.Name), nil
}

// replica is what becomes of a package on one host.
type replica struct {
	host    *host
	session *session
	// file is the final path, part the temporary one.
	file, part string
	// there: nothing is to be done. created and published say which of the
	// two names this upload has put there, or may have.
	there, created, published bool
	// written is when the temporary file was last written. The final name is
	// taken back only from a file of that time: somebody else may have put the
	// same package there since.
	written time.Time
	// sum waits for the digest that the host computes, "" where it does not.
	sum func() string
	// made are folders that were not there.
	made []string
	// open are handles of the temporary file, one for each channel.
	open []*sftp.File
}

func (s *Uploader) upload(ctx context.Context, hosts []*host, src uploader.Source) (err error) {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	copies := make([]*replica, len(hosts))
	for i, h := range hosts {
		copies[i] = &replica{host: h, file: path.Join(s.dir, src.Name), part: path.Join(s.dir, uploader.TempName(src.Name))}
	}
	defer func() {
		for _, c := range copies {
			if c.session != nil {
				c.session.close()
			}
		}
		if err != nil {
			cancel()
			err = s.undo(ctx, copies, src.Name, err)
		}
	}()
	// Whoever fails first ends the connections of all.
	if err := inParallel(copies, cancel, func(c *replica) error {
		var err error
		if c.session, err = s.open(within, c.host); err != nil {
			return err
		}
		return c.begin(within, s.dir, src)
	}); err != nil {
		return err
	}
	var wanting []*replica
	for _, c := range copies {
		if !c.there {
			wanting = append(wanting, c)
		}
	}
	if len(wanting) == 0 {
		return nil
	}
	if err := s.send(within, cancel, wanting, src); err != nil {
		return err
	}
	if err := inParallel(wanting, cancel, func(c *replica) error { return c.finish(within, src) }); err != nil {
		return err
	}
	// The last moment at which a cancelled upload still leaves nothing.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := inParallel(wanting, cancel, func(c *replica) error {
		c.published = true
		if err := c.session.publish(c.part, c.file); err != nil {
			return c.session.failed(within, "rename", c.part, err)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, c := range copies {
		s.clearLeft(c)
	}
	return nil
}

// begin finds out whether the package is there, and makes a temporary file
// where it is not.
func (c *replica) begin(ctx context.Context, root string, src uploader.Source) (err error) {
	if c.there, err = c.isThere(ctx, src); c.there || err != nil {
		return err
	}
	if vfs, err := c.session.statVFS(path.Dir(c.file)); err == nil && vfs.Bavail*vfs.Frsize < uint64(src.Size) {
		return fmt.Errorf("%w: the disk of %s on %s has %d bytes free of the %d that are needed: make room there, or set heron.uploader.scp.dir.path to another folder",
			uploader.ErrTarget, root, c.host, vfs.Bavail*vfs.Frsize, src.Size)
	}
	// A folder that was empty may be removed at that moment by a delete.
	for try := 0; ; try++ {
		var made []string
		made, err = c.session.makeFolders(root, path.Dir(c.file))
		c.made = append(c.made, made...)
		if err != nil {
			return c.session.failed(ctx, "make", path.Dir(c.file), err)
		}
		c.created = true
		var f *sftp.File
		f, err = c.session.OpenFile(c.part, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
		if err == nil {
			c.open = append(c.open, f)
			return nil
		}
		if try == 2 || !errors.Is(err, fs.ErrNotExist) {
			return c.session.failed(ctx, "write to", path.Dir(c.file), err)
		}
	}
}

// isThere says whether the package lies under its name already.
func (c *replica) isThere(ctx context.Context, src uploader.Source) (bool, error) {
	info, err := c.session.Lstat(c.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, c.session.failed(ctx, "look for", c.file, err)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%w: %s on %s is not a plain file", uploader.ErrTarget, c.file, c.host)
	case info.Size() != src.Size:
		return false, nil
	}
	sum, err := c.session.digest(ctx, c.file, src.Size)
	if err != nil {
		return false, c.session.failed(ctx, "read", c.file, err)
	}
	return sum == src.SHA256, nil
}

// finish makes sure that the host has all of it, and that it stays.
func (c *replica) finish(ctx context.Context, src uploader.Source) error {
	f := c.open[0]
	err := f.Chmod(uploader.FileMode)
	if _, ok := c.session.HasExtension("fsync@openssh.com"); ok && err == nil {
		err = f.Sync()
	}
	for _, f := range c.open {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		return c.session.failed(ctx, "write to", c.part, err)
	}
	info, err := c.session.Lstat(c.part)
	if err != nil {
		return c.session.failed(ctx, "look for", c.part, err)
	}
	c.written = info.ModTime()
	sum := c.sum()
	if sum == "" {
		if sum, err = c.session.digest(ctx, c.part, src.Size); err != nil {
			return c.session.failed(ctx, "read", c.part, err)
		}
	}
	if sum != src.SHA256 {
		return fmt.Errorf("%w: %s has stored something else than was sent: SHA-256 is %s instead of %s; check its disk and memory", uploader.ErrTarget, c.host, sum, src.SHA256)
	}
	return nil
}

// undo removes what a failed upload has put on the hosts. The connections may
// have ended with it, so it makes its own.
func (s *Uploader) undo(ctx context.Context, copies []*replica, name string, why error) error {
	ctx, cancel := uploader.Cleanup(ctx, s.settings)
	defer cancel()
	var (
		all         sync.WaitGroup
		mu          sync.Mutex
		hosts, left []string
	)
	for _, c := range copies {
		if !c.created && len(c.made) == 0 {
			continue
		}
		all.Go(func() {
			err := s.undoOne(ctx, c)
			if err == nil {
				s.clearLeft(c)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			what := c.part
			if c.published {
				what += " or " + c.file
			}
			hosts, left = append(hosts, c.host.String()), append(left, what+": "+err.Error())
			s.mu.Lock()
			defer s.mu.Unlock()
			s.left[c.host.target] = append(s.left[c.host.target], c.part)
		})
	}
	all.Wait()
	if len(left) == 0 {
		return why
	}
	return &uploader.LeftoverError{What: s.resource(s.uri(name), strings.Join(hosts, ", ")), Why: strings.Join(left, "; "), Err: why}
}

func (s *Uploader) undoOne(ctx context.Context, c *replica) error {
	session, err := s.open(ctx, c.host)
	if err != nil {
		return err
	}
	defer session.close()
	err = session.removeFile(c.part)
	if c.published && err == nil {
		err = session.removeWritten(c.file, c.written)
	}
	if err != nil {
		return session.failed(ctx, "delete", c.part, err)
	}
	session.removeFolders(c.made)
	return nil
}

// clearLeft removes temporary files of earlier tries on a host that can be
// reached again. Those that stay are still invisible.
func (s *Uploader) clearLeft(c *replica) {
	s.mu.Lock()
	parts := s.left[c.host.target]
	delete(s.left, c.host.target)
	s.mu.Unlock()
	for _, part := range parts {
		if c.session != nil {
			_ = c.session.removeFile(part)
		}
	}
}
