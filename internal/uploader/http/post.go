package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/uploader"
)

const (
	// expectFrom is the size from which the server is asked whether it wants
	// the package before it is sent.
	expectFrom = 1 << 20
	// answerGrace is how long a cancelled upload of which all was sent waits
	// for the answer: without it nobody knows what to remove.
	answerGrace = 5 * time.Second
)

// post uploads the package and returns where the server says it is.
func (h *Uploader) post(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	a, whole, err := h.postOnce(ctx, src, src.Size >= expectFrom)
	if err == nil && a.status == http.StatusExpectationFailed && !whole {
		a, whole, err = h.postOnce(ctx, src, false)
	}
	switch {
	case err != nil:
		return uploader.Location{}, err
	case a.status >= 300:
		err := h.statusError(a, src.Size)
		if whole && a.mayHaveStored() {
			return uploader.Location{}, h.lost(src, "the server failed after it had been sent", err)
		}
		return uploader.Location{}, err
	case !whole:
		return uploader.Location{}, fmt.Errorf("%w: the server answers %s before it has the package; is that where packages are posted?", uploader.ErrTarget, a.text())
	}
	where, err := h.readAnswer(a)
	if err != nil {
		return uploader.Location{}, h.lost(src, "the server did not say where it is", err)
	}
	return where, nil
}

// lost is an error after which nobody knows whether the server has the
// package, and under which name.
func (h *Uploader) lost(src uploader.Source, why string, err error) error {
	return &uploader.LeftoverError{
		What: outcome.Resource{Kind: outcome.Package, ID: src.Name, Where: h.shown}, Why: "perhaps stored: " + why, Err: err,
	}
}

// postOnce posts the package and returns the answer, and whether the server
// may have all of it.
func (h *Uploader) postOnce(ctx context.Context, src uploader.Source, expect bool) (_ *answer, whole bool, _ error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	body, err := newBody(ctx, src)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = body.Close() }()
	// The request outlives ctx where all has been sent and the answer is to
	// come.
	rctx, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer context.AfterFunc(ctx, func() {
		if body.stop() {
			time.AfterFunc(h.grace, abort)
		} else {
			abort()
		}
	})()
	req, err := h.newPost(rctx, src, body, expect)
	if err != nil {
		return nil, false, err
	}
	a, err := h.do(h.own, req, h.settings.HTTP.ResponseTimeout, abort)
	// From here on nothing more is sent. The transport may still hold the
	// body.
	tooLate := body.stop()
	abort()
	<-body.closed
	_, contentErr := body.state()
	switch {
	case tooLate && err != nil:
		if err = h.networkError(err); ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, true, h.lost(src, "all of it was sent, and no answer came", err)
	case ctx.Err() != nil && !tooLate:
		return nil, false, ctx.Err()
	case contentErr != nil && !errors.Is(contentErr, errStopped):
		return nil, false, contentErr
	case err != nil:
		return nil, false, h.networkError(err)
	}
	return a, tooLate, nil
}

// newPost is the request. The headers beyond those of the original:
//
//   - X-Heron-Package-Name is the package's name, escaped as in a URI, for a
//     server that keeps packages by name.
//   - X-Heron-Package-SHA256 is the package's digest in hex. The standard
//     fields (Content-Digest and Repr-Digest of RFC 9530) would be of the whole
//     message, which is known only when it has been sent; and a part of a form
//     must not have fields of its own (RFC 7578, section 4.8).
func (h *Uploader) newPost(ctx context.Context, src uploader.Source, body *body, expect bool) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.target.String(), body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = body.length
	req.Header.Set("Content-Type", body.contentType)
	req.Header.Set("Accept", "text/plain, */*;q=0.5")
	req.Header.Set("X-Heron-Package-Name", (&url.URL{Path: src.Name}).EscapedPath())
	req.Header.Set("X-Heron-Package-SHA256", src.SHA256)
	if expect {
		req.Header.Set("Expect", "100-continue")
	}
	h.sign(req)
	return req, nil
}

// sign puts in who asks. The token goes to the server of the uploads alone.
func (h *Uploader) sign(req *http.Request) {
	req.Header.Set("User-Agent", userAgent())
	if h.token != "" && sameOrigin(req.URL, h.target) {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
}

// readAnswer takes the package's URI from the body of an answer.
func (h *Uploader) readAnswer(a *answer) (uploader.Location, error) {
	text := strings.TrimSpace(string(a.body))
	refuse := func(reason string) (uploader.Location, error) {
		return uploader.Location{}, fmt.Errorf("%w: the server answers %s with %s, which %s; it has to answer with the URI of the package, and nothing else",
			uploader.ErrTarget, a.text(), h.excerpt(text), reason)
	}
	if a.cut || len(text) > maxFetchURI {
		return refuse("is too long")
	}
	u, reason := checkFetchURI(text)
	if reason != "" {
		return refuse(reason)
	}
	where := uploader.Location{URI: text, Fetch: text}
	if signedURL(u) {
		// Who has the signature gets in; so it goes into the job alone.
		plain := *u
		plain.RawQuery = ""
		where.URI = plain.String()
	}
	return where, nil
}
