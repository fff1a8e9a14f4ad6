package apiclient

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"os"
)

// multipartForm is a form with files, which are read as it is sent: they may be
// larger than memory.
type multipartForm struct {
	text   bytes.Buffer
	writer *multipart.Writer
	pieces []piece
	size   int64
	err    error
}

// piece is some text, or the file at a path.
type piece struct {
	text []byte
	path string
}

func newForm() *multipartForm {
	f := &multipartForm{}
	f.writer = multipart.NewWriter(&f.text)
	return f
}

func (f *multipartForm) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// field adds a field, unless its value is "".
func (f *multipartForm) field(name, value string) {
	if value != "" {
		f.fail(f.writer.WriteField(name, value))
	}
}

// content adds a small file.
func (f *multipartForm) content(name, as string, data []byte) {
	w, err := f.writer.CreateFormFile(name, as)
	if err == nil {
		_, err = w.Write(data)
	}
	f.fail(err)
}

// file adds the file at a path.
func (f *multipartForm) file(name, as, path string) {
	info, err := os.Stat(path)
	if err != nil {
		f.fail(fmt.Errorf("read the topology file: %w", err))
		return
	}
	_, err = f.writer.CreateFormFile(name, as)
	f.fail(err)
	f.flush()
	f.pieces = append(f.pieces, piece{path: path})
	f.size += info.Size()
}

// flush ends a piece of text.
func (f *multipartForm) flush() {
	f.size += int64(f.text.Len())
	f.pieces = append(f.pieces, piece{text: bytes.Clone(f.text.Bytes())})
	f.text.Reset()
}

// close ends the form.
func (f *multipartForm) close() error {
	f.fail(f.writer.Close())
	f.flush()
	return f.err
}

// open opens the form from its beginning.
func (f *multipartForm) open() (io.Reader, error) {
	r := &opened{}
	var readers []io.Reader
	for _, p := range f.pieces {
		if p.path == "" {
			readers = append(readers, bytes.NewReader(p.text))
			continue
		}
		file, err := os.Open(p.path)
		if err != nil {
			_ = r.Close()
			return nil, fmt.Errorf("read the topology file: %w", err)
		}
		r.files = append(r.files, file)
		readers = append(readers, file)
	}
	r.Reader = io.MultiReader(readers...)
	return r, nil
}

// opened is a form that is being read.
type opened struct {
	io.Reader
	files []*os.File
}

// Close closes the files.
func (o *opened) Close() error {
	for _, f := range o.files {
		_ = f.Close() // it was only read
	}
	return nil
}
