package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/uploader"
)

// maxFetchURI is how long the URI of a package may be.
const maxFetchURI = 4 << 10

// checkFetchURI says why the nodes could not fetch a package by a text, or it
// could not be recorded; "" where they can. Nomad fetches http, https and s3;
// of file the start script takes the path.
func checkFetchURI(text string) (*url.URL, string) {
	switch {
	case text == "":
		return nil, "is empty"
	case strings.HasPrefix(text, "<"), strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["), strings.HasPrefix(text, `"`):
		return nil, "is no URI but HTML or JSON"
	case !uriText.MatchString(text):
		return nil, "is no URI: it has characters that no URI has"
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, "is no URI"
	}
	switch u.Scheme {
	case "http", "https", "s3":
		if u.Hostname() == "" || u.Opaque != "" {
			return nil, "names no host"
		}
	case "file":
		if u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/") || strings.Contains(text, "%") || u.RawQuery != "" || uploader.Unfit(u.Path) != "" {
			return nil, "is no file:// with an absolute path"
		}
	case "":
		return nil, "is not absolute"
	default:
		return nil, "is of a scheme that nodes do not fetch; http, https, s3 and file are"
	}
	query := u.Query()
	switch {
	case u.User != nil:
		return nil, "has a user or password in it, which everybody would see who sees the job"
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return nil, "has a fragment (#)"
	case strings.Contains(u.EscapedPath(), "//"):
		return nil, "has // in its path, behind which Nomad's fetcher looks for a folder in an archive"
	case query.Has("archive") || query.Has("checksum") || query.Has("filename"):
		return nil, "has a parameter archive, checksum or filename, which Nomad's fetcher keeps for itself"
	}
	return u, ""
}

// uriText is what RFC 3986 lets a URI consist of. Braces are not among it, so
// that there is nothing for Nomad to replace.
var uriText = lazyregexp.New(`^[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+$`)

// signedURL says whether a URI lets in whoever has it.
func signedURL(u *url.URL) bool {
	for name := range u.Query() {
		switch strings.ToLower(name) {
		case "x-amz-signature", "x-goog-signature", "signature", "sig", "token", "access_token":
			return true
		}
	}
	return false
}

// verifyWaits are the pauses between looks for a package that is not to be
// had yet.
func verifyWaits() []time.Duration {
	return []time.Duration{100 * time.Millisecond, 400 * time.Millisecond}
}

// verify makes sure that the nodes can fetch a package. They have no token and
// no client certificate, so neither is shown.
func (h *Uploader) verify(ctx context.Context, where uploader.Location, size int64) error {
	u, reason := checkFetchURI(where.Fetch)
	if reason != "" {
		return fmt.Errorf("%w: the package's URI %s", uploader.ErrTarget, reason)
	}
	if h.settings.HTTP.NoVerify || u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	var err error
	for i := 0; ; i++ {
		var mayPass bool
		if mayPass, err = h.fetchable(ctx, u, size); err == nil || ctx.Err() != nil {
			break
		}
		waits := verifyWaits()
		if !mayPass || i == len(waits) {
			break
		}
		timer := time.NewTimer(waits[i])
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%w: nodes cannot fetch the package from %s, which is where the server says it is: %s", uploader.ErrTarget, h.hide(showURL(u)), h.safe(err.Error()))
	}
	return nil
}

// fetchable asks for a package without reading it, and says whether a reason
// against it may pass. HEAD is not answered everywhere, nor is it allowed by a
// signature for GET: then the first byte is asked for.
func (h *Uploader) fetchable(ctx context.Context, u *url.URL, size int64) (mayPass bool, err error) {
	a, err := h.ask(ctx, h.nodes, http.MethodHead, u, nil)
	if err == nil && a.status != http.StatusOK {
		a, err = h.ask(ctx, h.nodes, http.MethodGet, u, http.Header{"Range": {"bytes=0-0"}})
	}
	if err != nil {
		mayPass = errors.Is(err, uploader.ErrUnreachable)
		return mayPass, fmt.Errorf("%w (if only this machine cannot reach it, set heron.uploader.http.verify: false)", err)
	}
	length := a.length
	switch s := a.status; {
	case s == http.StatusOK:
	case s == http.StatusPartialContent, s == http.StatusRequestedRangeNotSatisfiable && size == 0:
		_, total, _ := strings.Cut(a.header.Get("Content-Range"), "/")
		if length, err = strconv.ParseInt(total, 10, 64); err != nil {
			length = -1
		}
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		return false, fmt.Errorf("it answers %s, and nodes have no token; let it give packages out without, or with a signature in the URI", a.text())
	default:
		return s == http.StatusNotFound || s == http.StatusTooManyRequests || s >= 500, fmt.Errorf("it answers %s", a.text())
	}
	if length >= 0 && length != size {
		return false, fmt.Errorf("what lies there has %d bytes, the package %d", length, size)
	}
	return false, nil
}
