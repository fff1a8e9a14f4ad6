package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// serve runs a server that answers as told and returns its URL.
func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

// wantNoSecret fails where an error shows what it must not.
func wantNoSecret(t *testing.T, err error) {
	t.Helper()
	if err != nil && (strings.Contains(err.Error(), "sesame") || strings.ContainsAny(err.Error(), "\n\r\x00")) {
		t.Errorf("a secret or a control character is shown: %q", err)
	}
}

func TestStatuses(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		status int
		class  error
		// left: after the package was sent, it may have been kept.
		left bool
		says string
		wait time.Duration
	}{
		{400, uploader.ErrTarget, false, `says "it is (hidden)"`, 0},
		{401, uploader.ErrDenied, false, "HERON_UPLOADER_HTTP_TOKEN", 0},
		{403, uploader.ErrDenied, false, "HERON_UPLOADER_HTTP_TOKEN", 0},
		{404, uploader.ErrTarget, false, "check heron.uploader.http.uri", 0},
		{405, uploader.ErrTarget, false, "check heron.uploader.http.uri", 0},
		{407, uploader.ErrDenied, false, "HTTP_PROXY", 0},
		{408, uploader.ErrUnreachable, false, "408", 7 * time.Second},
		{409, uploader.ErrTarget, false, "409", 0},
		{413, uploader.ErrTarget, false, "client_max_body_size", 0},
		{429, uploader.ErrUnreachable, false, "429", 7 * time.Second},
		{500, uploader.ErrUnreachable, true, "500", 7 * time.Second},
		{502, uploader.ErrUnreachable, true, "502", 7 * time.Second},
		{503, uploader.ErrUnreachable, false, "503", 7 * time.Second},
		{504, uploader.ErrUnreachable, true, "504", 7 * time.Second},
		{507, uploader.ErrTarget, false, "it is full", 0},
		{599, uploader.ErrUnreachable, true, "599", 7 * time.Second},
		{301, uploader.ErrTarget, false, "set heron.uploader.http.uri to http://elsewhere.test/up?…", 0},
		{307, uploader.ErrTarget, false, "set heron.uploader.http.uri to http://elsewhere.test/up?…", 0},
	} {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %v", c.status, whole), func(t *testing.T) {
				uri := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if whole {
						_, _ = io.Copy(io.Discard, r.Body)
					}
					w.Header().Set("Retry-After", "7")
					w.Header().Set("Location", "http://ann:sesame@elsewhere.test/up?key=sesame")
					w.WriteHeader(c.status)
					_, _ = fmt.Fprintf(w, "it is %s", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
				})
				u := newHTTP(t, conf.HTTPUpload{URI: uri + "/up?key=sesame", Token: testToken})
				src, _ := uploadertest.Source("a", uploadertest.BigSize)
				where, err := u.Upload(ctx, src)
				wantNoSecret(t, err)
				if err == nil || where.URI != "" || !strings.Contains(err.Error(), c.says) || !errors.Is(err, c.class) {
					t.Fatalf("got %q, %v; want %v with %q", where, err, c.class, c.says)
				}
				var left *uploader.LeftoverError
				if errors.As(err, &left) != (whole && c.left) {
					t.Errorf("leftover: %v", err)
				}
				var later interface{ RetryAfter() time.Duration }
				if errors.As(err, &later) != (c.wait > 0) || later != nil && later.RetryAfter() != c.wait {
					t.Errorf("time to wait: %v, want %s", err, c.wait)
				}
			})
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "0": 0, "120": 2 * time.Minute, "99999999999999999999": 0,
		"Mon, 06 May 2024 07:08:19 GMT": 10 * time.Second, "Mon, 06 May 2024 07:08:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestAnswersThatNameNoPackage(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct{ answer, says string }{
		{"", "nothing, which is empty"},
		{" \r\n ", "is empty"},
		{"<html><body>Sign in</body></html>", "is no URI but HTML or JSON"},
		{`{"message":"no"}`, "is no URI but HTML or JSON"},
		{`"http://host/x"`, "is no URI but HTML or JSON"},
		{"/api/v1/file/download/x", "is not absolute"},
		{"x.tar.gz", "is not absolute"},
		{"//host/x", "is not absolute"},
		{"ftp://host/x", "is of a scheme that nodes do not fetch"},
		{"hdfs://host/x", "is of a scheme"},
		{"http:///x", "names no host"},
		{"http:x", "names no host"},
		{"http://ann:sesame@host/x", `"http://(hidden)@host/x", which has a user or password`},
		{"http://host/x?sig=sesame#y", `"http://host/x?…", which has a fragment`},
		{"http://host/a//b", "has // in its path"},
		{"http://host/x?checksum=1", "keeps for itself"},
		{"http://host/${NOMAD_TASK_DIR}", "characters that no URI has"},
		{"http://host/a b", "characters that no URI has"},
		{"http://host/a\nhttp://host/b", "characters that no URI has"},
		{"http://host/\x00", "characters that no URI has"},
		{"http://host/%zz", "is no URI"},
		{"file://host/x", "is no file:// with an absolute path"},
		{"file:///a%20b", "is no file:// with an absolute path"},
		{"http://host/" + strings.Repeat("x", maxFetchURI), "is too long"},
		{"http://host/" + strings.Repeat("x", 2*maxAnswer), "is too long"},
		{strings.Repeat("ö", 300), "…, which is no URI"},
		{"http://" + testToken + "/", "http://(hidden)/"},
	} {
		uri := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, c.answer)
		})
		u := newHTTP(t, conf.HTTPUpload{URI: uri + "/up", Token: testToken})
		src, _ := uploadertest.Source("a", 10)
		where, err := u.Upload(ctx, src)
		wantNoSecret(t, err)
		if c.answer == "http://"+testToken+"/" {
			// A fine URI, of a host that is not there.
			c.says = "nodes cannot fetch the package"
		}
		var left *uploader.LeftoverError
		if !errors.Is(err, uploader.ErrTarget) || !strings.Contains(err.Error(), c.says) || where.URI != "" || !errors.As(err, &left) || len(err.Error()) > 1000 {
			t.Errorf("%.60q: got %v, want ErrTarget with %q", c.answer, err, c.says)
		}
	}
}

func TestAnswersThatAreFine(t *testing.T) {
	src, _ := uploadertest.Source("a", 10)
	for name, c := range map[string]struct{ answer, uri string }{
		"s3":        {"s3://bucket/key.tar.gz", "s3://bucket/key.tar.gz"},
		"file":      {"file:///srv/packages/x.tar.gz", "file:///srv/packages/x.tar.gz"},
		"query":     {"HOST/x?id=1", "HOST/x?id=1"},
		"signature": {"HOST/x?X-Amz-Signature=sesame&X-Amz-Expires=60", "HOST/x"},
		"address":   {"http://[::1]:1/x", "http://[::1]:1/x"},
	} {
		var host string
		host = serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.Method == http.MethodPost {
				_, _ = io.WriteString(w, "\r\n"+strings.Replace(c.answer, "HOST", host, 1)+" \n")
				return
			}
			w.Header().Set("Content-Length", "10")
		})
		want := uploader.Location{URI: strings.Replace(c.uri, "HOST", host, 1), Fetch: strings.Replace(c.answer, "HOST", host, 1)}
		where, err := newHTTP(t, conf.HTTPUpload{URI: host, NoVerify: name == "address"}).Upload(context.Background(), src)
		if err != nil || where.URI != want.URI || where.Fetch != want.Fetch {
			t.Errorf("%s: got %+v, %v; want %+v", name, where, err, want)
		}
	}
}
