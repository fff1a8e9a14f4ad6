package s3

import (
	"bytes"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
)

// grace is how much longer a request that publishes an object may take when
// the upload is cancelled meanwhile.
const grace = 15 * time.Second

// resumable is the upload of one object in parts. It continues one of the same
// object that was cut off, if the server would begin it the same way now: a key
// holds the digest of its content, so parts of equal size and checksum are the
// same.
type resumable struct {
	client *s3.Client
	set    conf.S3Upload
	common conf.Upload
	// checksums: requests carry those of S3. Servers that do not know them
	// refuse such requests (AWS_REQUEST_CHECKSUM_CALCULATION).
	checksums bool
	partSize  int64
	// adopt: look for an upload to continue; adopted: there was one.
	adopt, adopted bool

	key, id string
	// parts are those that the server has.
	parts map[int32]types.Part
	// outcomeUnknown: the object may be there although an error was returned.
	outcomeUnknown bool
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
