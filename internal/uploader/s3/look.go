package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/uploader"
)

const (
	// lookAgain is how often an object is asked for that is not to be had yet,
	// lookWait the pause before each.
	lookAgain = 2
	lookWait  = 300 * time.Millisecond
	// maxRedirects is how often a server may send us on; it is Go's own limit.
	maxRedirects = 10
)

// codeText finds the code in what S3 says about an error.
var codeText = lazyregexp.New(`<Code>([A-Za-z0-9.]+)</Code>`)

// look fetches a byte of an object of this size as nodes do, without
// credentials. The address may hold a signature, and no error shows it.
func (s *Uploader) look(ctx context.Context, address, shown string, size int64, hint string) error {
	for n := 0; ; n++ {
		err := s.lookOnce(ctx, address, shown, size, hint)
		if err == nil || n == lookAgain || !errors.Is(err, uploader.ErrUnreachable) {
			return err
		}
		timer := time.NewTimer(lookWait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func (s *Uploader) lookOnce(ctx context.Context, address, shown string, size int64, hint string) error {
	doing := "fetch " + shown + " as nodes will"
	bounded, cancel := control(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(bounded, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%s: %w: it has no valid URL", doing, uploader.ErrTarget)
	}
	if size > 0 {
		req.Header.Set("Range", "bytes=0-0")
	}
	nodes := &http.Client{Transport: s.web.GetTransport(), CheckRedirect: followQuietly}
	resp, err := nodes.Do(req)
	if err != nil {
		return s.fault(ctx, doing, err)
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	_ = resp.Body.Close()
	length := resp.ContentLength
	switch resp.StatusCode {
	case http.StatusPartialContent:
		_, total, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
		if length, err = strconv.ParseInt(total, 10, 64); err != nil {
			length = -1
		}
	case http.StatusOK:
	default:
		failed := &requestError{doing: doing, class: uploader.ErrTarget, status: resp.StatusCode, why: "the answer is " + resp.Status, hint: hint}
		if m := codeText.FindSubmatch(text); m != nil {
			failed.code = string(m[1])
			failed.why += " (" + failed.code + ")"
		}
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
			failed.class, failed.hint = uploader.ErrUnreachable, ""
		}
		return failed
	}
	if length >= 0 && length != size {
		return &requestError{doing: doing, class: uploader.ErrTarget, status: resp.StatusCode,
			why: fmt.Sprintf("what is there has %d bytes, the package %d", length, size)}
	}
	return nil
}

// followQuietly goes where a server sends us, without naming the URL that it
// was sent from: it may hold a signature.
func followQuietly(next *http.Request, before []*http.Request) error {
	if len(before) >= maxRedirects {
		return fmt.Errorf("the server redirects more than %d times", maxRedirects)
	}
	next.Header.Del("Referer")
	return nil
}
