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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

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

// TestUploadGoesOnAfterAKill kills a process in the middle of an upload, at
// several places, and uploads the same again.
func TestUploadGoesOnAfterAKill(t *testing.T) {
	const parts, part = 12, conf.MinS3Part
	size := int64(parts*part - 1000)
	if text := os.Getenv("HERON_TEST_S3_UPLOAD"); text != "" {
		uploadUntilKilled(t, text, size)
		return
	}
	server := testenv.S3(t, testenv.S3Options{})
	for _, at := range []int64{size / 4, size / 2, size * 9 / 10}[:testenv.Times(2, 3)] {
		b := newS3Bucket(t, server)
		proxy := testenv.Proxy(t, server.Addr)
		proxy.StallUploadAfter(at)
		src := uploadertest.Streamed(uploadertest.Folder, size)

		set := b.settings()
		settings, err := json.Marshal(map[string]string{
			"bucket": set.Bucket, "endpoint": "http://" + proxy.Addr, "access": string(set.AccessKey), "secret": string(set.SecretKey),
		})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestUploadGoesOnAfterAKill$")
		cmd.Env = append(os.Environ(), "HERON_TEST_S3_UPLOAD="+string(settings))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		there := storedParts(t, b, src, at)
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()

		recorder := recordS3(t, server, nil)
		set.Endpoint = recorder.URL
		u := newS3(t, set)
		if _, err := u.Upload(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		sent, _ := recorder.parts()
		t.Logf("killed after %d of %d bytes, %d of them in whole parts; %d sent then", at, size, there, sent)
		if rest := size - at; sent >= rest+2*part || sent > size-there {
			t.Errorf("%d bytes were sent; %d were missing, %d in whole parts", sent, rest, size-there)
		}
		if names := b.List(t); len(names) != 1 {
			t.Errorf("there is %q", names)
		}
		data := make([]byte, size)
		_, _ = uploadertest.Generated(size).ReadAt(data, 0)
		uploadertest.MustFetch(t, b, newS3(t, b.settings()).Locate(src.Name), data)
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

// storedParts waits until the server has the whole parts among the first at
// bytes, as far as several that are sent at once allow, and returns their
// size.
func storedParts(t *testing.T, b *s3Bucket, src uploader.Source, at int64) int64 {
	t.Helper()
	s := newS3(t, b.settings())
	key := s.place.key(src.Name)
	want := at/conf.MinS3Part - int64(s.set.Concurrency)
	deadline := time.Now().Add(time.Minute)
	for last, since := int64(0), time.Now(); ; {
		uploads, err := uploadsOf(t.Context(), s.client, b.bucket, key, true)
		if err != nil {
			t.Fatal(err)
		}
		there := int64(0)
		for _, u := range uploads {
			parts, err := s.client.ListParts(t.Context(), &s3.ListPartsInput{Bucket: &b.bucket, Key: &key, UploadId: u.UploadId})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range parts.Parts {
				there += *p.Size
			}
		}
		if there != last {
			last, since = there, time.Now()
		}
		if there/conf.MinS3Part >= max(want, 0) && time.Since(since) > time.Second {
			return there
		}
		if time.Now().After(deadline) {
			t.Fatalf("only %d bytes in parts came through, of %d", there, at)
		}
		time.Sleep(50 * time.Millisecond)
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
