package s3

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// s3Bucket is a bucket of a real server.
type s3Bucket struct {
	server *testenv.S3Server
	bucket string
}

// newS3Bucket makes an empty one.
func newS3Bucket(t *testing.T, server *testenv.S3Server) *s3Bucket {
	t.Helper()
	dir, err := os.MkdirTemp(server.Root, "packages-")
	if err != nil {
		t.Fatal(err)
	}
	return &s3Bucket{server: server, bucket: filepath.Base(dir)}
}

// settings are those of a user with keys; the parts are the smallest.
func (b *s3Bucket) settings() conf.S3Upload {
	return conf.S3Upload{
		Bucket: b.bucket, Prefix: "my packages/heron", AccessKey: conf.Secret(b.server.AccessKey), SecretKey: conf.Secret(b.server.SecretKey),
		Region: b.server.Region, Endpoint: b.server.Addr, PathStyle: true,
		PartSize: conf.MinS3Part, Concurrency: 3, Fetch: "s3", PresignExpiry: time.Hour,
	}
}

func newS3(t *testing.T, set conf.S3Upload) *Uploader {
	t.Helper()
	return newS3With(t, conf.Upload{S3: set, StallTimeout: time.Minute})
}

func newS3With(t *testing.T, settings conf.Upload) *Uploader {
	t.Helper()
	settings.Kind = "s3"
	u, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

func (b *s3Bucket) Uploader(t *testing.T) uploader.Uploader { return newS3(t, b.settings()) }

func (b *s3Bucket) PartSize() int { return conf.MinS3Part }

func (b *s3Bucket) Secrets() []string { return []string{b.server.AccessKey, b.server.SecretKey} }

func (b *s3Bucket) Faults(t *testing.T) (func(conf.Upload) uploader.Uploader, *testenv.FaultProxy) {
	proxy := testenv.Proxy(t, b.server.Addr)
	return func(common conf.Upload) uploader.Uploader {
		common.S3 = b.settings()
		common.S3.Endpoint = "http://" + proxy.Addr
		return newS3With(t, common)
	}, proxy
}

// leavePart sends the first part.
func (b *s3Bucket) LeavePart(t *testing.T, src uploader.Source) bool {
	t.Helper()
	b.leavePartWith(t, b.settings(), src)
	return true
}

// leavePartWith begins an upload with settings and sends the first part.
func (b *s3Bucket) leavePartWith(t *testing.T, set conf.S3Upload, src uploader.Source) {
	t.Helper()
	s := newS3(t, set)
	r := s.resumable(s.place.key(src.Name))
	r.partSize = conf.MinS3Part
	c, err := src.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := r.begin(t.Context(), src, c); err != nil {
		t.Fatal(err)
	}
	check := newVerifier(c, src)
	p := part{number: 1, content: c, size: r.partSize}
	if err = check.next(t.Context(), &p, r.checksums); err != nil {
		t.Fatal(err)
	}
	if _, err := r.send(t.Context(), &p); err != nil {
		t.Fatal(err)
	}
}

// fetch reads the object of an s3 URI with the keys.
func (b *s3Bucket) Fetch(t *testing.T, uri string) []byte {
	t.Helper()
	s := newS3(t, b.settings())
	// It may have been stored through a proxy.
	_, path, _ := strings.Cut(uri, "/"+b.bucket+"/")
	escaped, _, _ := strings.Cut(path, "?")
	key, err := url.PathUnescape(escaped)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// list names objects, and unfinished uploads with an ellipsis.
func (b *s3Bucket) List(t *testing.T) (names []string) {
	t.Helper()
	s := newS3(t, b.settings())
	objects, err := s.client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &b.bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects.Contents {
		names = append(names, *o.Key)
	}
	uploads, err := s.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &b.bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uploads.Uploads {
		names = append(names, *u.Key+"...")
	}
	return names
}

// readOnly is a server that refuses to write.
func (b *s3Bucket) ReadOnly(t *testing.T) uploader.Uploader {
	return newS3Bucket(t, testenv.S3(t, testenv.S3Options{ReadOnly: true})).Uploader(t)
}

func (b *s3Bucket) Full(t *testing.T) uploader.Uploader {
	return newS3Bucket(t, testenv.S3(t, testenv.S3Options{Root: uploadertest.SmallDisk(t)})).Uploader(t)
}

func (b *s3Bucket) Foreign(t *testing.T) []string {
	base := "s3::" + b.server.Addr + "/" + b.bucket
	return []string{
		"", base, base + "/", base + "/x", base + "/my%20packages/heron", base + "/my%20packages/heron/", base + "/my%20packages/heron/../x",
		base + "/my packages/heron/x", base + "/my%20packages/heron/%78", base + "x/my%20packages/heron/a", "s3::http://127.0.0.1:1/" + b.bucket + "/my%20packages/heron/a",
		strings.TrimPrefix(base, "s3::") + "/my%20packages/heron/a", base + "/my%20packages/heron/a?aws_access_key_id=x", "file:///a",
	}
}

func TestConformance(t *testing.T) {
	server := testenv.S3(t, testenv.S3Options{})
	uploadertest.Run(t, func(t *testing.T) uploadertest.Place { return newS3Bucket(t, server) })
}

// Whoever has a presigned URL gets the package, also one whose name is escaped.
func TestPresignedURLsAreFetched(t *testing.T) {
	withoutAWS(t)
	b := newS3Bucket(t, testenv.S3(t, testenv.S3Options{}))
	set := b.settings()
	set.Fetch = "presigned"
	u := newS3(t, set)
	src, data := uploadertest.Source("local/a b+c/ü", 10)
	where, err := u.Upload(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(where.Fetch)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, data) || strings.Contains(where.URI, "Signature") {
		t.Errorf("a node gets %s and %d bytes, %v; the URI is %s", resp.Status, len(got), err, where.URI)
	}
}
