package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/heron-nomad/heron/internal/conf"
)

const (
	mebibyte   = 1 << 20
	maxS3Parts = 10000
	// s3Memory bounds what the parts on their way may take.
	s3Memory = 48 * mebibyte
)

// Upload implements Uploader.
func (s *S3) Upload(ctx context.Context, src Source) (Location, error) {
	if err := checkSource(src); err != nil {
		return Location{}, err
	}
	doing := "store " + s.place.uri(s.place.key(src.Name))
	if _, err := s.credentials(ctx); err != nil {
		return Location{}, fmt.Errorf("%s: %w", doing, err)
	}
	if s.set.Fetch == "presigned" {
		if err := s.checkExpiry(ctx); err != nil {
			return Location{}, err
		}
	}
	there, err := s.isThere(ctx, src)
	if err != nil {
		return Location{}, s.fault(ctx, doing, err)
	}
	if there {
		return s.located(ctx, src.Name)
	}
	if err := s.send(ctx, src); err != nil {
		return Location{}, s.fault(ctx, doing, err)
	}
	where, err := s.located(ctx, src.Name)
	if err != nil {
		clean, cancel := cleanup(ctx, s.common)
		defer cancel()
		if derr := s.Delete(clean, s.Locate(src.Name).URI); derr != nil {
			return Location{}, &LeftoverError{What: "package " + s.Locate(src.Name).URI, Why: derr.Error(), Err: err}
		}
		return Location{}, err
	}
	return where, nil
}

// isThere tells whether the object has this very content. Without the right to
// look it is not.
func (s *S3) isThere(ctx context.Context, src Source) (bool, error) {
	ctx, cancel := control(ctx)
	defer cancel()
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.set.Bucket, Key: aws.String(s.place.key(src.Name))})
	switch {
	case err == nil:
		return aws.ToInt64(head.ContentLength) == src.Size && head.Metadata[digestMetadata] == src.SHA256, nil
	case statusOf(err) >= 300 && statusOf(err) < 500:
		// Answers to HEAD do not say what is wrong. Those to the upload will.
		return false, nil
	}
	return false, err
}

// send uploads the content. Another process that uploads the same object may
// take our parts along when it ends: then the object is there, or we start
// again with parts of our own.
func (s *S3) send(ctx context.Context, src Source) error {
	for adopt := true; ; adopt = false {
		r := &resumable{Client: s.client, set: s.set, common: s.common, partSize: s3PartSize(s.set.PartSize, src.Size), adopt: adopt}
		err := s.sendOnce(ctx, src, r)
		if err == nil {
			r.abortOthers(ctx)
			return nil
		}
		var verdict *sourceError
		bad := errors.As(err, &verdict)
		if !bad && r.outcomeUnknown {
			clean, cancel := cleanup(ctx, s.common)
			there, herr := s.isThere(clean, src)
			cancel()
			if herr == nil && there {
				return nil
			}
		}
		if aerr := r.abort(ctx); aerr != nil {
			return &LeftoverError{
				What: "parts of " + s.place.uri(r.key) + ", with which the same upload goes on",
				Why:  s.fault(context.WithoutCancel(ctx), "abort the upload", aerr).Error(),
				Err:  s.fault(ctx, "store "+s.place.uri(r.key), err),
			}
		}
		if adopt && !bad && ctx.Err() == nil && codeOf(err) == "NoSuchUpload" {
			if there, herr := s.isThere(ctx, src); herr == nil && there {
				return nil
			}
			continue
		}
		return err
	}
}

// sendOnce is one run of the transfer manager.
func (s *S3) sendOnce(ctx context.Context, src Source, r *resumable) error {
	content, err := src.Open()
	if err != nil {
		return &sourceError{fmt.Errorf("open the package: %w", err)}
	}
	defer content.Close()
	body := &verifiedReader{ctx: ctx, r: content, src: src, digest: newDigest()}
	defer body.digest.close()
	manager := transfermanager.New(r, func(o *transfermanager.Options) {
		o.PartSizeBytes = r.partSize
		o.Concurrency = s3Concurrency(s.set.Concurrency, r.partSize)
		o.MultipartUploadThreshold = 1
		o.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
	})
	input := &transfermanager.UploadObjectInput{
		Bucket: &s.set.Bucket, Key: aws.String(s.place.key(src.Name)),
		Body:                 body,
		ContentType:          aws.String("application/gzip"),
		Metadata:             map[string]string{digestMetadata: src.SHA256},
		StorageClass:         types.StorageClass(s.set.StorageClass),
		ServerSideEncryption: types.ServerSideEncryption(s.set.Encryption),
	}
	if s.set.KMSKey != "" {
		input.SSEKMSKeyID = &s.set.KMSKey
	}
	_, err = manager.UploadObject(ctx, input)
	switch {
	case body.err != nil:
		return &sourceError{body.err}
	case err != nil:
		return err
	}
	return r.finished()
}

// s3PartSize is the size of parts for a package: as configured, or larger
// where that would be too many.
func s3PartSize(configured, size int64) int64 {
	least := (size + maxS3Parts - 1) / maxS3Parts
	if configured >= least {
		return configured
	}
	return min((least+mebibyte-1)/mebibyte*mebibyte, conf.MaxS3Part)
}

// s3Concurrency is how many parts are sent at a time: as configured, or fewer
// where their memory would be too much. The manager holds one more part than
// it sends.
func s3Concurrency(configured int, partSize int64) int {
	return max(1, min(configured, int(s3Memory/partSize)-1))
}

// sourceError marks what the source is to blame for.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

// verifiedReader gives a content and, in the place of its end, the error where
// it is not what the source announced. It hides that the content can seek, for
// what is read here is read once.
type verifiedReader struct {
	ctx    context.Context
	r      io.Reader
	src    Source
	digest *digest
	n      int64
	// err is why reading ended, nil before that and after a good end.
	err error
}

func (v *verifiedReader) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if v.err = v.ctx.Err(); v.err != nil {
		return 0, v.err
	}
	// One byte more than announced is enough to see that it is too much.
	n, err := v.r.Read(p[:min(int64(len(p)), v.src.Size-v.n+1)])
	v.n += int64(n)
	v.digest.write(p[:n])
	switch {
	case v.n > v.src.Size:
		v.err = fmt.Errorf("%w: more than %d bytes; the file was changed meanwhile", ErrContent, v.src.Size)
	case errors.Is(err, io.EOF) && v.n < v.src.Size:
		v.err = fmt.Errorf("%w: %d bytes instead of %d; the file was changed meanwhile", ErrContent, v.n, v.src.Size)
	case errors.Is(err, io.EOF):
		if got := v.digest.hex(); got != v.src.SHA256 {
			v.err = fmt.Errorf("%w: SHA-256 is %s instead of %s; the file was changed meanwhile", ErrContent, got, v.src.SHA256)
			return n, v.err
		}
		return n, io.EOF
	case err != nil:
		v.err = fmt.Errorf("read the package: %w", err)
	}
	return n, v.err
}

// statusOf is the server's status, 0 where it did not answer.
func statusOf(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// codeOf is the server's code for an error, "" where there is none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// isGone tells an answer that what was asked for is not there.
func isGone(err error) bool {
	return statusOf(err) == http.StatusNotFound
}
