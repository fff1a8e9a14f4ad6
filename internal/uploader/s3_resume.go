package uploader

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the server's ETag is one
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/heron-nomad/heron/internal/conf"
)

// s3Grace is how much longer a request that publishes an object may take when
// the upload is cancelled meanwhile.
const s3Grace = 15 * time.Second

// resumable is the client that the transfer manager uses for one object. It
// goes on with an upload of the same object that was cut off: a key holds the
// digest of its content, so parts of equal size and checksum are the same. It
// keeps the manager from clearing up, which Upload does.
type resumable struct {
	*s3.Client
	set      conf.S3Upload
	common   conf.Upload
	partSize int64
	// adopt: look for an upload to go on with.
	adopt bool

	key, id string
	// parts are those that the server has.
	parts map[int32]types.Part
	// outcomeUnknown: the object may be there although an error was returned.
	outcomeUnknown bool
	err            error
	// sent counts the bytes of parts that were sent.
	sent atomic.Int64
}

// CreateMultipartUpload returns an upload that is there, or makes one.
func (r *resumable) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, opts ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	r.key = aws.ToString(in.Key)
	if r.adopt {
		if id, ok := r.find(ctx); ok {
			r.id = id
			return &s3.CreateMultipartUploadOutput{Bucket: in.Bucket, Key: in.Key, UploadId: &id}, nil
		}
	}
	ctx, cancel := control(ctx)
	defer cancel()
	out, err := r.Client.CreateMultipartUpload(ctx, in, opts...)
	if err == nil {
		r.id = aws.ToString(out.UploadId)
	}
	return out, err
}

// find is the newest upload of the key whose parts are of our size. Without
// the right to look there is none.
func (r *resumable) find(ctx context.Context) (id string, ok bool) {
	ctx, cancel := control(ctx)
	defer cancel()
	uploads, err := uploadsOf(ctx, r.Client, r.set.Bucket, r.key, true)
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
	pages := s3.NewListPartsPaginator(r.Client, &s3.ListPartsInput{Bucket: &r.set.Bucket, Key: &r.key, UploadId: &id})
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

// UploadPart sends a part that the server does not have. The checksum goes
// before the part, so that servers without trailers take it.
func (r *resumable) UploadPart(ctx context.Context, in *s3.UploadPartInput, opts ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	body, ok := in.Body.(*bytes.Reader)
	if !ok {
		return nil, fmt.Errorf("part %d is a %T, not a buffer", aws.ToInt32(in.PartNumber), in.Body)
	}
	sum := crc32.NewIEEE()
	size, err := body.WriteTo(sum)
	if err != nil {
		return nil, err
	}
	checksum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	if p, ok := r.parts[aws.ToInt32(in.PartNumber)]; ok && aws.ToInt64(p.Size) == size {
		same, err := samePart(p, checksum, body)
		if err != nil {
			return nil, err
		}
		if same {
			return &s3.UploadPartOutput{ETag: p.ETag, ChecksumCRC32: p.ChecksumCRC32}, nil
		}
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	in.ChecksumCRC32, in.Body = &checksum, &sending{ctx: ctx, ReadSeeker: body}
	out, err := r.Client.UploadPart(ctx, in, append(opts, func(o *s3.Options) {
		o.Retryer = s3Retryer(s3PartAttempts, s3PartBackoff)
		// The checksum is signed. Without TLS the payload would be too, which
		// costs both sides another digest; nodes check that of the package.
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	})...)
	if err == nil {
		r.sent.Add(size)
	}
	return out, err
}

// sending is a part on its way. All of it was read before, so this is the sign
// of life that the watch for stalls needs.
type sending struct {
	io.ReadSeeker
	ctx context.Context
}

func (s *sending) Read(p []byte) (int, error) {
	working(s.ctx)
	return s.ReadSeeker.Read(p)
}

// samePart compares a part with one that the server has, by its checksum or
// else by the MD5 that an ETag is where nothing is encrypted.
func samePart(p types.Part, checksum string, body *bytes.Reader) (bool, error) {
	if p.ChecksumCRC32 != nil {
		return *p.ChecksumCRC32 == checksum, nil
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	sum := md5.New() //nolint:gosec // the server's ETag is one
	if _, err := body.WriteTo(sum); err != nil {
		return false, err
	}
	return strings.Trim(aws.ToString(p.ETag), `"`) == hex.EncodeToString(sum.Sum(nil)), nil
}

// CompleteMultipartUpload publishes the object. Its error is kept and not
// returned, for the manager would print it.
func (r *resumable) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput, opts ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	var out *s3.CompleteMultipartUploadOutput
	r.err = r.publish(ctx, func(ctx context.Context) (err error) {
		out, err = r.Client.CompleteMultipartUpload(ctx, in, opts...)
		return err
	})
	if r.err != nil {
		return &s3.CompleteMultipartUploadOutput{}, nil
	}
	r.id = ""
	return out, nil
}

// PutObject is for an empty object, which has no parts.
func (r *resumable) PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (out *s3.PutObjectOutput, err error) {
	r.key = aws.ToString(in.Key)
	err = r.publish(ctx, func(ctx context.Context) (err error) {
		out, err = r.Client.PutObject(ctx, in, opts...)
		return err
	})
	return out, err
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
		timer := time.NewTimer(s3Grace)
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

// AbortMultipartUpload does nothing: the parts may be needed.
func (r *resumable) AbortMultipartUpload(context.Context, *s3.AbortMultipartUploadInput, ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	return &s3.AbortMultipartUploadOutput{}, nil
}

// finished is what became of the last request.
func (r *resumable) finished() error { return r.err }

// abort removes the parts of an upload that failed, whatever became of ctx.
func (r *resumable) abort(ctx context.Context) error {
	if r.id == "" {
		return nil
	}
	ctx, cancel := cleanup(ctx, r.common)
	defer cancel()
	return abortUpload(ctx, r.Client, r.set.Bucket, r.key, r.id)
}

// abortOthers removes what killed uploads of an object left that is there now.
// It may fail: Delete does the same.
func (r *resumable) abortOthers(ctx context.Context) {
	ctx, cancel := cleanup(ctx, r.common)
	defer cancel()
	_ = abortAll(ctx, r.Client, r.set.Bucket, r.key)
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
