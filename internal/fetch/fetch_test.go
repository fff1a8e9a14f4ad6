package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

// patience bounds what should be over soon.
const patience = time.Minute

// quick are options that do not keep a test waiting.
func quick() Options { return Options{Backoff: time.Millisecond, Stall: patience} }

// noise is content that does not compress and differs everywhere.
func noise(size int) []byte {
	data := make([]byte, size)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// get fetches into a fresh file, and returns what it holds then.
func get(ctx context.Context, t *testing.T, uri string, opts Options) (Result, []byte, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, failed := File(ctx, uri, f, opts)
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return got, data, failed
}

// mustGet fetches a file that has to be this one.
func mustGet(t *testing.T, uri string, opts Options, want []byte) {
	t.Helper()
	got, data, err := get(t.Context(), t, uri, opts)
	if err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	if string(data) != string(want) || got.Size != int64(len(want)) || got.SHA256 != digestOf(want) {
		t.Errorf("%s: %d bytes, %+v, want %d bytes", uri, len(data), got, len(want))
	}
}

// mustFail wants an *Error of a class that says all of the texts.
func mustFail(t *testing.T, uri string, opts Options, class error, kind outcome.Kind, says ...string) {
	t.Helper()
	_, _, err := get(t.Context(), t, uri, opts)
	var failed *Error
	if !errors.As(err, &failed) || !errors.Is(err, class) || failed.Kind() != kind {
		t.Fatalf("%s: got %v, want one of the class %v with kind %s", uri, err, class, kind)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v does not say %q", uri, err, text)
		}
	}
	if strings.Contains(err.Error(), "sesame") {
		t.Errorf("the error tells a secret: %v", err)
	}
}

func TestFetchAFile(t *testing.T) {
	dir, data := t.TempDir(), noise(100_000)
	path := filepath.Join(dir, "a b#1.tar.gz")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	escaped := "file://" + dir + "/a%20b%231.tar.gz"
	for _, uri := range []string{path, escaped, strings.Replace(escaped, "//", "//localhost", 1), strings.Replace(escaped, "file://", "file:", 1)} {
		mustGet(t, uri, Options{}, data)
		mustGet(t, uri, Options{SHA256: strings.ToUpper(digestOf(data))}, data)
	}
	t.Chdir(dir)
	mustGet(t, "a b#1.tar.gz", Options{}, data)

	mustFail(t, path, Options{SHA256: digestOf(nil)}, ErrContent, outcome.Undone, digestOf(data), digestOf(nil))
	mustFail(t, path, Options{MaxSize: 99_999}, ErrContent, outcome.Undone, "99999 bytes")
	mustFail(t, path, Options{SHA256: "zz"}, ErrInput, outcome.Usage, "not a SHA-256")
	mustFail(t, path+".gone", Options{}, ErrNotFound, outcome.NotFound, "a b#1.tar.gz.gone: no such file")
	mustFail(t, dir, Options{}, ErrNotFound, outcome.NotFound, "no file")
	mustFail(t, "/dev/zero", Options{}, ErrNotFound, outcome.NotFound, "no file")
}

func TestFetchRefusesOtherURIs(t *testing.T) {
	for uri, says := range map[string]string{
		"":                               "empty",
		"hdfs://name:8020/x":             "hdfs is not supported; use a path or a file, http, https or s3",
		"gs://b/x":                       "gs is not supported",
		"distributedlog://zk/x/y":        "distributedlog is not supported",
		"git::https://host/x":            "git:: is not supported",
		"ftp://user:sesame@host/x":       "ftp is not supported",
		"file://host/x":                  "absolute path",
		"file:x":                         "absolute path",
		"file:///x?y":                    "absolute path",
		"http://":                        "no server",
		"http:x":                         "no server",
		"http://h:po rt/x?sesame":        "invalid",
		"s3://b":                         "names no object",
		"s3::https://h/b/k?other=sesame": "not known",
	} {
		mustFail(t, uri, Options{}, ErrInput, outcome.Usage, says)
	}
}

func TestShownHidesSecrets(t *testing.T) {
	for uri, want := range map[string]string{
		"/a/b?c":                            "/a/b?c",
		"file:///a%20b":                     "file:///a b",
		"http://h/a%20b":                    "http://h/a%20b",
		"http://u:sesame@h/p?X-Sig=sesame":  "http://…@h/p?…",
		"http://sesame@h/p#sesame":          "http://…@h/p",
		"s3::https://h/b/k?sesame":          "s3::https://h/b/k?…",
		"http://h:port:x/?sesame":           "http:…",
		"s3::https://u:sesame@h:port:x/b/k": "s3::https:…",
	} {
		if got := Shown(uri); got != want {
			t.Errorf("%s is shown as %s, want %s", uri, got, want)
		}
	}
}

