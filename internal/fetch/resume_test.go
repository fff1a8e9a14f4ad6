package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/testenv"
)

// fileServer serves content and counts what it has been asked for.
type fileServer struct {
	*httptest.Server
	requests atomic.Int64
	// sent are the bytes of all answers, as the server believes.
	sent atomic.Int64
	// content is what is served now, tagged with an ETag unless untagged.
	content  atomic.Pointer[[]byte]
	untagged bool
}

func newFileServer(t *testing.T, data []byte) *fileServer {
	t.Helper()
	s := &fileServer{}
	s.content.Store(&data)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		data := *s.content.Load()
		if !s.untagged {
			w.Header().Set("ETag", `"`+digestOf(data)+`"`)
		}
		http.ServeContent(&countedWriter{w, &s.sent}, r, "", time.Time{}, strings.NewReader(string(data)))
	}))
	t.Cleanup(s.Close)
	return s
}

type countedWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n.Add(int64(n))
	return n, err
}

func TestFetchResumes(t *testing.T) {
	data := noise(8 << 20)
	server := newFileServer(t, data)
	proxy := testenv.Proxy(t, server.URL)
	proxy.CutAfter(3 << 20)
	var waits int
	opts := quick()
	opts.SHA256, opts.Retries = digestOf(data), 1
	opts.Progress = func(progress.Event) { waits++ }
	// Each connection brings three mebibytes, which is progress: one retry in a
	// row is enough.
	mustGet(t, "http://"+proxy.Addr+"/f", opts, data)
	if n := server.requests.Load(); n != 3 || waits != 2 {
		t.Errorf("the server was asked %d times, with %d waits", n, waits)
	}
}

// A proxy hides from the server how much has arrived, so bytes are counted
// where the server itself ends early.
func TestFetchAsksOnlyForTheRest(t *testing.T) {
	data := noise(4 << 20)
	var ranges []string
	var sent int
	url, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range")+" "+r.Header.Get("If-Range"))
		from := 0
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.WriteHeader(http.StatusPartialContent)
		}
		// Counted before it is sent: the client may be done before Write returns.
		piece := data[from:min(len(data), from+(1<<20)+5)]
		sent += len(piece)
		_, _ = w.Write(piece)
	})
	opts := quick()
	opts.Retries = 1
	mustGet(t, url, opts, data)
	want := []string{" ", `bytes=1048581- "v1"`, `bytes=2097162- "v1"`, `bytes=3145743- "v1"`}
	if fmt.Sprint(ranges) != fmt.Sprint(want) || sent != len(data) {
		t.Errorf("asked for %q, %d bytes sent of %d", ranges, sent, len(data))
	}
}

func TestFetchBeginsAnewWhereItCannotResume(t *testing.T) {
	data, other := noise(4<<20), noise(5 << 20)[1<<20:]
	for name, prepare := range map[string]func(*fileServer){
		"another file by now": func(s *fileServer) { s.content.Store(&other) },
		"no tag":              func(s *fileServer) { s.untagged = true },
	} {
		t.Run(name, func(t *testing.T) {
			server := newFileServer(t, data)
			server.untagged = name == "no tag"
			proxy := testenv.Proxy(t, server.URL)
			proxy.CutAfter(1 << 20)
			opts := quick()
			opts.Progress = func(progress.Event) {
				prepare(server)
				proxy.Up()
			}
			want := other
			if server.untagged {
				want = data
			}
			mustGet(t, "http://"+proxy.Addr, opts, want)
			if n := server.requests.Load(); n != 2 {
				t.Errorf("the server was asked %d times", n)
			}
		})
	}
}

// A server whose tag stays although the file has changed gives parts of two
// files. With a digest that is found, and mended.
func TestFetchMendsMixedParts(t *testing.T) {
	old, data := noise(4<<20), noise(5 << 20)[1<<20:]
	requests := 0
	url, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Header().Set("ETag", `"same"`)
		if requests == 1 {
			w.Header().Set("Content-Length", fmt.Sprint(len(old)))
			_, _ = w.Write(old[:2<<20])
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
	})
	opts := quick()
	opts.SHA256 = digestOf(data)
	mustGet(t, url, opts, data)
	if requests != 3 {
		t.Errorf("asked %d times, want the begin, the rest and all of it", requests)
	}
}

