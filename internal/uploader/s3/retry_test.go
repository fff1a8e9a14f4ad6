package s3

import (
	"errors"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// An upload whose connection is cut goes on where it was when it is tried
// again, and leaves nothing when that was the last try.
func TestTriesGoOnWhereTheyWereCut(t *testing.T) {
	const parts, part = 12, conf.MinS3Part
	size := int64(parts*part - 1000)
	server := testenv.S3(t, testenv.S3Options{})
	for _, heals := range []bool{true, false} {
		b := newS3Bucket(t, server)
		proxy := testenv.Proxy(t, server.Addr)
		settings := conf.Upload{Kind: "s3", S3: b.settings(), Retries: 1, StallTimeout: 5 * time.Second}
		settings.S3.Endpoint = "http://" + proxy.Addr
		cut := size / 2
		proxy.CutUploadAfter(cut)
		tried := 0
		base, err := New(settings)
		if err != nil {
			t.Fatal(err)
		}
		u := uploader.Decorate(base, settings, uploader.Options{Progress: uploadertest.OnRetry(func() {
			tried++
			if heals {
				// What is missing, and the parts that were on their way.
				proxy.CutUploadAfter(size - cut + int64(settings.S3.Concurrency)*part + part/2)
			}
		})})
		src := uploadertest.Streamed(uploadertest.Folder, size)
		_, err = u.Upload(t.Context(), src)
		if (err == nil) != heals || tried != 1 {
			t.Errorf("server is there again: %v, tried again %d times: %v", heals, tried, err)
		}
		if heals {
			continue
		}
		// Nothing could be removed through the proxy either: then it is named,
		// and a deletion takes it.
		var left *uploader.LeftoverError
		if !errors.As(err, &left) {
			t.Errorf("what is left is not named: %v", err)
		}
		proxy.Up()
		if err := u.Delete(t.Context(), u.Locate(src.Name).URI); err != nil {
			t.Error(err)
		}
		uploads, err := uploadsOf(t.Context(), newS3(t, b.settings()).client, b.bucket, "", false)
		if err != nil || len(uploads) > 0 {
			t.Errorf("%d uploads are left, %v", len(uploads), err)
		}
	}
}
