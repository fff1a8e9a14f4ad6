package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
)

// grace is how much longer a request that publishes an object may take when
// the upload is cancelled meanwhile.
const grace = 15 * time.Second

// resumable is the upload of one object in parts. It goes on with one of the
// same object that was cut off: a key holds the digest of its content, so
// parts of equal size and checksum are the same.
type resumable struct {
	client *s3.Client
	set    conf.S3Upload
	common conf.Upload
	// checksums: requests carry those of S3. Servers that do not know them
	// refuse such requests (AWS_REQUEST_CHECKSUM_CALCULATION).
	checksums bool
	partSize  int64
	// adopt: look for an upload to go on with.
	adopt bool

	key, id string
	// parts are those that the server has.
	parts map[int32]types.Part
	// outcomeUnknown: the object may be there although an error was returned.
	outcomeUnknown bool
}

// begin takes an upload that is there, or makes one.
func (r *resumable) begin(ctx context.Context, src uploader.Source) error {
	if r.adopt {
		if id, ok := r.find(ctx); ok {
			r.id = id
			return nil
		}
	}
	ctx, cancel := control(ctx)
	defer cancel()
	out, err := r.client.CreateMultipartUpload(ctx, r.creation(src.SHA256))
	if err == nil {
		r.id = aws.ToString(out.UploadId)
	}
	return err
}

// find is the newest upload of the key whose parts are of our size. Without
// the right to look there is none.
func (r *resumable) find(ctx context.Context) (id string, ok bool) {
	ctx, cancel := control(ctx)
	defer cancel()
	uploads, err := uploadsOf(ctx, r.client, r.set.Bucket, r.key, true)
	if err != nil {
		return "", false
	}
	slices.SortStableFunc(uploads, func(a, b types.MultipartUpload) int {
		return aws.ToTime(b.Initiated).Compare(aws.ToTime(a.Initiated))
	})
	for _, u := range uploads {
		if parts, ok := r.partsOf(ctx, aws.ToString(u.UploadId)); ok {
			r.parts = parts
			return *u.UploadId, true
		}
	}
	return "", false
}

// partsOf are the parts of an upload; ok is false where they are not of our
// size, or cannot be told.
func (r *resumable) partsOf(ctx context.Context, id string) (parts map[int32]types.Part, ok bool) {
	parts = map[int32]types.Part{}
	last := int32(0)
	pages := s3.NewListPartsPaginator(r.client, &s3.ListPartsInput{Bucket: &r.set.Bucket, Key: &r.key, UploadId: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false
		}
		for _, p := range page.Parts {
			parts[aws.ToInt32(p.PartNumber)] = p
			last = max(last, aws.ToInt32(p.PartNumber))
		}
	}
	for n, p := range parts {
		if size := aws.ToInt64(p.Size); size != r.partSize && (n != last || size > r.partSize) {
			return nil, false
		}
	}
	return parts, len(parts) > 0
}

// complete publishes the object.
func (r *resumable) complete(ctx context.Context, parts []types.CompletedPart) error {
	err := r.publish(ctx, func(ctx context.Context) error {
		_, err := r.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &r.set.Bucket, Key: &r.key, UploadId: &r.id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		return err
	})
	if err == nil {
		uploader.Drop(ctx, r.id)
		r.id = ""
	}
	return err
}

// putEmpty publishes an empty object, which has no parts.
func (r *resumable) putEmpty(ctx context.Context, src uploader.Source) error {
	like := r.creation(src.SHA256)
	return r.publish(ctx, func(ctx context.Context) error {
		_, err := r.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: like.Bucket, Key: like.Key, Body: bytes.NewReader(nil),
			ChecksumAlgorithm: like.ChecksumAlgorithm, ContentType: like.ContentType, Metadata: like.Metadata,
			StorageClass: like.StorageClass, ServerSideEncryption: like.ServerSideEncryption, SSEKMSKeyId: like.SSEKMSKeyId,
		})
		return err
	})
}

// publish does the one request after which the object is there. One that is
// cancelled before does not begin; one that has begun is given time to end.
func (r *resumable) publish(ctx context.Context, do func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-own.Done():
		}
	})()
	err := do(own)
	r.outcomeUnknown = err != nil && (statusOf(err) == 0 || statusOf(err) >= 500 || codeOf(err) == "NoSuchUpload")
	return err
}

// abort removes the parts of an upload that failed, whatever became of ctx.
func (r *resumable) abort(ctx context.Context) error {
	if r.id == "" {
		return nil
	}
	ctx, cancel := uploader.Cleanup(ctx, r.common)
	defer cancel()
	return abortUpload(ctx, r.client, r.set.Bucket, r.key, r.id)
}

// abortOthers removes what killed uploads of an object left that is there now.
// It may fail: Delete does the same.
func (r *resumable) abortOthers(ctx context.Context) {
	ctx, cancel := uploader.Cleanup(ctx, r.common)
	defer cancel()
	_ = abortAll(ctx, r.client, r.set.Bucket, r.key)
}

// uploadsOf lists the unfinished uploads whose keys begin with prefix, or are
// it where exact is set.
func uploadsOf(ctx context.Context, client *s3.Client, bucket, prefix string, exact bool) ([]types.MultipartUpload, error) {
	var found []types.MultipartUpload
	pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			if !exact || aws.ToString(u.Key) == prefix {
				found = append(found, u)
			}
		}
	}
	return found, nil
}

// abortAll removes all unfinished uploads of a key.
func abortAll(ctx context.Context, client *s3.Client, bucket, key string) error {
	uploads, err := uploadsOf(ctx, client, bucket, key, true)
	if err != nil {
		return err
	}
	for _, u := range uploads {
		err = errors.Join(err, abortUpload(ctx, client, bucket, key, aws.ToString(u.UploadId)))
	}
	return err
}

// abortUpload removes an upload and its parts. A part that was on its way can
// come after an abort, so it looks again.
func abortUpload(ctx context.Context, client *s3.Client, bucket, key, id string) error {
	const times = 3
	for range times {
		_, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: &id})
		if err != nil && !isGone(err) {
			return err
		}
		if _, err := client.ListParts(ctx, &s3.ListPartsInput{Bucket: &bucket, Key: &key, UploadId: &id}); err != nil {
			// Gone, or we may not look.
			return nil //nolint:nilerr // the abort was answered
		}
	}
	return fmt.Errorf("upload %s of %s is still there", id, key)
}
