package topology

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// extract unpacks a tar file, compressed or not, into dir. Nothing is written
// outside it: not by the names of members and not through links. Folders and
// files are the caller's own to read and remove, whatever the archive says.
func extract(ctx context.Context, file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return inputError(err, "read topology file %q", file)
	}
	defer f.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", file, err)
	}
	defer root.Close()

	plain, err := decompress(contextReader{ctx, f})
	if err != nil {
		return inputError(err, "unpack topology file %q", file)
	}
	archive := tar.NewReader(plain)
	var links []string
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return checkLinks(root, file, links)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("unpack %s: %w", file, ctx.Err())
		}
		if err != nil {
			return inputError(err, "unpack topology file %q: it is not a tar file, or damaged", file)
		}
		if err := extractMember(root, archive, header); err != nil {
			return memberError(file, header.Name, err)
		}
		if header.Typeflag == tar.TypeSymlink {
			links = append(links, header.Name)
		}
	}
}

// memberError tells what is wrong with the archive from what is wrong here.
func memberError(file, name string, err error) error {
	var (
		input *InputError
		local *fs.PathError
		link  *os.LinkError
	)
	switch {
	case errors.As(err, &input):
		return inputError(err, "unpack topology file %q", file)
	case errors.As(err, &local), errors.As(err, &link), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("unpack %s: member %q: %w", file, name, err)
	}
	return inputError(err, "unpack topology file %q: it is damaged at member %q", file, name)
}

// checkLinks follows every link to its end, since links may lead over other
// links. One that leads nowhere harms nobody.
func checkLinks(root *os.Root, file string, links []string) error {
	for _, name := range links {
		if _, err := root.Stat(path.Clean(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return inputError(err, "unpack topology file %q: link %q cannot be followed inside the archive: put the file itself in", file, name)
		}
	}
	return nil
}

// contextReader fails once its context has ended.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// decompress finds out by the first bytes how a tar file is compressed.
func decompress(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	head, _ := buffered.Peek(6)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(buffered)
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzip2.NewReader(buffered), nil
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")), bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, errors.New("it is compressed with xz or zstd: use gzip")
	}
	return buffered, nil
}

func extractMember(root *os.Root, content io.Reader, header *tar.Header) error {
	name := path.Clean(header.Name)
	if header.Name == "" || path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") {
		return inputError(nil, "member %q lies outside the archive: make the archive with names below its top folder", header.Name)
	}
	if name == "." {
		return nil
	}
	if parent := path.Dir(name); parent != "." {
		if err := root.MkdirAll(parent, 0o700); err != nil {
			return err
		}
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o700)
	case tar.TypeReg:
		return extractFile(root, name, content, header.FileInfo().Mode())
	case tar.TypeLink:
		return extractHardLink(root, name, path.Clean(header.Linkname))
	case tar.TypeSymlink:
		target := path.Join(path.Dir(name), header.Linkname)
		if path.IsAbs(header.Linkname) || target == ".." || strings.HasPrefix(target, "../") {
			return inputError(nil, "member %q is a link to %q, outside the archive: put the file itself in", header.Name, header.Linkname)
		}
		if err := removeIfThere(root, name); err != nil {
			return err
		}
		return root.Symlink(header.Linkname, name)
	case tar.TypeXGlobalHeader:
		return nil
	}
	return inputError(nil, "member %q is neither a file, a folder nor a link: leave it out", header.Name)
}

func extractFile(root *os.Root, name string, content io.Reader, mode fs.FileMode) error {
	if err := removeIfThere(root, name); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600|mode.Perm()&0o100)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, content); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func extractHardLink(root *os.Root, name, target string) error {
	if path.IsAbs(target) || target == ".." || strings.HasPrefix(target, "../") {
		return inputError(nil, "member %q is a link to %q, outside the archive: put the file itself in", name, target)
	}
	if err := removeIfThere(root, name); err != nil {
		return err
	}
	return root.Link(target, name)
}

// removeIfThere makes room for a later member of the same name.
func removeIfThere(root *os.Root, name string) error {
	if info, err := root.Lstat(name); err != nil || info.IsDir() {
		return nil
	}
	return root.Remove(name)
}
