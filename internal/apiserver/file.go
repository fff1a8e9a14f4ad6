package apiserver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/outcome"
)

// headerSHA256 is the digest that a package must have, as the HTTP uploader
// sends it.
const headerSHA256 = "X-Heron-Package-SHA256"

// upload keeps a package and answers with the address that it then has.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) error {
	err := s.receive(w, r)
	status := http.StatusOK
	if err != nil {
		status = statusOf(err)
	}
	s.metrics.uploads.WithLabelValues(strconv.Itoa(status)).Inc()
	return err
}

// formOverhead is what a form needs besides its file.
const formOverhead = 1 << 20

func (s *Server) receive(w http.ResponseWriter, r *http.Request) error {
	free, err := s.uploadSlot()
	if err != nil {
		return err
	}
	defer free()
	if r.ContentLength > s.opts.Limits.Upload+formOverhead {
		return tooLarge("the package")
	}
	done := s.readBody(w, r, s.opts.Limits.Upload+formOverhead)
	reader, err := multipartOf(r)
	if err != nil {
		return err
	}
	part, err := reader.NextPart()
	for err == nil && part.FormName() != "file" {
		part, err = reader.NextPart()
	}
	switch {
	case ended(err):
		return refuse(http.StatusBadRequest, "the form has no part called file")
	case err != nil:
		return bodyError(err)
	}
	id := files.NewID(part.FileName())
	content := &tail{part: part, next: func() error {
		_, err := reader.NextPart()
		return err
	}}
	_, sum, err := s.opts.Store.Put(r.Context(), id, content, r.Header.Get(headerSHA256))
	if err != nil {
		return storeError(err)
	}
	done()
	w.Header().Set(headerSHA256, sum)
	writeBody(w, http.StatusOK, "text/plain", []byte(s.downloads(r.Context())+downloadPath+id))
	return nil
}

// tail is a part that counts as whole only when the form ends behind it: an
// upload that was cut off in between is not kept.
type tail struct {
	part io.Reader
	next func() error
}

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.part.Read(p)
	if !ended(err) {
		if err != nil {
			err = bodyError(err)
		}
		return n, err
	}
	switch err := t.next(); {
	case ended(err):
		return n, io.EOF
	case err == nil:
		return n, errForm("it has more parts than the file")
	default:
		return n, bodyError(err)
	}
}

// storeError gives an error of the store its status.
func storeError(err error) error {
	switch {
	case errors.Is(err, files.ErrFull):
		return &httpError{status: http.StatusInsufficientStorage, kind: outcome.Failed, msg: err.Error()}
	case errors.Is(err, files.ErrDigest):
		return refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	return err
}

// download gives a package to whoever knows its name.
func (s *Server) download(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("file")
	f, info, err := s.opts.Store.Get(id)
	if err != nil {
		return missing(w, err)
	}
	defer f.Close()
	s.opts.Store.NoteUse(id, info, s.opts.Now())
	// A package never changes: its name is as good as a digest.
	w.Header().Set("ETag", `"`+id+`"`)
	serve(w, r, id, f, info)
	return nil
}

// missing answers that there is no such file as the original does: with no
// body.
func missing(w http.ResponseWriter, err error) error {
	if !errors.Is(err, files.ErrNotFound) && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	w.WriteHeader(http.StatusNotFound)
	return nil
}

func serve(w http.ResponseWriter, r *http.Request, name string, f *os.File, info os.FileInfo) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// downloadCore gives Heron's engine.
func (s *Server) downloadCore(w http.ResponseWriter, r *http.Request) error {
	if s.opts.Core == "" {
		return &httpError{
			status: http.StatusNotFound, kind: outcome.NotFound,
			msg: "this server has no core package; start it with --heron-core-package-path FILE",
		}
	}
	f, err := os.Open(s.opts.Core)
	if err != nil {
		return missing(w, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return missing(w, files.ErrNotFound)
	}
	name := s.opts.Core[strings.LastIndexByte(s.opts.Core, os.PathSeparator)+1:]
	serve(w, r, name, f, info)
	return nil
}

// deleteFile removes a package.
func (s *Server) deleteFile(w http.ResponseWriter, r *http.Request) error {
	if err := s.opts.Store.Delete(r.PathValue("file")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
