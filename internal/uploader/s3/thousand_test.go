package s3

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// thousands is more than a server names in one answer, twice.
const thousands = 2005

// each does something for each number, several at a time.
func each(t *testing.T, do func(n int) error) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(8)
	for n := range thousands {
		group.Go(func() error { return do(n) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// Servers answer with a thousand objects, uploads or parts at a time.
func TestThousands(t *testing.T) {
	server := testenv.S3(t, testenv.S3Options{})
	ctx := t.Context()

	t.Run("objects and uploads", func(t *testing.T) {
		b := newS3Bucket(t, server)
		s := newS3(t, b.settings())
		name := func(n int) string { return fmt.Sprintf("local/r/wc-%04d", n) }
		each(t, func(n int) error {
			key := s.place.key(name(n))
			_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: &key})
			if err == nil {
				_, err = s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: &key})
			}
			return err
		})
		whole, partial := map[string]bool{}, map[string]bool{}
		for one, err := range s.List(ctx, "local/r") {
			if err != nil {
				t.Fatal(err)
			}
			seen := whole
			if one.Partial {
				seen = partial
			}
			if seen[one.Name] {
				t.Errorf("%+v is listed twice", one)
			}
			seen[one.Name] = true
		}
		for n := range thousands {
			if !whole[name(n)] || !partial[name(n)] {
				t.Fatalf("%s is not listed: %d objects and %d uploads are", name(n), len(whole), len(partial))
			}
		}
	})

	t.Run("uploads of one object", func(t *testing.T) {
		b := newS3Bucket(t, server)
		s := newS3(t, b.settings())
		src, data := uploadertest.Source(uploadertest.Folder, 10)
		key := s.place.key(src.Name)
		each(t, func(int) error {
			_, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: &key})
			return err
		})
		if names := b.List(t); len(names) < 1000 {
			t.Fatalf("%d uploads are there", len(names))
		}
		if err := s.Delete(ctx, s.Locate(src.Name).URI); err != nil {
			t.Fatal(err)
		}
		uploadertest.MustBeEmpty(t, b, "the delete")
		uploadertest.MustUpload(t, b, s, src, data)
	})

	t.Run("parts", func(t *testing.T) {
		b := newS3Bucket(t, server)
		s := newS3(t, b.settings())
		r := s.resumable(s.place.key("a"))
		r.partSize = 1
		src, _ := uploadertest.Source("a", thousands)
		content, err := src.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		if err := r.begin(ctx, src, content); err != nil {
			t.Fatal(err)
		}
		each(t, func(n int) error {
			p := &part{number: int32(n) + 1, content: content, off: int64(n), size: 1}
			if err := newVerifier(content, src).at(p.off).next(ctx, p, true); err != nil {
				return err
			}
			_, err := r.put(ctx, p)
			return err
		})
		parts, ok := r.partsOf(ctx, r.id)
		if !ok || len(parts) != thousands {
			t.Errorf("%d parts, %v", len(parts), ok)
		}
		for n := int32(1); n <= thousands; n++ {
			if p, ok := parts[n]; !ok || aws.ToInt64(p.Size) != 1 {
				t.Fatalf("part %d is %+v", n, p)
			}
		}
	})
}
