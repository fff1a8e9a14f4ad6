package tarball

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// tarBlock is the size in bytes of which a tar file is a multiple. Zero blocks
// are its end.
const tarBlock = 512

// attributes of a folder are set when everything in it is there.
type attributes struct {
	mode     fs.FileMode
	modified time.Time
}

// extraction is one archive on its way into a folder.
type extraction struct {
	ctx     context.Context
	root    *os.Root
	limits  Limits
	private bool

	source *sourceReader
	done   Summary
	// size is what the headers announce, holes of sparse files included.
	size    int64
	folders map[string]attributes
	links   []string
}

func (x *extraction) all(r io.Reader) error {
	x.source = &sourceReader{Reader: contextReader{x.ctx, r}}
	decompressed, err := decompress(x.source)
	if err != nil {
		return x.classify("", "it cannot be read", err)
	}
	plain := &plainReader{Reader: decompressed, source: x.source, limits: x.limits}
	for archive := tar.NewReader(plain); ; {
		// What ends the archive is counted from here, behind the content of the
		// last member.
		plain.zeros = 0
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return x.end(plain)
		}
		if err != nil {
			return x.classify("", "it is not a tar file, or damaged", err)
		}
		if err := x.member(archive, header); err != nil {
			return x.classify(header.Name, "is damaged", err)
		}
	}
}

// end checks that an archive is whole, and that nothing follows it.
func (x *extraction) end(plain *plainReader) error {
	// The content of the last member is filled up with less than a block.
	if plain.zeros < tarBlock {
		return refuse("", "it is cut off: it has no end")
	}
	begun := plain.n - plain.zeros
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return x.classify("", "it is damaged behind its last member", err)
	}
	if plain.n-plain.zeros != begun {
		return refuse("", "something follows its end")
	}
	return nil
}

// classify tells what is wrong with the archive from what is wrong here, and
// from a source that cannot be read.
func (x *extraction) classify(member, reason string, err error) error {
	var (
		archive *Error
		local   *fs.PathError
		link    *os.LinkError
	)
	if ended := x.ctx.Err(); ended != nil {
		return ended
	}
	if x.source.err != nil {
		return x.source.err
	}
	if errors.As(err, &archive) || errors.As(err, &local) || errors.As(err, &link) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it is cut off")
	}
	return &Error{Member: member, Reason: reason, Err: err}
}

// member unpacks one member.
func (x *extraction) member(content io.Reader, header *tar.Header) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name := path.Clean(header.Name)
	switch {
	case header.Name == "" || outside(name):
		return refuse(header.Name, "lies outside the archive: make the archive with names below its top folder")
	case strings.ContainsRune(name, 0) || len(name) > maxName || strings.Count(name, "/") >= maxDepth:
		return refuse(name[:min(len(name), maxName)], "has a name that no file should have: at most %d bytes and %d folders are taken", maxName, maxDepth)
	}
	if header.Size < 0 || header.Size > x.limits.Bytes-x.size {
		return refuse(header.Name, "brings the size to more than %d bytes, which is the limit", x.limits.Bytes)
	}
	x.size += header.Size
	if name == "." {
		if header.Typeflag != tar.TypeDir {
			return refuse(header.Name, "is the top folder and something else")
		}
		return nil
	}
	if err := x.makeFolders(path.Dir(name)); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return x.folder(name, attributes{header.FileInfo().Mode(), header.ModTime})
	case tar.TypeReg, tar.TypeGNUSparse:
		return x.file(name, content, header)
	case tar.TypeLink:
		return x.hardLink(name, path.Clean(header.Linkname))
	case tar.TypeSymlink:
		return x.symlink(name, header.Linkname)
	}
	return refuse(header.Name, "is neither a file, a folder nor a link: leave it out")
}

// outside tells of a cleaned name whether it leads out of the folder that it
// is relative to.
func outside(name string) bool {
	return path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../")
}

func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// makeFolders makes what is missing of the folders above a member.
func (x *extraction) makeFolders(name string) error {
	for i := 0; name != "." && i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if _, known := x.folders[name[:i]]; known {
			continue
		}
		if err := x.folder(name[:i], attributes{mode: 0o755}); err != nil {
			return err
		}
	}
	return nil
}

// folder makes a folder, or takes the one that is there.
func (x *extraction) folder(name string, attrs attributes) error {
	if _, known := x.folders[name]; !known {
		if err := x.count(name); err != nil {
			return err
		}
		if err := x.root.Mkdir(name, 0o700); errors.Is(err, fs.ErrExist) {
			return refuse(name, "is a folder, and something else before")
		} else if err != nil {
			return err
		}
	}
	x.folders[name] = attrs
	return nil
}

// finishFolders gives folders their permissions and times.
func (x *extraction) finishFolders() error {
	if x.private {
		return nil
	}
	for name, attrs := range x.folders {
		if err := x.root.Chmod(name, permissions(attrs.mode)|0o700); err != nil {
			return err
		}
		if err := x.setTime(name, attrs.modified); err != nil {
			return err
		}
	}
	return nil
}
