package http

import (
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

// retryLaterError is an error that may pass, with the time that the server
// asks to wait.
type retryLaterError struct {
	error
	after time.Duration
}

func (e *retryLaterError) Unwrap() error { return e.error }

// RetryAfter is the least time to wait before the next try.
func (e *retryLaterError) RetryAfter() time.Duration { return e.after }

// statusError is what a refusal means; size is that of the package that was
// refused.
func (h *Uploader) statusError(a *answer, size int64) error {
	class, hint := uploader.ErrTarget, ""
	switch s := a.status; {
	case s >= 300 && s < 400:
		hint = "packages are not posted on"
		if to, err := url.Parse(a.header.Get("Location")); err == nil && to.String() != "" {
			hint += fmt.Sprintf("; set %s to %s if that is right", keyURI, h.safe(showURL(h.target.ResolveReference(to))))
		}
	case s == http.StatusUnauthorized && h.token == "":
		class, hint = uploader.ErrDenied, "it wants a token: set HERON_UPLOADER_HTTP_TOKEN or heron.uploader.http.token.file"
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		class, hint = uploader.ErrDenied, "check the token (HERON_UPLOADER_HTTP_TOKEN, heron.uploader.http.token.file) and what it may do"
	case s == http.StatusProxyAuthRequired:
		class, hint = uploader.ErrDenied, "it is the proxy that wants a password: HTTP_PROXY, HTTPS_PROXY"
	case s == http.StatusNotFound, s == http.StatusGone, s == http.StatusMethodNotAllowed:
		hint = "check " + keyURI
	case s == http.StatusRequestEntityTooLarge:
		hint = fmt.Sprintf("it takes no package of %d bytes; raise its limit (nginx: client_max_body_size)", size)
	case s == http.StatusInsufficientStorage:
		hint = "it is full: make room there"
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500:
		class, hint = uploader.ErrUnreachable, ""
	}
	text := "the server answers " + a.text()
	if said := h.said(a); said != "" {
		text += " and says " + said
	}
	if hint != "" {
		text += "; " + hint
	}
	err := fmt.Errorf("%w: %s", class, text)
	if errors.Is(class, uploader.ErrUnreachable) {
		return &retryLaterError{err, retryAfter(a.header.Get("Retry-After"), time.Now())}
	}
	return err
}

// mayHaveStored says whether a server that answers so to a whole package may
// have kept it: it failed itself, or one behind it did. 429 and 503 say that
// nothing was done, 507 that it could not be kept.
func (a *answer) mayHaveStored() bool {
	return a.status >= 500 && a.status != http.StatusServiceUnavailable && a.status != http.StatusInsufficientStorage
}

// retryAfter reads the header of that name, which is seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// said is what a server says about a refusal, if it is for people to read.
func (h *Uploader) said(a *answer) string {
	text := strings.TrimSpace(string(a.body))
	if text == "" || strings.HasPrefix(text, "<") {
		return ""
	}
	return h.excerpt(text)
}

// excerptLength is how much of a foreign text an error shows, in bytes.
const excerptLength = 120

// excerpt quotes the beginning of what a server sent.
func (h *Uploader) excerpt(text string) string {
	if text == "" {
		return "nothing"
	}
	text = h.safe(text)
	if len(text) > excerptLength {
		return strconv.Quote(strings.ToValidUTF8(text[:excerptLength], "")) + "…"
	}
	return strconv.Quote(text)
}

// safe takes out of a foreign text what may be a secret: our token, the user
// and password of a URI, and its query.
func (h *Uploader) safe(text string) string {
	return queryText.ReplaceAllString(userText.ReplaceAllString(h.hide(text), "//(hidden)@"), "?…")
}

// hide takes our token out of a foreign text.
func (h *Uploader) hide(text string) string {
	if h.token == "" {
		return text
	}
	return strings.ReplaceAll(text, h.token, "(hidden)")
}

var (
	userText  = lazyregexp.New(`//[^/\s"]*@`)
	queryText = lazyregexp.New(`\?[^\s"<]+`)
)
