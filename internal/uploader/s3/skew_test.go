package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// clockServer is an S3 server of one object whose clock differs from ours. Of a
// signature it looks at the time alone, as S3 does: requests may be a quarter of
// an hour off, URLs hold from their time on until they expire.
type clockServer struct {
	URL string

	ahead time.Duration
	// answer, unless nil, answers those who have no credentials instead.
	answer http.HandlerFunc

	mu      sync.Mutex
	object  []byte
	digest  string
	parts   map[string][]byte
	fetched []*http.Request
}

func newClockServer(t *testing.T, ahead time.Duration) *clockServer {
	t.Helper()
	s := &clockServer{ahead: ahead, parts: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

const (
	maxSkew  = 15 * time.Minute
	amzForm  = "20060102T150405Z"
	xmlError = `<?xml version="1.0"?><Error><Code>%s</Code><Message>%[1]s</Message></Error>`
)

func (s *clockServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Add(s.ahead)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	query := r.URL.Query()
	if r.Header.Get("Authorization") == "" {
		s.fetched = append(s.fetched, r)
		if s.answer != nil {
			s.answer(w, r)
			return
		}
		at, err := time.Parse(amzForm, query.Get("X-Amz-Date"))
		seconds, _ := strconv.Atoi(query.Get("X-Amz-Expires"))
		if r.Method != http.MethodGet || err != nil || at.After(now.Add(maxSkew)) || now.After(at.Add(time.Duration(seconds)*time.Second)) || s.object == nil {
			fail(w, http.StatusForbidden, "AccessDenied")
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.object))
		return
	}
	if at, err := time.Parse(amzForm, r.Header.Get("X-Amz-Date")); err != nil || at.Sub(now).Abs() > maxSkew {
		fail(w, http.StatusForbidden, "RequestTimeTooSkewed")
		return
	}
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		s.digest = r.Header.Get("X-Amz-Meta-" + digestMetadata)
		_, _ = io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == http.MethodPut && query.Has("partNumber"):
		s.parts[query.Get("partNumber")] = body
		w.Header().Set("ETag", `"x"`)
	case r.Method == http.MethodPut:
		s.object, s.digest = []byte{}, r.Header.Get("X-Amz-Meta-"+digestMetadata)
	case r.Method == http.MethodPost:
		s.object = []byte{}
		for i := range len(s.parts) {
			s.object = append(s.object, s.parts[strconv.Itoa(i+1)]...)
		}
		_, _ = io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == http.MethodHead && s.object != nil:
		w.Header().Set("Content-Length", strconv.Itoa(len(s.object)))
		w.Header().Set("X-Amz-Meta-"+digestMetadata, s.digest)
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodDelete:
		s.object = nil
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet && query.Has("uploads"):
		_, _ = io.WriteString(w, `<ListMultipartUploadsResult></ListMultipartUploadsResult>`)
	default:
		fail(w, http.StatusNotFound, "NoSuchKey")
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, xmlError, code)
}

func (s *clockServer) uploader(t *testing.T, fetch string, expiry time.Duration) *Uploader {
	t.Helper()
	return newS3(t, conf.S3Upload{
		Bucket: "packages", AccessKey: "a", SecretKey: "hidden", Region: "us-east-1", Endpoint: s.URL, PathStyle: true,
		PartSize: conf.MinS3Part, Concurrency: 3, Fetch: fetch, PresignExpiry: expiry,
	})
}

// A presigned URL is judged by the server's clock, and ours may differ.
func TestPresignedURLsHoldWhateverOurClockSays(t *testing.T) {
	withoutAWS(t)
	for _, ahead := range []time.Duration{-25 * time.Minute, 25 * time.Minute, -48 * time.Hour, 48 * time.Hour, -14 * time.Minute, 0} {
		for _, size := range []int{0, 10, conf.MinS3Part + 1} {
			s := newClockServer(t, ahead)
			u := s.uploader(t, "presigned", 10*time.Minute)
			if err := u.Check(t.Context()); err != nil {
				t.Errorf("%s: check: %v", ahead, err)
			}
			src, data := uploadertest.Source(uploadertest.Folder, size)
			// The second time it is there.
			for range 2 {
				where, err := u.Upload(t.Context(), src)
				if err != nil {
					t.Fatalf("%s, %d bytes: %v", ahead, size, err)
				}
				resp, err := http.Get(where.Fetch)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(got, data) {
					t.Errorf("%s, %d bytes: a node gets %s, %d bytes, %v", ahead, size, resp.Status, len(got), err)
				}
			}
		}
	}
}

// What nodes could not fetch is an error at once, and is not left there.
func TestPackagesThatNodesCannotFetchFromS3(t *testing.T) {
	withoutAWS(t)
	for _, fetch := range []string{"presigned", "public"} {
		for label, c := range map[string]struct {
			answer http.HandlerFunc
			class  error
			says   string
		}{
			"denied":     {func(w http.ResponseWriter, _ *http.Request) { fail(w, 403, "AccessDenied") }, uploader.ErrTarget, "403 Forbidden (AccessDenied)"},
			"not there":  {func(w http.ResponseWriter, _ *http.Request) { fail(w, 404, "NoSuchKey") }, uploader.ErrTarget, "404 Not Found (NoSuchKey)"},
			"busy":       {func(w http.ResponseWriter, _ *http.Request) { fail(w, 503, "SlowDown") }, uploader.ErrUnreachable, "503"},
			"other size": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "other") }, uploader.ErrTarget, "has 5 bytes, the package 10"},
			"no end":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) }, uploader.ErrUnreachable, "redirects more than"},
			"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
			}, uploader.ErrUnreachable, "redirects more than"},
			"hanging up ": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, uploader.ErrUnreachable, "EOF"},
		} {
			s := newClockServer(t, 0)
			s.answer = c.answer
			src, _ := uploadertest.Source(uploadertest.Folder, 10)
			where, err := s.uploader(t, fetch, time.Hour).Upload(t.Context(), src)
			if !errors.Is(err, c.class) || where.URI != "" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %s: got %v, %v; want %v with %q", fetch, label, where, err, c.class, c.says)
			}
			for _, secret := range []string{"Signature", "X-Amz", "hidden"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s, %s: a secret is shown: %v", fetch, label, err)
				}
			}
			if s.object != nil {
				t.Errorf("%s, %s: the package was left", fetch, label)
			}
			for _, r := range s.fetched {
				if r.Referer() != "" {
					t.Errorf("%s, %s: the URL was handed on: %s", fetch, label, r.Referer())
				}
			}
		}
	}
}

// A server that is busy for a moment has the package nevertheless.
func TestALookIsRepeated(t *testing.T) {
	withoutAWS(t)
	s := newClockServer(t, 0)
	s.answer = func(w http.ResponseWriter, _ *http.Request) {
		s.answer = nil
		fail(w, http.StatusServiceUnavailable, "SlowDown")
	}
	src, _ := uploadertest.Source(uploadertest.Folder, 10)
	if _, err := s.uploader(t, "presigned", time.Hour).Upload(t.Context(), src); err != nil || len(s.fetched) != 2 {
		t.Errorf("%v after %d looks", err, len(s.fetched))
	}
}
