package install

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// CoreError says that what was given is not a heron-core package.
type CoreError struct {
	Source, Reason string
}

func (e *CoreError) Error() string { return fmt.Sprintf("heron-core from %s: %s", e.Source, e.Reason) }

// ExitCode is that of bad input.
func (*CoreError) ExitCode() int { return 2 }

var digestForm = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)

// executor is the file by which a core package is known.
const executor = "heron-core/bin/heron-executor"

// responseTimeout bounds the wait for a server's first answer; the transfer
// itself takes the time it takes.
const responseTimeout = 30 * time.Second

// Core puts a heron-core package, a file or an http(s) URL, at
// dist/heron-core.tar.gz below the prefix. It is checked on the way: its
// digest, if one is given in hex, and that it holds an executor. A package
// that fails leaves nothing.
func Core(ctx context.Context, prefix, source, sha256hex string) (Done, error) {
	target := filepath.Join(prefix, "dist", "heron-core.tar.gz")
	if sha256hex != "" && !digestForm.MatchString(sha256hex) {
		return Done{}, &CoreError{source, fmt.Sprintf("%q is not a SHA-256; give its 64 hex digits", sha256hex)}
	}
	src, err := openCore(ctx, source)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Done{}, &CoreError{source, "there is no such file"}
	case err != nil:
		return Done{}, fmt.Errorf("heron-core from %s: %w", source, err)
	}
	defer src.Close()
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return Done{}, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(target), ".heron-core.*")
	if err != nil {
		return Done{}, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	sum := sha256.New()
	if err := checkCore(io.TeeReader(src, io.MultiWriter(tmp, sum)), source); err != nil {
		return Done{}, err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); sha256hex != "" && !strings.EqualFold(got, sha256hex) {
		return Done{}, &CoreError{source, fmt.Sprintf("its SHA-256 is %s, not %s; nothing was installed", got, sha256hex)}
	}
	if err := tmp.Chmod(0o644); err != nil {
		return Done{}, err
	}
	if err := tmp.Close(); err != nil {
		return Done{}, fmt.Errorf("write %s: %w", target, err)
	}
	if err := os.Rename(tmp.Name(), target); err != nil {
		return Done{}, err
	}
	return Done{Path: target, What: Written}, nil
}

func openCore(ctx context.Context, source string) (io.ReadCloser, error) {
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return os.Open(strings.TrimPrefix(source, "file://"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, err
	}
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("no HTTP transport")
	}
	transport := base.Clone()
	transport.ResponseHeaderTimeout = responseTimeout
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	return resp.Body, nil
}

// checkCore reads the whole of r and looks for the executor in it.
func checkCore(r io.Reader, source string) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return &CoreError{source, "not a .tar.gz: " + err.Error()}
	}
	t, found := tar.NewReader(z), false
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("heron-core from %s: read the archive: %w", source, err)
		}
		found = found || strings.TrimPrefix(h.Name, "./") == executor
	}
	// What stands behind the archive belongs to the file, and to its digest.
	if _, err := io.Copy(io.Discard, z); err != nil {
		return fmt.Errorf("heron-core from %s: read the archive: %w", source, err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("heron-core from %s: %w", source, err)
	}
	if !found {
		return &CoreError{source, "it has no " + executor}
	}
	return nil
}
