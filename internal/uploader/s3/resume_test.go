package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// s3Recorder is a proxy before an S3 server that leaves the host as it is, for
// that is signed. It notes requests and may refuse them.
type s3Recorder struct {
	URL string

	mu     sync.Mutex
	seen   []recorded
	refuse func(*http.Request) int
	// answered, unless nil, is called once the server has answered.
	answered func(*http.Request)
}

type recorded struct {
	method, query string
	header        http.Header
	size          int64
}

func recordS3(t *testing.T, server *testenv.S3Server, refuse func(*http.Request) int) *s3Recorder {
	t.Helper()
	target, err := url.Parse(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	r := &s3Recorder{refuse: refuse}
	forward := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.Out.Host = p.In.Host
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.seen = append(r.seen, recorded{req.Method, req.URL.RawQuery, req.Header.Clone(), req.ContentLength})
		r.mu.Unlock()
		if r.refuse != nil {
			if status := r.refuse(req); status != 0 {
				http.Error(w, "", status)
				return
			}
		}
		forward.ServeHTTP(w, req)
		if r.answered != nil {
			r.answered(req)
		}
	}))
	t.Cleanup(front.Close)
	r.URL = front.URL
	return r
}

// parts is how many bytes of parts were sent.
func (r *s3Recorder) parts() (bytes int64, all []recorded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.seen {
		if q.method == http.MethodPut && strings.Contains(q.query, "partNumber=") {
			bytes += q.size
		}
	}
	return bytes, r.seen
}

