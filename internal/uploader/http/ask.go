package http

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/heron-nomad/heron/internal/uploader"
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 10

// answer is what a server answers.
type answer struct {
	status int
	header http.Header
	// body is the beginning, cut says that there is more.
	body []byte
	cut  bool
	// length is that of the whole body as announced, -1 where it is not.
	length int64
}

// text is the status for people.
func (a *answer) text() string {
	if name := http.StatusText(a.status); name != "" {
		return fmt.Sprintf("%d %s", a.status, name)
	}
	return fmt.Sprint(a.status)
}

// ask sends a request without a body, with the given client and, with the own
// one, signed.
func (h *Uploader) ask(ctx context.Context, client *http.Client, method string, u *url.URL, header http.Header) (*answer, error) {
	rctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(rctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set("User-Agent", userAgent())
	if client == h.own {
		h.sign(req)
	}
	a, err := h.do(client, req, askLimit, cancel)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, h.networkError(err)
	}
	return a, nil
}

// do sends a request and reads the answer, the latter within a limit, after
// which it is aborted.
func (h *Uploader) do(client *http.Client, req *http.Request, limit time.Duration, abort func()) (*answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	defer time.AfterFunc(limit, abort).Stop()
	a := &answer{status: resp.StatusCode, header: resp.Header, length: resp.ContentLength}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if len(a.body) > maxAnswer {
		a.body, a.cut = a.body[:maxAnswer], true
	}
	// Of a refusal the status is enough.
	if err != nil && a.status >= 200 && a.status < 300 {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return a, nil
}

// networkError gives an error of the connection its class.
func (h *Uploader) networkError(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		// Its text has the URL with its query.
		err = failed.Err
	}
	var untrusted *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	var alert *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &untrusted):
		return fmt.Errorf("%w: its certificate is not accepted: %w; name its authority in heron.uploader.http.tls.ca.cert, or its name in heron.uploader.http.tls.server.name",
			uploader.ErrTarget, untrusted.Err)
	case errors.As(err, &notTLS), errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%w: the server does not speak TLS; is it http://?", uploader.ErrTarget)
	case errors.As(err, &alert) && alert.Op == "remote error":
		// With TLS 1.3 that comes after the handshake.
		return fmt.Errorf("%w: the server refuses TLS with this client: %w; does it want another certificate (heron.uploader.http.tls.client.cert)?", uploader.ErrDenied, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: no answer in time: %w", uploader.ErrUnreachable, err)
	}
	return fmt.Errorf("%w: %w", uploader.ErrUnreachable, err)
}
