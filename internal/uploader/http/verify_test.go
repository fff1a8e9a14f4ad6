package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

func TestRequestIsTheOriginals(t *testing.T) {
	s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Token: testToken})
	src, _ := uploadertest.Source("nomad/ann/default/wörd count/a", uploadertest.BigSize)
	if _, err := newHTTP(t, conf.HTTPUpload{URI: s.Upload, Token: testToken}).Upload(context.Background(), src); err != nil {
		t.Fatal(err)
	}
	// The server itself wants one part called file, a length and an end.
	if got, want := s.Files(), path.Base(src.Name); len(got) != 1 || got[0] != want {
		t.Errorf("stored is %q, want one that ends in %q", got, want)
	}
	r := s.Requests()[0]
	for name, want := range map[string]string{
		"Authorization":          "Bearer " + testToken,
		"X-Heron-Package-Sha256": src.SHA256,
		"X-Heron-Package-Name":   "nomad/ann/default/w%C3%B6rd%20count/a/" + src.SHA256 + ".tar.gz",
		"Expect":                 "100-continue",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(r.Header.Get("User-Agent"), "heron/") || len(r.TransferEncoding) > 0 || r.ContentLength <= src.Size {
		t.Errorf("agent %q, encoding %q, length %d", r.Header.Get("User-Agent"), r.TransferEncoding, r.ContentLength)
	}
	for _, r := range s.Requests()[1:] {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s shows the token, but nodes have none", r.Method, r.URL.Path)
		}
	}
}

func TestServerWithoutExpectations(t *testing.T) {
	var posts atomic.Int32
	s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		if r.Header.Get("Expect") == "" {
			return false
		}
		w.WriteHeader(http.StatusExpectationFailed)
		return true
	}})
	src, _ := uploadertest.Source("a", uploadertest.BigSize)
	if _, err := newHTTP(t, conf.HTTPUpload{URI: s.Upload}).Upload(context.Background(), src); err != nil || posts.Load() != 2 {
		t.Errorf("%v after %d requests, want success at the second", err, posts.Load())
	}
}

// The token goes to the server of the uploads, and nowhere else.
func TestTokenStaysAtItsServer(t *testing.T) {
	ctx := context.Background()
	var other *testenv.PackageServer
	for name, status := range map[string]int{"moved": 301, "found": 302, "see other": 303, "temporary": 307, "permanent": 308} {
		t.Run("redirect "+name, func(t *testing.T) {
			other = testenv.RunPackageServer(t, testenv.PackageServerOptions{Delete: true})
			s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Delete: true, Intercept: func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Location", other.Upload)
				w.WriteHeader(status)
				return true
			}})
			u := newHTTP(t, conf.HTTPUpload{URI: s.Upload, Token: testToken})
			for _, size := range []int{10, uploadertest.BigSize} {
				src, _ := uploadertest.Source("a", size)
				if _, err := u.Upload(ctx, src); !errors.Is(err, uploader.ErrTarget) || !strings.Contains(err.Error(), "set heron.uploader.http.uri to "+other.Upload) {
					t.Errorf("got %v", err)
				}
			}
			if err := u.Check(ctx); err != nil {
				t.Error(err)
			}
			if err := u.Delete(ctx, s.URL+"/x"); !errors.Is(err, uploader.ErrTarget) {
				t.Errorf("delete: got %v", err)
			}
			if n := len(other.Requests()); n > 0 {
				t.Errorf("the other server was asked %d times", n)
			}
		})
	}
	t.Run("stored elsewhere", func(t *testing.T) {
		other = testenv.RunPackageServer(t, testenv.PackageServerOptions{Delete: true})
		s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Delete: true})
		other.Dir = s.Dir
		s.Behind(other.URL)
		u := newHTTP(t, conf.HTTPUpload{URI: s.Upload, Token: testToken})
		src, _ := uploadertest.Source("a", 10)
		where, err := u.Upload(ctx, src)
		if err != nil || !strings.HasPrefix(where.URI, other.URL) {
			t.Fatalf("%v, %v", where, err)
		}
		if err := u.Delete(ctx, where.URI); !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, uploader.ErrForeign) {
			t.Errorf("delete: got %v, want ErrUnsupported", err)
		}
		for _, r := range other.Requests() {
			if r.Header.Get("Authorization") != "" || r.Method == http.MethodDelete {
				t.Errorf("the other server was asked %s with %q", r.Method, r.Header.Get("Authorization"))
			}
		}
	})
}

func TestPackagesThatNodesCannotFetch(t *testing.T) {
	refused := fmt.Sprintf("http://127.0.0.1:%d/x", testenv.Ports(t, 1)[0])
	for name, c := range map[string]struct {
		opts testenv.PackageServerOptions
		says string
	}{
		"a token":    {testenv.PackageServerOptions{Token: testToken, FetchToken: true}, "it answers 401 Unauthorized, and nodes have no token"},
		"not there":  {testenv.PackageServerOptions{Token: testToken, Answer: func(w http.ResponseWriter, uri string) { _, _ = io.WriteString(w, uri+"x") }}, "it answers 404 Not Found"},
		"no server":  {testenv.PackageServerOptions{Token: testToken, Answer: func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, refused) }}, "heron.uploader.http.verify: false"},
		"other size": {testenv.PackageServerOptions{Token: testToken, Intercept: answerHead("11")}, "what lies there has 11 bytes, the package 10"},
	} {
		for _, canDelete := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " delete ", canDelete), func(t *testing.T) {
				c.opts.Delete = canDelete
				s := testenv.RunPackageServer(t, c.opts)
				src, _ := uploadertest.Source("a", 10)
				where, err := newHTTP(t, conf.HTTPUpload{URI: s.Upload, Token: testToken}).Upload(context.Background(), src)
				if !errors.Is(err, uploader.ErrTarget) || errors.Is(err, uploader.ErrUnreachable) || where.URI != "" || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("got %v, %v; want ErrTarget with %q", where, err, c.says)
				}
				wantNoSecret(t, err)
				removed := canDelete && (name == "a token" || name == "other size")
				var left *uploader.LeftoverError
				// Of an address where nothing is, a delete succeeds.
				if named := errors.As(err, &left); named == canDelete && name != "no server" {
					t.Errorf("leftover: %v", err)
				}
				if files := s.Files(); (len(files) == 0) != removed {
					t.Errorf("there is %q", files)
				}
			})
		}
	}
}

