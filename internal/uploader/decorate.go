package uploader

import (
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

// Decorate adds what all uploaders share: retries, rate limit, progress and
// the watch for stalls, as the settings say.
func Decorate(u Uploader, s conf.Upload, opts Options) Uploader {
	// Each layer adds one thing and passes the rest through; it sees the
	// source closer to the reader than the layers above it. So progress and
	// the watch for stalls see each small step that the limit lets through,
	// and a retry begins with all of them anew.
	if s.RateLimit > 0 {
		u = newLimited(u, s.RateLimit)
	}
	// A folder gives no sign of life while it is flushed, and what hangs there
	// cannot be cancelled.
	if s.StallTimeout > 0 && s.Kind != "localfs" {
		u = &guarded{Uploader: u, limit: s.StallTimeout, end: endLimit(s)}
	}
	if opts.Progress != nil {
		u = &metered{Uploader: u, sink: opts.Progress}
	}
	return &retrying{Uploader: u, count: s.Retries, sink: opts.Progress}
}

// endLimit is how long an upload may take once all is read: what is still in
// buffers, and what the server does with it.
func endLimit(s conf.Upload) time.Duration {
	answer := time.Duration(0)
	if s.Kind == "http" {
		answer = s.HTTP.ResponseTimeout
	}
	return max(5*s.StallTimeout, s.StallTimeout+answer)
}
