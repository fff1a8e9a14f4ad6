package topology

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// archive writes members whose headers depend on their name, size and on who
// may read or run them.
type archive struct {
	tar     *tar.Writer
	modTime time.Time
}

func (a *archive) header(name string, size int64, mode fs.FileMode) *tar.Header {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: a.modTime}
	if mode&0o111 != 0 {
		h.Mode = 0o755
	}
	// What only some may read here is not opened to all there.
	if mode&0o004 == 0 {
		h.Mode &^= 0o077
	}
	return h
}

func (a *archive) addFolder(name string) error {
	h := a.header(name, 0, 0o755)
	h.Typeflag = tar.TypeDir
	return a.tar.WriteHeader(h)
}

func (a *archive) addData(name string, data []byte, mode fs.FileMode) error {
	if err := a.tar.WriteHeader(a.header(name, int64(len(data)), mode)); err != nil {
		return err
	}
	_, err := io.Copy(a.tar, bytes.NewReader(data))
	return err
}

// addFile streams a file that must stay as long as it is.
func (a *archive) addFile(name, file string) error {
	// To open a pipe would wait for its other end.
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return inputError(nil, "%s is not a regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := a.tar.WriteHeader(a.header(name, info.Size(), info.Mode())); err != nil {
		return err
	}
	return copyExactly(a.tar, f, file, info.Size())
}

// copyExactly copies size bytes of r, and fails if there are fewer or more:
// the file is being written while it is packed.
func copyExactly(w io.Writer, r io.Reader, file string, size int64) error {
	changed := func() error {
		return fmt.Errorf("%s changed while it was read: wait until it is complete and try again", file)
	}
	switch _, err := io.CopyN(w, r, size); {
	case errors.Is(err, io.EOF):
		return changed()
	case err != nil:
		return err
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 {
		return changed()
	} else if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