// The answers of a server, each for one request; the last one stays.
func answering(t *testing.T, answers ...http.HandlerFunc) (url string, asked *[]*http.Request) {
	t.Helper()
	asked = new([]*http.Request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r)
		answers[min(len(*asked), len(answers))-1](w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func answerWith(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func serve(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+digestOf(data)+`"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
	}
}

func TestFetchOverHTTPByStatus(t *testing.T) {
	data := noise(1000)
	for _, c := range []struct {
		name    string
		answers []http.HandlerFunc
		class   error
		kind    outcome.Kind
		says    string
		asked   int
	}{
		{"found", []http.HandlerFunc{serve(data)}, nil, "", "", 1},
		{"busy, then found", []http.HandlerFunc{answerWith(503), answerWith(500), answerWith(429, "Retry-After", "0"), serve(data)}, nil, "", "", 4},
		{"not found", []http.HandlerFunc{answerWith(404)}, ErrNotFound, outcome.NotFound, "404 Not Found", 1},
		{"gone", []http.HandlerFunc{answerWith(410)}, ErrNotFound, outcome.NotFound, "410", 1},
		{"no password", []http.HandlerFunc{answerWith(401)}, ErrDenied, outcome.Denied, "401", 1},
		{"forbidden", []http.HandlerFunc{answerWith(403)}, ErrDenied, outcome.Denied, "403", 1},
		{"nothing in it", []http.HandlerFunc{answerWith(204)}, ErrRefused, outcome.Failed, "204", 1},
		{"a part unasked", []http.HandlerFunc{answerWith(206)}, ErrRefused, outcome.Failed, "206", 1},
		{"always broken", []http.HandlerFunc{answerWith(502)}, ErrUnreachable, outcome.Unreachable, "502 Bad Gateway (gave up after 3 attempts)", 3},
		{"not now", []http.HandlerFunc{answerWith(503, "Retry-After", "3600")}, ErrUnreachable, outcome.Unreachable, "come back in 1h0m0s", 1},
		{"not today", []http.HandlerFunc{answerWith(503, "Retry-After", time.Now().Add(24*time.Hour).UTC().Format(http.TimeFormat))}, ErrUnreachable, outcome.Unreachable, "come back in", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, asked := answering(t, c.answers...)
			opts := quick()
			opts.Retries = 2
			if c.class == nil {
				opts.Retries = 3
				mustGet(t, url, opts, data)
			} else {
				mustFail(t, url+"/x?sesame", opts, c.class, c.kind, c.says)
			}
			if len(*asked) != c.asked {
				t.Errorf("the server was asked %d times, want %d", len(*asked), c.asked)
			}
		})
	}
}

func TestFetchWaitsAsTheServerAsks(t *testing.T) {
	data := noise(1000)
	url, _ := answering(t, answerWith(503, "Retry-After", "1"), serve(data))
	start := time.Now()
	mustGet(t, url, quick(), data)
	if took := time.Since(start); took < time.Second {
		t.Errorf("asked again after %s", took)
	}
}

func TestFetchFollowsRedirects(t *testing.T) {
	data := noise(1000)
	var last *http.Request
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last = r
		serve(data)(w, r)
	}))
	defer target.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/circle" {
			http.Redirect(w, r, "/circle", http.StatusFound)
			return
		}
		http.Redirect(w, r, target.URL+"/file", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	mustGet(t, server.URL+"/x?signature=sesame", quick(), data)
	if last.Referer() != "" {
		t.Errorf("the signature was handed on: %s", last.Referer())
	}
	mustGet(t, strings.Replace(server.URL, "//", "//user:sesame@", 1), quick(), data)
	if last.Header.Get("Authorization") != "" {
		t.Error("the password was handed on to another server")
	}
	mustFail(t, server.URL+"/circle?sesame", quick(), ErrRefused, outcome.Failed, "more than 10 times")
}

func TestFetchSendsThePasswordOfTheURI(t *testing.T) {
	data := noise(10)
	url, asked := answering(t, serve(data))
	mustGet(t, strings.Replace(url, "//", "//ann:sesame@", 1), quick(), data)
	if user, password, _ := (*asked)[0].BasicAuth(); user != "ann" || password != "sesame" {
		t.Errorf("signed in as %q with %q", user, password)
	}
}

// What a server packs for the way is left as it is: the digest is that of the
// file.
func TestFetchLeavesContentEncodingAlone(t *testing.T) {
	data := noise(1000)
	url, asked := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(data)
	})
	mustGet(t, url, quick(), data)
	if got := (*asked)[0].Header.Get("Accept-Encoding"); got != "" {
		t.Errorf("asked for the encoding %q", got)
	}
}

func TestFetchLimitsTheSize(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for chunk := noise(1 << 16); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	url, asked := answering(t, endless)
	opts := quick()
	opts.MaxSize = 1 << 20
	mustFail(t, url, opts, ErrContent, outcome.Undone, "1048576 bytes")
	if len(*asked) != 1 {
		t.Errorf("asked %d times", len(*asked))
	}
	known, _ := answering(t, serve(noise(1<<20+1)))
	mustFail(t, known, opts, ErrContent, outcome.Undone, "1048576 bytes")
}
