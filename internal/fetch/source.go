package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/s3uri"
)

// A scheme has two letters at least, so that a path such as c:/x is none.
var schemeForm = lazyregexp.New(`^[A-Za-z][A-Za-z0-9+.-]+:`)

// open finds the source that a URI names. It connects to nothing.
func open(uri string) (source, error) {
	if uri == "" {
		return nil, errors.New("the URI is empty")
	}
	if s3uri.Is(uri) {
		object, err := s3uri.Parse(uri)
		if err != nil {
			return nil, err
		}
		return &s3Source{object: object}, nil
	}
	scheme := strings.ToLower(strings.TrimSuffix(schemeForm.FindString(uri), ":"))
	if getter, _, forced := strings.Cut(uri, "::"); forced && !strings.ContainsAny(getter, "/.") {
		return nil, unsupported(getter + "::")
	}
	switch scheme {
	case "":
		return fileSource{path: uri}, nil
	case "file":
		u, err := url.Parse(uri)
		if err != nil {
			return nil, bare(err)
		}
		if u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/") || u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("use file:// and an absolute path")
		}
		return fileSource{path: u.Path}, nil
	case "http", "https":
		u, err := url.Parse(uri)
		if err != nil {
			return nil, bare(err)
		}
		if u.Host == "" {
			return nil, errors.New("it names no server")
		}
		return newHTTPSource(u)
	}
	return nil, unsupported(scheme)
}

func unsupported(scheme string) error {
	return fmt.Errorf("%s is not supported; use a path or a file, http, https or s3 URI", scheme)
}

// fileSource is a file of this machine.
type fileSource struct{ path string }

func (s fileSource) open(_ context.Context, _ int64, _ string) (*answer, *failure) {
	// Opening a pipe would wait for a writer.
	info, err := os.Stat(s.path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, lasting(ErrNotFound, "it is no file")
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(s.path)
	}
	if err != nil {
		return nil, s.broken(err)
	}
	return &answer{body: f, size: info.Size()}, nil
}

func (fileSource) broken(err error) *failure {
	// The message has the path already.
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &failure{err: err, class: ErrNotFound}
	case errors.Is(err, fs.ErrPermission):
		return &failure{err: err, class: ErrDenied}
	}
	return &failure{err: err, class: ErrUnreachable}
}

func (fileSource) close() {}