// answerHead answers HEAD with a length of its own.
func answerHead(length string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", length)
		}
		return r.Method == http.MethodHead
	}
}

// Servers need not know HEAD, and a signature for GET may not do for it.
func TestFetchableWithoutHead(t *testing.T) {
	for _, status := range []int{403, 404, 405, 501} {
		for _, size := range []int{0, 1, 10} {
			s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodHead {
					w.WriteHeader(status)
				}
				return r.Method == http.MethodHead
			}})
			src, _ := uploadertest.Source("a", size)
			if _, err := newHTTP(t, conf.HTTPUpload{URI: s.Upload}).Upload(context.Background(), src); err != nil {
				t.Errorf("%d, %d bytes: %v", status, size, err)
			}
		}
	}
}

// A store that lies behind several servers may show a package a moment later.
func TestPackagesThatAppearLater(t *testing.T) {
	var asked atomic.Int32
	s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
		late := r.Method != http.MethodPost && asked.Add(1) <= 2
		if late {
			w.WriteHeader(http.StatusNotFound)
		}
		return late
	}})
	src, _ := uploadertest.Source("a", 10)
	if _, err := newHTTP(t, conf.HTTPUpload{URI: s.Upload}).Upload(context.Background(), src); err != nil {
		t.Error(err)
	}
}

func TestDelete(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		status int
		want   error
	}{
		{200, nil}, {202, nil}, {204, nil}, {404, nil}, {410, nil},
		{405, errors.ErrUnsupported}, {501, errors.ErrUnsupported},
		{401, uploader.ErrDenied}, {403, uploader.ErrDenied}, {400, uploader.ErrTarget}, {429, uploader.ErrUnreachable}, {500, uploader.ErrUnreachable}, {503, uploader.ErrUnreachable},
	} {
		uri := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete && r.Header.Get("Authorization") == "Bearer "+testToken {
				w.WriteHeader(c.status)
				return
			}
			w.WriteHeader(http.StatusNotFound)
		})
		u := newHTTP(t, conf.HTTPUpload{URI: uri + "/up", Token: testToken})
		err := u.Delete(ctx, uri+"/x")
		if c.want == nil && err != nil || !errors.Is(err, c.want) {
			t.Errorf("%d: got %v, want %v", c.status, err, c.want)
		}
		wantNoSecret(t, err)
	}
	// One that says 404 to the method, and has it still.
	uri := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	if err := newHTTP(t, conf.HTTPUpload{URI: uri + "/up"}).Delete(ctx, uri+"/x"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("404 and still there: got %v", err)
	}
	for _, other := range []string{"s3://bucket/x", "file:///srv/x", "http://other.test/x"} {
		if err := newHTTP(t, conf.HTTPUpload{URI: uri + "/up"}).Delete(ctx, other); !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, uploader.ErrForeign) {
			t.Errorf("%s: got %v, want ErrUnsupported", other, err)
		}
	}
}

func TestTimeoutOfTheAnswer(t *testing.T) {
	uri := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	src, _ := uploadertest.Source("a", 10)
	_, err := newHTTP(t, conf.HTTPUpload{URI: uri, ResponseTimeout: 200 * time.Millisecond}).Upload(context.Background(), src)
	var left *uploader.LeftoverError
	if !errors.As(err, &left) || !errors.Is(err, uploader.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

// What the signature of a URI opens is not told to the server that it sends
// us on to.
func TestLookKeepsTheSignatureToItself(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, headToo := range []bool{true, false} {
			var mu sync.Mutex
			var asked []*http.Request
			other := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked = append(asked, r)
				mu.Unlock()
				if r.Method == http.MethodHead && !headToo {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				w.Header().Set("Content-Length", "10")
				_, _ = io.WriteString(w, "0123456789")
			})
			var uri string
			uri = serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(w, uri+"/x?X-Amz-Signature=sesame")
					return
				}
				http.Redirect(w, r, other+"/y", status)
			})
			src, _ := uploadertest.Source("a", 10)
			if _, err := newHTTP(t, conf.HTTPUpload{URI: uri + "/up", Token: testToken}).Upload(t.Context(), src); err != nil {
				t.Errorf("%d: %v", status, err)
			}
			if len(asked) == 0 {
				t.Errorf("%d: the redirect was not followed", status)
			}
			for _, r := range asked {
				for name, values := range r.Header {
					if text := strings.Join(values, " "); name == "Referer" || strings.Contains(text, "sesame") {
						t.Errorf("%d: %s %s tells %s: %s", status, r.Method, r.URL, name, text)
					}
				}
			}
		}
	}
}
