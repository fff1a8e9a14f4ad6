package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/proxyurl"
)

// maxRedirects is how often a server may send us on.
const maxRedirects = 10

// httpSource is a file of an HTTP server. Proxies are those of the
// environment: HTTP_PROXY, HTTPS_PROXY, NO_PROXY.
type httpSource struct {
	url       string
	client    *http.Client
	transport *http.Transport
}

func newHTTPSource(u *url.URL) (*httpSource, error) {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("no HTTP transport")
	}
	transport := base.Clone()
	proxy, err := proxyurl.FromEnvironment(os.Getenv)
	if err != nil {
		return nil, err
	}
	transport.Proxy = proxy
	// The file is wanted as it is, whatever it is packed with.
	transport.DisableCompression = true
	return &httpSource{
		url: u.String(), transport: transport,
		client: &http.Client{Transport: transport, CheckRedirect: checkRedirect},
	}, nil
}

// errRedirect ends a request that must not be followed further.
var errRedirect = errors.New("the server sends on")

func checkRedirect(next *http.Request, before []*http.Request) error {
	if len(before) >= maxRedirects {
		return fmt.Errorf("%w more than %d times", errRedirect, maxRedirects)
	}
	if before[len(before)-1].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return fmt.Errorf("%w from https to %s, where anybody could change the file", errRedirect, next.URL.Scheme)
	}
	// It would hand a signature on to another server.
	next.Header.Del("Referer")
	return nil
}

func (s *httpSource) close() { s.transport.CloseIdleConnections() }

func (s *httpSource) open(ctx context.Context, from int64, tag string) (*answer, *failure) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, lasting(ErrInput, "%w", bare(err))
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		req.Header.Set("If-Range", tag)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return nil, s.broken(err)
	}
	if from > 0 && resp.StatusCode == http.StatusPartialContent && !isVersion(resp.Header, tag) {
		_ = resp.Body.Close()
		return s.open(ctx, 0, "")
	}
	a, failed := readAnswer(resp, from, tag)
	if failed != nil {
		// What is left of a short body lets the connection be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, 4096)
		_ = resp.Body.Close()
	}
	return a, failed
}

// readAnswer takes the file, or the rest of the version that the tag names.
func readAnswer(resp *http.Response, from int64, tag string) (*answer, *failure) {
	a := &answer{body: resp.Body, size: resp.ContentLength}
	switch {
	case resp.StatusCode == http.StatusOK:
		a.tag = validator(resp.Header)
		return a, nil
	case resp.StatusCode == http.StatusPartialContent && from > 0:
		a.tag = tag
		var ok bool
		if a.from, a.size, ok = contentRange(resp.Header.Get("Content-Range")); !ok {
			return nil, lasting(ErrRefused, "the server sends a part of the file and does not say which")
		}
		return a, nil
	}
	return nil, statusFailure(resp)
}

// statusFailure is what an answer without the file means.
func statusFailure(resp *http.Response) *failure {
	err := fmt.Errorf("the server answered %s", resp.Status)
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound, code == http.StatusGone:
		return &failure{err: err, class: ErrNotFound}
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return &failure{err: err, class: ErrDenied}
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests,
		code >= 500 && code != http.StatusNotImplemented && code != http.StatusHTTPVersionNotSupported,
		code == http.StatusRequestedRangeNotSatisfiable:
		return later(err, resp.Header.Get("Retry-After"))
	}
	return &failure{err: err, class: ErrRefused}
}

// later is a failure after which the server wants to be left alone for a
// while.
func later(err error, retryAfter string) *failure {
	f := passing(err)
	if seconds, err := strconv.Atoi(retryAfter); err == nil {
		f.after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(retryAfter); err == nil {
		f.after = time.Until(at)
	}
	if f.after > maxRetryAfter {
		f.again = false
		f.err = fmt.Errorf("%w and asks to come back in %s", err, f.after.Round(time.Second))
	}
	f.after = max(f.after, 0)
	return f
}

// settled is how much older than an answer a file's last change must be for
// its time to name one version. Times are in whole seconds, and those of the
// file and of the answer may come from different clocks.
const settled = time.Minute

// validator is what may stand in If-Range (RFC 9110, sections 8.8.2.2 and
// 13.1.5): a strong entity tag; where there is no tag at all, the time of the
// last change, if the file could not have changed again within that second.
// It is "" where nothing tells one version of the file from another.
func validator(h http.Header) string {
	if tags := h.Values("ETag"); len(tags) > 0 {
		if len(tags) == 1 && strings.HasPrefix(tags[0], `"`) {
			return tags[0]
		}
		return ""
	}
	changed, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	answered, err := http.ParseTime(h.Get("Date"))
	if err != nil || answered.Sub(changed) < settled {
		return ""
	}
	return h.Get("Last-Modified")
}

// isVersion says whether the answer to a request for a part may be of the
// version that the request named. Headers may be left out of it.
func isVersion(h http.Header, tag string) bool {
	if etag := h.Get("ETag"); etag != "" {
		return etag == tag
	}
	changed := h.Get("Last-Modified")
	return strings.HasPrefix(tag, `"`) || changed == "" || changed == tag
}

// contentRange reads "bytes from-to/size"; size is -1 where it is "*".
func contentRange(text string) (from, size int64, ok bool) {
	span, isBytes := strings.CutPrefix(text, "bytes ")
	span, total, hasTotal := strings.Cut(span, "/")
	first, _, hasEnd := strings.Cut(span, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	if !isBytes || !hasTotal || !hasEnd || err != nil || from < 0 {
		return 0, 0, false
	}
	if total == "*" {
		return from, -1, true
	}
	size, err = strconv.ParseInt(total, 10, 64)
	return from, size, err == nil && size > from
}

// broken is what an error of a connection means. All pass but those that say
// that this is the wrong server.
func (*httpSource) broken(err error) *failure {
	err = bare(err)
	var (
		certificate *tls.CertificateVerificationError
		noTLS       tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, errRedirect):
		return &failure{err: err, class: ErrRefused}
	case errors.As(err, &certificate), errors.As(err, &noTLS):
		return &failure{err: err, class: ErrUnreachable}
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the connection was closed in the middle of the file")
	}
	return passing(err)
}