func TestFetchGivesUpWithoutProgress(t *testing.T) {
	server := newFileServer(t, noise(4<<20))
	proxy := testenv.Proxy(t, server.URL)
	proxy.CutAfter(100_000)
	opts := quick()
	opts.Retries = 3
	mustFail(t, "http://"+proxy.Addr, opts, ErrUnreachable, outcome.Unreachable, "closed in the middle", "gave up after 4 attempts")
	if n := server.requests.Load(); n != 4 {
		t.Errorf("asked %d times", n)
	}
	proxy.Down()
	mustFail(t, "http://"+proxy.Addr, opts, ErrUnreachable, outcome.Unreachable, "refused")
	opts.Retries = -1
	mustFail(t, "http://"+proxy.Addr, opts, ErrUnreachable, outcome.Unreachable, "refused")
}

func TestFetchNoticesAStall(t *testing.T) {
	data := noise(1 << 20)
	for name, handler := range map[string]http.HandlerFunc{
		"before the answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in the middle": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			_, _ = w.Write(data[:1000])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := answering(t, handler, serve(data))
			opts := quick()
			opts.Stall = 200 * time.Millisecond
			mustGet(t, url, opts, data)

			url, _ = answering(t, handler)
			opts.Retries = -1
			mustFail(t, url, opts, ErrUnreachable, outcome.Unreachable, "nothing has come for 200ms")
		})
	}
}

// One byte at a time is no stall.
func TestFetchWaitsForSlowServers(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	synctest.Test(t, func(t *testing.T) {
		const size, pause = 20, time.Minute
		slow := &slowSource{left: size, pause: pause}
		opts := Options{Stall: pause + time.Second, Retries: -1}
		transfer := &transfer{source: slow, into: f, opts: opts.withDefaults(), sum: sha256.New(), size: -1}
		start := time.Now()
		if err := transfer.run(t.Context()); err != nil || transfer.have != size {
			t.Errorf("%d bytes after %s, %v", transfer.have, time.Since(start), err)
		}
	})
}

// slowSource gives one byte after each pause.
type slowSource struct {
	fileSource
	left  int
	pause time.Duration
}

func (s *slowSource) open(context.Context, int64, string) (*answer, *failure) {
	return &answer{body: io.NopCloser(s), size: int64(s.left)}, nil
}

func (s *slowSource) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(s.pause)
	s.left--
	return copy(p, "x"), nil
}

func TestFetchEndsWithItsContext(t *testing.T) {
	data := noise(1 << 20)
	for _, percent := range []int{0, 50, 99} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			url, asked := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
				_, _ = w.Write(data[:len(data)*percent/100])
				_ = http.NewResponseController(w).Flush()
				cancel()
				<-r.Context().Done()
			})
			_, _, err := get(ctx, t, url, quick())
			if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
				t.Errorf("got %v, want context.Canceled and nothing about the server", err)
			}
			if len(*asked) != 1 {
				t.Errorf("asked %d times", len(*asked))
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	url, _ := answering(t, answerWith(503, "Retry-After", "60"))
	if _, _, err := get(ctx, t, url, quick()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it waits: %v", err)
	}
}

func TestFetchChecksCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(serve(noise(10)))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	reported := 0
	opts := quick()
	opts.Progress = func(progress.Event) { reported++ }
	mustFail(t, server.URL, opts, ErrUnreachable, outcome.Unreachable, "certificate")
	if reported > 0 {
		t.Error("tried again, which cannot help")
	}
	plain := newFileServer(t, noise(10))
	mustFail(t, strings.Replace(plain.URL, "http:", "https:", 1), quick(), ErrUnreachable, outcome.Unreachable)
}

func TestRedirectsDoNotLeaveTLS(t *testing.T) {
	to := func(uri string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	secure := []*http.Request{to("https://a/")}
	if err := checkRedirect(to("http://b/"), secure); !errors.Is(err, errRedirect) {
		t.Errorf("https may send on to http: %v", err)
	}
	if err := checkRedirect(to("https://b/"), secure); err != nil {
		t.Error(err)
	}
}
