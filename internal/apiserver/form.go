package apiserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Bounds of the parts of a form that are no topology file.
const (
	maxFields     = 1000
	maxField      = 64 << 10
	maxFieldBytes = 1 << 20 // all of them together
	maxDefinition = 64 << 20
	maxSmallForm  = 1 << 20
)

// submission is a form of POST /topologies, with its files in a folder.
type submission struct {
	// fields are in the order in which they came.
	fields []field
	// definition and topology are the paths of the files, "" where they are
	// missing.
	definition, topology string
	// digest identifies all of it.
	digest string
	dir    string
}

type field struct{ name, value string }

func (f *submission) value(name string) (string, bool) {
	for _, one := range slices.Backward(f.fields) {
		if one.name == name {
			return one.value, true
		}
	}
	return "", false
}

// remove frees the files.
func (f *submission) remove() { _ = os.RemoveAll(f.dir) }

// errForm is a body that is not what it should be.
func errForm(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "the form cannot be read: "+format, args...)
}

// readSubmission reads a form as it comes and keeps its files, in a folder of
// this request, under names that the client cannot choose beyond their last
// part. After an error nothing is left.
func (s *Server) readSubmission(ctx context.Context, r *http.Request) (_ *submission, err error) {
	reader, err := multipartOf(r)
	if err != nil {
		return nil, err
	}
	form := &submission{}
	if form.dir, err = s.opts.Store.TempDir(); err != nil {
		return nil, fmt.Errorf("make a folder for the request: %w", err)
	}
	defer func() {
		if err != nil {
			form.remove()
		}
	}()
	digest := sha256.New()
	total := 0
	for {
		part, err := reader.NextPart()
		if ended(err) {
			form.digest = hex.EncodeToString(digest.Sum(nil))
			return form, nil
		}
		if err != nil {
			return nil, bodyError(err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name := part.FormName()
		fmt.Fprintf(digest, "%q\n", name)
		switch name {
		case "definition":
			form.definition, err = s.save(form.dir, "definition", "topology.defn", part, maxDefinition, digest)
		case "topology":
			var base string
			if base, err = topologyFile(part.FileName()); err == nil {
				fmt.Fprintf(digest, "%q\n", base)
				form.topology, err = s.save(form.dir, "topology", base, part, s.opts.Limits.Upload, digest)
			}
		case "":
			err = errForm("it has a part without a name")
		default:
			var value string
			value, err = small(part)
			total += len(name) + len(value)
			if total > maxFieldBytes || len(form.fields) >= maxFields {
				err = tooLarge("the form's fields")
			}
			fmt.Fprintf(digest, "%q\n", value)
			form.fields = append(form.fields, field{name, value})
		}
		if err != nil {
			return nil, err
		}
	}
}

// readAhead is how much of a form is read at a time.
const readAhead = 128 << 10

// multipartOf is the reader of a request's parts.
func multipartOf(r *http.Request) (*multipart.Reader, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, refuse(http.StatusUnsupportedMediaType, "send multipart/form-data, not %q", r.Header.Get("Content-Type"))
	}
	if params["boundary"] == "" {
		return nil, errForm("its Content-Type has no boundary")
	}
	// The reader of parts asks for a little at a time.
	return multipart.NewReader(bufio.NewReaderSize(r.Body, readAhead), params["boundary"]), nil
}

// ended says that a form is over. One that was cut off has an error that wraps
// io.EOF.
func ended(err error) bool { return err == io.EOF } //nolint:errorlint // see above

// topologyFile is the name of a topology file: the last part of what the client
// calls it. Its ending says what kind of file it is.
func topologyFile(name string) (string, error) {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if name == "" || name == "." || name == ".." || len(name) > 200 || !filepath.IsLocal(name) {
		return "", errForm("%q is not a file name for the part topology", name)
	}
	return name, nil
}

// save writes a part to a file in a folder of its own.
func (s *Server) save(dir, folder, name string, content io.Reader, limit int64, digest hash.Hash) (path string, err error) {
	path = filepath.Join(dir, folder)
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", errForm("it has the part %s twice", folder)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return "", fmt.Errorf("keep the part %s: %w", folder, err)
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("keep the part %s: %w", folder, err)
	}
	n, err := s.opts.Store.Copy(f, digest, io.LimitReader(content, limit+1))
	if closeErr := f.Close(); err == nil && closeErr != nil {
		return "", fmt.Errorf("keep the part %s: %w", folder, closeErr)
	}
	switch {
	case err != nil:
		return "", bodyError(err)
	case n > limit:
		return "", tooLarge("the part " + folder)
	case n == 0:
		return "", errForm("the part %s is empty", folder)
	}
	return filepath.Join(path, name), nil
}

// small reads a part that is a field.
func small(part io.Reader) (string, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(part, maxField+1))
	switch {
	case err != nil:
		return "", bodyError(err)
	case n > maxField:
		return "", tooLarge("a field of the form")
	}
	return b.String(), nil
}

// bodyError gives an error of reading a body its status.
func bodyError(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge("the body")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "the body did not come in time")
	}
	return errForm("%v", err)
}

func tooLarge(what string) error {
	return &httpError{status: http.StatusRequestEntityTooLarge, kind: outcome.Usage, msg: what + " is larger than this server takes"}
}

// readForm reads a small form of a request; a request without a body has an
// empty one, and given is false.
func (s *Server) readForm(w http.ResponseWriter, r *http.Request) (form url.Values, given bool, err error) {
	done := s.readBody(w, r, maxSmallForm)
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, false, bodyError(err)
	}
	done()
	kind := r.Header.Get("Content-Type")
	if len(data) == 0 && kind == "" {
		return url.Values{}, false, nil
	}
	if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, false, refuse(http.StatusUnsupportedMediaType, "send application/x-www-form-urlencoded, not %q", kind)
	}
	form, err = url.ParseQuery(string(data))
	if err != nil {
		return nil, false, errForm("%v", err)
	}
	return form, true, nil
}
