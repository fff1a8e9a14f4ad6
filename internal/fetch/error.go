package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Classes of errors that callers tell apart.
var (
	// ErrInput: the URI or the digest is none.
	ErrInput = errors.New("bad input")
	// ErrNotFound: there is no such file.
	ErrNotFound = errors.New("not found")
	// ErrDenied: we may not read it.
	ErrDenied = errors.New("access denied")
	// ErrUnreachable: no answer in time, or one that says to try again, until
	// the tries were used up.
	ErrUnreachable = errors.New("unreachable")
	// ErrContent: what came is not what was asked for, in digest or size.
	ErrContent = errors.New("not the right file")
	// ErrRefused: the server answers with something else than the file.
	ErrRefused = errors.New("refused")
)

// Error is a file that could not be fetched.
type Error struct {
	// URI is where it should have come from, without what may be a secret.
	URI string
	// Class is one of the errors above.
	Class error
	Err   error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("fetch %s: %v", e.URI, e.Err) }

// Unwrap is the class and the reason.
func (e *Error) Unwrap() []error { return []error{e.Class, e.Err} }

// Kind implements the contract of package outcome.
func (e *Error) Kind() outcome.Kind {
	switch {
	case errors.Is(e.Class, ErrInput):
		return outcome.Usage
	case errors.Is(e.Class, ErrNotFound):
		return outcome.NotFound
	case errors.Is(e.Class, ErrDenied):
		return outcome.Denied
	case errors.Is(e.Class, ErrUnreachable):
		return outcome.Unreachable
	case errors.Is(e.Class, ErrContent):
		return outcome.Undone
	}
	return outcome.Failed
}

// failure is the end of one attempt.
type failure struct {
	err   error
	class error
	// again: the next attempt may succeed, after the given time at the
	// earliest.
	again bool
	after time.Duration
	// local: the error is one of the local file.
	local bool
}

func passing(err error) *failure { return &failure{err: err, class: ErrUnreachable, again: true} }

func lasting(class error, format string, args ...any) *failure {
	return &failure{err: fmt.Errorf(format, args...), class: class}
}

// Shown is a URI as it may be shown to anybody: without password, and without
// a query that may be a signature.
func Shown(uri string) string {
	getter, rest, forced := strings.Cut(uri, "::")
	if !forced {
		getter, rest = "", uri
	} else {
		getter += "::"
	}
	if !strings.Contains(rest, "://") {
		return uri
	}
	u, err := url.Parse(rest)
	if err != nil {
		scheme, _, _ := strings.Cut(rest, ":")
		return getter + scheme + ":…"
	}
	if u.User != nil {
		u.User = url.User("…")
	}
	query := u.RawQuery != ""
	u.RawQuery, u.Fragment = "", ""
	text := u.String()
	// A file's path is shown as it is, for people look for it.
	if u.Scheme == "file" {
		text = "file://" + u.Host + u.Path
	}
	if query {
		text += "?…"
	}
	return getter + strings.ReplaceAll(text, "%E2%80%A6@", "…@")
}

// bare is an error without the URL that the HTTP client and the parser put
// before it.
func bare(err error) error {
	var withURL *url.Error
	for errors.As(err, &withURL) {
		err = withURL.Err
	}
	return err
}
