// Package http posts topology packages to an HTTP server.
//
// The server stores packages under names of its own and answers with the URI of
// each. The protocol is that of the original's HTTP uploader and API server:
// one POST of multipart/form-data with the one part "file"; the body of the
// answer is the URI. Beyond that a server may support DELETE on that URI, and
// use what the headers say (see newPost).
package http

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/uploader"
)

const keyURI = "heron.uploader.http.uri"

// Uploader posts packages to one server.
type Uploader struct {
	settings conf.Upload
	// target is where to post to; shown is that without its query, for people.
	target *url.URL
	shown  string
	token  string
	// own signs in, nodes does as nodes do: no token, no client certificate.
	own, nodes *http.Client
	// grace is how long the answer to a cancelled upload is waited for.
	grace time.Duration
}

var _ uploader.Uploader = (*Uploader)(nil)

// New makes the uploader; it reads the files for TLS and connects to
// nothing.
func New(settings conf.Upload, opts uploader.Options) (*Uploader, error) {
	s := settings.HTTP
	target, err := url.Parse(s.URI)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Hostname() == "" || target.User != nil {
		// The value may hold a password.
		return nil, &uploader.ConfigError{What: keyURI, Reason: "must be an http or https URI with a host and without a user"}
	}
	h := &Uploader{settings: settings, target: target, shown: showURL(target), token: string(s.Token), grace: answerGrace}
	if settings.StallTimeout > 0 {
		h.grace = min(h.grace, settings.StallTimeout)
	}
	if h.own, h.nodes, err = newClients(s, opts); err != nil {
		return nil, err
	}
	return h, nil
}

// Capabilities implements uploader.Uploader. The server chooses names, so that an
// upload cannot be found again by that of its package.
func (h *Uploader) Capabilities() uploader.Capabilities {
	return uploader.Capabilities{Delete: !h.settings.HTTP.NoDelete}
}

// Locate implements uploader.Uploader: only the server knows.
func (h *Uploader) Locate(string) uploader.Location { return uploader.Location{} }

// List implements uploader.Uploader; the protocol has no way to ask.
func (h *Uploader) List(context.Context, string) iter.Seq2[uploader.Stored, error] {
	return func(yield func(uploader.Stored, error) bool) {
		yield(uploader.Stored{}, fmt.Errorf("list the packages of %s: %w: the protocol knows no list", h.shown, errors.ErrUnsupported))
	}
}

// Close implements uploader.Uploader. Every request has a connection of its own, which
// ends with it.
func (h *Uploader) Close() error { return nil }

// Check implements uploader.Uploader: it asks the server what it allows (OPTIONS) and
// leaves nothing there. Servers are free not to know OPTIONS. So only what
// cannot be meant otherwise is an error: no connection, no TLS, 401 and 403, a
// gateway without its server, and a list of methods without POST.
func (h *Uploader) Check(ctx context.Context) error {
	a, err := h.ask(ctx, h.own, http.MethodOptions, h.target, nil)
	if err != nil {
		return fmt.Errorf("check %s: %w", h.shown, err)
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fmt.Errorf("check %s: %w", h.shown, h.statusError(a, 0))
	case http.StatusOK, http.StatusNoContent, http.StatusMethodNotAllowed:
		if allow := a.header.Values("Allow"); len(allow) > 0 && !listsMethod(allow, http.MethodPost) {
			return fmt.Errorf("check %s: %w: the server takes no POST there, only %s; set %s to where it does",
				h.shown, uploader.ErrTarget, h.safe(strings.Join(allow, ", ")), keyURI)
		}
	}
	return nil
}

// listsMethod says whether an Allow header names a method.
func listsMethod(allow []string, method string) bool {
	for _, line := range allow {
		for name := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(name), method) {
				return true
			}
		}
	}
	return false
}

// Upload implements uploader.Uploader. The package is posted once; then it is looked at
// as a node would, and removed again where no node could fetch it.
//
// An error that comes when the server may have the package already, and does
// not give it back, is a *LeftoverError.
func (h *Uploader) Upload(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	if err := uploader.CheckSource(src); err != nil {
		return uploader.Location{}, err
	}
	where, err := h.post(ctx, src)
	if err != nil {
		return uploader.Location{}, fmt.Errorf("upload to %s: %w", h.shown, err)
	}
	if err = ctx.Err(); err == nil {
		err = h.verify(ctx, where, src.Size)
	}
	if err != nil {
		return uploader.Location{}, h.takeBack(ctx, where.URI, fmt.Errorf("upload to %s: %w", h.shown, err))
	}
	return where, nil
}

// takeBack removes a package that was uploaded in vain, because of err.
func (h *Uploader) takeBack(ctx context.Context, uri string, err error) error {
	ctx, cancel := uploader.Cleanup(ctx, h.settings)
	defer cancel()
	if derr := h.Delete(ctx, uri); derr != nil {
		return &uploader.LeftoverError{What: outcome.Resource{Kind: outcome.Package, ID: h.hide(uri)}, Why: derr.Error(), Err: err}
	}
	return err
}

// Delete implements uploader.Uploader, by an HTTP DELETE on the package's URI. Only the
// server that takes the uploads is asked, for the token is meant for no other.
// Where the package is elsewhere, or the server does not delete, the error
// wraps errors.ErrUnsupported.
func (h *Uploader) Delete(ctx context.Context, uri string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := h.delete(ctx, uri); err != nil {
		return fmt.Errorf("delete %s: %w", h.safe(uri), err)
	}
	return nil
}

func (h *Uploader) delete(ctx context.Context, uri string) error {
	u, reason := checkFetchURI(uri)
	switch {
	case reason != "":
		return fmt.Errorf("%w: it %s", uploader.ErrForeign, reason)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: the server at %s keeps it in another place; remove it there", errors.ErrUnsupported, h.shown)
	case sameOrigin(u, h.target) && (u.Path == h.target.Path && u.RawQuery == h.target.RawQuery || strings.Trim(u.Path, "/") == ""):
		return fmt.Errorf("%w: it is the server itself", uploader.ErrForeign)
	case h.settings.HTTP.NoDelete:
		return fmt.Errorf("%w: heron.uploader.http.delete is false; remove it at the server", errors.ErrUnsupported)
	case !sameOrigin(u, h.target):
		return fmt.Errorf("%w: it is not at %s, the only server that is asked to delete; remove it there", errors.ErrUnsupported, origin(h.target))
	}
	a, err := h.ask(ctx, h.own, http.MethodDelete, u, nil)
	if err != nil {
		return err
	}
	switch {
	case a.status >= 200 && a.status < 300, a.status == http.StatusGone:
		return nil
	case a.status == http.StatusNotFound:
		// Some servers know paths by method and mean the method.
		if there, err := h.ask(ctx, h.own, http.MethodHead, u, nil); err == nil && there.status == http.StatusOK {
			return fmt.Errorf("%w: the server answers 404 to DELETE and still has it; remove it there", errors.ErrUnsupported)
		}
		return nil
	case a.status == http.StatusMethodNotAllowed, a.status == http.StatusNotImplemented:
		return fmt.Errorf("%w: the server answers %s to DELETE; remove it there, and set heron.uploader.http.delete: false", errors.ErrUnsupported, a.text())
	}
	return h.statusError(a, 0)
}
