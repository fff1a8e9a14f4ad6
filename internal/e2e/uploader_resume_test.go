package e2e

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/heron-nomad/heron/internal/testenv"
)

// A submit that was killed in the middle of its upload goes on when it is
// given again: of a large package no more is sent than what is missing, and
// two parts for what was on its way.
func TestUploadGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	const part, size = 5 << 20, 60 << 20
	s := newS3Cluster(t, testenv.S3(t, testenv.S3Options{}), "")
	s.letEverybodyRead()
	proxy := testenv.Proxy(t, s.server.Addr)
	s.properties["heron.uploader.s3.uri"] = "http://" + proxy.Addr
	s.properties["heron.uploader.s3.fetch"] = "public"
	s.properties["heron.uploader.s3.part.size"] = "5MiB"
	s.properties["heron.uploader.retry.count"] = "0"
	program := largeProgram(t, size)
	submit := func() *running {
		return s.start("submit", "--wait", "nomad", program, "-", "--name", s.topology, "--stmgrs", "1")
	}

	proxy.StallUploadAfter(size / 2)
	first := submit()
	// What the proxy let through holds these parts, whichever were sent side
	// by side.
	eventually(t, "half of the package is there", func() bool { return s.storedParts() >= size/2-5*part })
	_ = first.cmd.Process.Signal(os.Kill)
	if r := first.wait(t); r.code != -1 {
		t.Fatalf("not killed in its upload: %s", r)
	}
	stored, note := s.storedParts(), s.intent()

	proxy.CutUploadAfter(note.Package.Size - stored + 2*part)
	s.want(submit().wait(t), 0, "topology "+s.topology+" runs at")
	if job := s.job(); job.Meta["topology.id"] != note.ID {
		t.Errorf("the topology is %s, the killed submit's was %s", job.Meta["topology.id"], note.ID)
	}
	if objects := s.objects(); len(objects) != 1 || strings.HasSuffix(objects[0], "...") {
		t.Errorf("objects are %q", objects)
	}
	if err := os.RemoveAll(s.tmp); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	proxy.Up()
	s.want(s.kill(), 0)
	s.nothingLeft()
}

// largeProgram is the sample with so many bytes behind it that do not
// compress.
func largeProgram(t *testing.T, more int64) string {
	t.Helper()
	text, err := os.ReadFile(bin.sample)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sample-topology")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{}), more); err != nil {
		t.Fatal(err)
	}
	return path
}

// storedParts is how many bytes the server has of uploads that are not
// finished.
func (s *s3Cluster) storedParts() (bytes int64) {
	s.t.Helper()
	ctx := context.Background()
	uploads, err := s.client3().ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.bucket})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, u := range uploads.Uploads {
		parts, err := s.client3().ListParts(ctx, &s3.ListPartsInput{Bucket: &s.bucket, Key: u.Key, UploadId: u.UploadId})
		if err != nil {
			continue // it has ended meanwhile
		}
		for _, p := range parts.Parts {
			bytes += *p.Size
		}
	}
	return bytes
}