// TestUploadContinuesAfterAKill kills a process in the middle of an upload, at
// several places, and uploads the same again.
func TestUploadContinuesAfterAKill(t *testing.T) {
	const parts, part = 12, conf.MinS3Part
	size := int64(parts*part - 1000)
	if text := os.Getenv("HERON_TEST_S3_UPLOAD"); text != "" {
		uploadUntilKilled(t, text, size)
		return
	}
	server := testenv.S3(t, testenv.S3Options{})
	for _, whole := range []int64{0, 1, 6, parts - 1}[:testenv.Times(3, 4)] {
		b := newS3Bucket(t, server)
		gate := newPartGate(t, server, whole)
		src := uploadertest.Streamed(uploadertest.Folder, size)

		set := b.settings()
		settings, err := json.Marshal(map[string]string{
			"bucket": set.Bucket, "endpoint": gate.URL, "access": string(set.AccessKey), "secret": string(set.SecretKey),
		})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestUploadContinuesAfterAKill$")
		cmd.Env = append(os.Environ(), "HERON_TEST_S3_UPLOAD="+string(settings))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		gate.wait(t)
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()

		recorder := recordS3(t, server, nil)
		set.Endpoint = recorder.URL
		if _, err := newS3(t, set).Upload(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		if sent, _ := recorder.parts(); sent != size-whole*part {
			t.Errorf("killed after %d of %d parts, %d of %d bytes were sent then", whole, parts, sent, size)
		}
		if names := b.List(t); len(names) != 1 {
			t.Errorf("there is %q", names)
		}
		data := make([]byte, size)
		_, _ = uploadertest.Generated(size).ReadAt(data, 0)
		uploadertest.MustFetch(t, b, newS3(t, b.settings()).Locate(src.Name), data)
	}
}

// partGate is a proxy before an S3 server that lets the first parts through
// and holds the others.
type partGate struct {
	*s3Recorder
	whole  int64
	stored sync.WaitGroup
	held   chan struct{}
}

func newPartGate(t *testing.T, server *testenv.S3Server, whole int64) *partGate {
	t.Helper()
	g := &partGate{whole: whole, held: make(chan struct{})}
	g.stored.Add(int(whole))
	over := make(chan struct{})
	var first sync.Once
	g.s3Recorder = recordS3(t, server, func(r *http.Request) int {
		number, err := strconv.ParseInt(r.URL.Query().Get("partNumber"), 10, 64)
		if err != nil || number <= whole {
			return 0
		}
		first.Do(func() { close(g.held) })
		<-over
		return http.StatusServiceUnavailable
	})
	g.answered = func(r *http.Request) {
		if r.URL.Query().Has("partNumber") {
			g.stored.Done()
		}
	}
	// Before the proxy is closed, which waits for its requests.
	t.Cleanup(func() { close(over) })
	return g
}

// wait waits until the server has the first parts and another one is held.
func (g *partGate) wait(t *testing.T) {
	t.Helper()
	all := make(chan struct{})
	go func() {
		g.stored.Wait()
		<-g.held
		close(all)
	}()
	select {
	case <-all:
	case <-time.After(2 * time.Minute):
		t.Fatal("the parts have not come")
	}
}

// uploadUntilKilled is the process that is killed.
func uploadUntilKilled(t *testing.T, text string, size int64) {
	var s map[string]string
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	b := s3Bucket{server: &testenv.S3Server{Server: &testenv.Server{Addr: s["endpoint"]}, AccessKey: s["access"], SecretKey: s["secret"], Region: "us-east-1"}, bucket: s["bucket"]}
	if _, err := newS3(t, b.settings()).Upload(context.Background(), uploadertest.Streamed(uploadertest.Folder, size)); err != nil {
		t.Error(err)
	}
}

func TestDoesNotTakeOtherParts(t *testing.T) {
	server := testenv.S3(t, testenv.S3Options{})
	src, data := uploadertest.Source(uploadertest.Folder, 2*conf.MinS3Part+1)
	for label, spoil := range map[string]func(*conf.S3Upload, *uploader.Source){
		"of another size": func(set *conf.S3Upload, _ *uploader.Source) { set.PartSize = 6 << 20 },
		"of other content": func(_ *conf.S3Upload, s *uploader.Source) {
			other := bytes.Repeat([]byte("x"), len(data))
			s.Open = func() (uploader.Content, error) { return memory{bytes.NewReader(other)}, nil }
		},
	} {
		t.Run(label, func(t *testing.T) {
			b := newS3Bucket(t, server)
			set, left := b.settings(), src
			spoil(&set, &left)
			b.LeavePart(t, left)
			where, err := newS3(t, set).Upload(t.Context(), src)
			if err != nil {
				t.Fatal(err)
			}
			uploadertest.MustFetch(t, b, where, data)
			if names := b.List(t); len(names) != 1 {
				t.Errorf("there is %q", names)
			}
		})
	}
}

func TestHeadersAreSent(t *testing.T) {
	server := testenv.S3(t, testenv.S3Options{})
	b := newS3Bucket(t, server)
	recorder := recordS3(t, server, nil)
	set := b.settings()
	set.Endpoint, set.StorageClass, set.Encryption, set.KMSKey = recorder.URL, "STANDARD_IA", "aws:kms", "alias/packages"
	u := newS3(t, set)
	src, _ := uploadertest.Source(uploadertest.Folder, conf.MinS3Part+1)
	if err := errors.Join(u.Check(t.Context()), uploadertest.Second(u.Upload(t.Context(), src))); err != nil {
		t.Fatal(err)
	}
	_, seen := recorder.parts()
	begun := 0
	for _, q := range seen {
		switch {
		case q.method == http.MethodPost && strings.HasPrefix(q.query, "uploads"):
			begun++
			for name, want := range map[string]string{
				"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/packages",
				"X-Amz-Checksum-Algorithm": "CRC32",
			} {
				if got := q.header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		case strings.Contains(q.query, "partNumber="):
			if q.header.Get("X-Amz-Checksum-Crc32") == "" {
				t.Errorf("a part without a checksum: %v", q.header)
			}
		}
	}
	if begun < 2 {
		t.Errorf("%d uploads were begun, want that of the check and one more", begun)
	}
}

// TestWithFewRights: uploading takes neither the right to look at the bucket
// nor the one to list uploads.
func TestWithFewRights(t *testing.T) {
	server := testenv.S3(t, testenv.S3Options{})
	b := newS3Bucket(t, server)
	recorder := recordS3(t, server, func(r *http.Request) int {
		if r.Method == http.MethodHead || r.Method == http.MethodGet {
			return http.StatusForbidden
		}
		return 0
	})
	set := b.settings()
	set.Endpoint = recorder.URL
	u := newS3(t, set)
	if err := u.Check(t.Context()); err != nil {
		t.Error(err)
	}
	src, data := uploadertest.Source(uploadertest.Folder, conf.MinS3Part+1)
	where, err := u.Upload(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	uploadertest.MustFetch(t, b, where, data)
	bad := src
	bad.Name = "other"
	bad.Open = uploadertest.Breaking(src.Open, conf.MinS3Part)
	if _, err := u.Upload(t.Context(), bad); !errors.Is(err, uploadertest.ErrBroken) {
		t.Error(err)
	}
	if err := u.Delete(t.Context(), where.URI); err != nil {
		t.Error(err)
	}
	uploadertest.MustBeEmpty(t, b, "it")
}
