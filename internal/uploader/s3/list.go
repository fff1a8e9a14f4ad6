package s3

import (
	"context"
	"fmt"
	"iter"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/heron-nomad/heron/internal/uploader"
)

// checkObject is the object that Check begins to upload.
const checkObject = ".heron-check"

// Check implements uploader.Uploader. It begins an upload, sends a part and
// aborts it: that takes no more rights than uploading does, and the answers say
// more than those to HEAD.
func (s *Uploader) Check(ctx context.Context) error {
	doing := fmt.Sprintf("check bucket %s at %s", s.set.Bucket, s.address())
	if _, err := s.credentials(ctx); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if s.set.Fetch == "presigned" {
		if err := s.checkExpiry(ctx); err != nil {
			return err
		}
	}
	r := s.resumable(s.place.key(checkObject))
	bounded, cancel := control(ctx)
	defer cancel()
	err := r.rehearse(bounded)
	// What came before counts more than a failed clean-up.
	if aerr := r.abort(ctx); err == nil && aerr != nil {
		return s.fault(context.WithoutCancel(ctx), doing+": abort the upload of "+r.key, aerr)
	}
	if err != nil {
		return s.fault(ctx, doing, err)
	}
	return ctx.Err()
}

// Delete implements uploader.Uploader. In a bucket with versions the object is hidden;
// its versions stay.
func (s *Uploader) Delete(ctx context.Context, uri string) error {
	doing := "delete " + uri
	key, ok := s.place.keyOf(uri)
	if !ok {
		return fmt.Errorf("%s: %w: it is not below %s", doing, uploader.ErrForeign, s.place.uri(s.place.prefix))
	}
	if _, err := s.credentials(ctx); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	bounded, cancel := control(ctx)
	_, err := s.client.DeleteObject(bounded, &s3.DeleteObjectInput{Bucket: &s.set.Bucket, Key: &key})
	cancel()
	if err != nil && !isGone(err) {
		return s.fault(ctx, doing, err)
	}
	if err := abortAll(ctx, s.client, s.set.Bucket, key); err != nil && statusOf(err) != http.StatusForbidden {
		return s.fault(ctx, doing+": remove its parts", err)
	}
	return nil
}

// List implements uploader.Uploader. Without the right to list uploads there are no
// partial ones.
func (s *Uploader) List(ctx context.Context, folder string) iter.Seq2[uploader.Stored, error] {
	return func(yield func(uploader.Stored, error) bool) {
		if err := uploader.CheckName(folder); err != nil {
			yield(uploader.Stored{}, err)
			return
		}
		prefix := s.place.key(folder) + "/"
		doing := "list " + s.place.uri(prefix)
		if _, err := s.credentials(ctx); err != nil {
			yield(uploader.Stored{}, fmt.Errorf("%s: %w", doing, err))
			return
		}
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.set.Bucket, Prefix: &prefix})
		for pages.HasMorePages() {
			bounded, cancel := control(ctx)
			page, err := pages.NextPage(bounded)
			cancel()
			if err != nil {
				yield(uploader.Stored{}, s.fault(ctx, doing, err))
				return
			}
			uploader.Working(ctx)
			for _, o := range page.Contents {
				name, ok := s.place.name(aws.ToString(o.Key))
				if ok && !yield(uploader.Stored{Name: name, URI: s.place.uri(*o.Key), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}, nil) {
					return
				}
			}
		}
		uploads, err := uploadsOf(ctx, s.client, s.set.Bucket, prefix, false)
		if err != nil {
			if statusOf(err) != http.StatusForbidden {
				yield(uploader.Stored{}, s.fault(ctx, doing, err))
			}
			return
		}
		for _, u := range uploads {
			name, ok := s.place.name(aws.ToString(u.Key))
			if ok && !yield(uploader.Stored{Name: name, URI: s.place.uri(*u.Key), Modified: aws.ToTime(u.Initiated), Partial: true}, nil) {
				return
			}
		}
	}
}
