package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/uploader"
)

// packageType is the media type of packages.
const packageType = "application/gzip"

const (
	mebibyte = 1 << 20
	maxParts = 10000
)

// Upload implements uploader.Uploader.
func (s *Uploader) Upload(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	if err := uploader.CheckSource(src); err != nil {
		return uploader.Location{}, err
	}
	doing := "store " + s.place.uri(s.place.key(src.Name))
	if _, err := s.credentials(ctx); err != nil {
		return uploader.Location{}, fmt.Errorf("%s: %w", doing, err)
	}
	if s.set.Fetch == "presigned" {
		if err := s.checkExpiry(ctx); err != nil {
			return uploader.Location{}, err
		}
	}
	there, err := s.isThere(ctx, src)
	if err != nil {
		return uploader.Location{}, s.fault(ctx, doing, err)
	}
	if there {
		where, err := s.located(ctx, src)
		if err != nil {
			return uploader.Location{}, err
		}
		return where, nil
	}
	if err := s.send(ctx, src); err != nil {
		return uploader.Location{}, s.fault(ctx, doing, err)
	}
	where, err := s.located(ctx, src)
	if err != nil {
		clean, cancel := uploader.Cleanup(ctx, s.common)
		defer cancel()
		if derr := s.Delete(clean, s.Locate(src.Name).URI); derr != nil {
			return uploader.Location{}, &uploader.LeftoverError{What: s.resource(s.place.key(src.Name)), Why: derr.Error(), Err: err}
		}
		return uploader.Location{}, err
	}
	return where, nil
}

// resource is an object as errors name it.
func (s *Uploader) resource(key string) outcome.Resource {
	return outcome.Resource{Kind: outcome.Package, ID: s.place.uri(key)}
}

// isThere tells whether the object has this very content. Without the right to
// look it is not.
func (s *Uploader) isThere(ctx context.Context, src uploader.Source) (bool, error) {
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
// take our parts along when it ends, or send one anew just when we end: then
// the object is there, or we start again with parts of our own.
func (s *Uploader) send(ctx context.Context, src uploader.Source) error {
	for adopt := true; ; adopt = false {
		r := s.resumable(s.place.key(src.Name))
		r.partSize, r.adopt = choosePartSize(s.set.PartSize, src.Size), adopt
		err := s.sendOnce(ctx, src, r)
		if err == nil {
			r.abortOthers(ctx)
			return nil
		}
		var verdict *sourceError
		bad := errors.As(err, &verdict)
		if !bad && r.outcomeUnknown {
			clean, cancel := uploader.Cleanup(ctx, s.common)
			there, herr := s.isThere(clean, src)
			cancel()
			if herr == nil && there {
				return nil
			}
		}
		if !bad && r.id != "" && s.cutOff(ctx, err) && uploader.Keep(ctx, r.id, r.abort) {
			return err
		}
		uploader.Drop(ctx, r.id)
		if aerr := r.abort(ctx); aerr != nil {
			return &uploader.LeftoverError{
				What: s.resource(r.key),
				Why:  "parts of it, which the same upload continues: " + s.fault(context.WithoutCancel(ctx), "abort the upload", aerr).Error(),
				Err:  s.fault(ctx, "store "+s.place.uri(r.key), err),
			}
		}
		refused := slices.Contains([]string{"NoSuchUpload", "InvalidPart"}, codeOf(err)) || r.adopted && codeOf(err) == "InvalidRequest"
		if adopt && !bad && ctx.Err() == nil && refused {
			if there, herr := s.isThere(ctx, src); herr == nil && there {
				return nil
			}
			continue
		}
		return err
	}
}

// cutOff says whether an upload did not fail for a reason of its own: it may
// go on when the server is there again.
func (s *Uploader) cutOff(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return uploader.Stalled(ctx)
	}
	return errors.Is(s.fault(ctx, "store a package", err), uploader.ErrUnreachable)
}

// sendOnce is one run, in parts unless there is nothing to send.
func (s *Uploader) sendOnce(ctx context.Context, src uploader.Source, r *resumable) error {
	content, err := src.Open()
	if err != nil {
		return &sourceError{fmt.Errorf("open the package: %w", err)}
	}
	defer content.Close()
	check := newVerifier(content, src)
	if src.Size == 0 {
		if err := check.end(); err != nil {
			return &sourceError{err}
		}
		return r.putEmpty(ctx, src)
	}
	if err := r.begin(ctx, src, content); err != nil {
		return err
	}
	parts, err := r.sendParts(ctx, content, check, src.Size)
	if err != nil {
		return err
	}
	return r.complete(ctx, parts)
}

// Parts are that large where nothing else is configured: enough of them to be
// sent side by side, and to lose little of an upload that is cut; few enough
// that a server which copies them together is done soon.
const (
	usualParts = 16
	smallPart  = 8 * mebibyte
	largePart  = 64 * mebibyte
)

// choosePartSize is the size of parts for a package: as configured, if it is not
// 0, or larger where that would be too many.
func choosePartSize(configured, size int64) int64 {
	if configured == 0 {
		configured = min(max((size/usualParts+mebibyte-1)/mebibyte*mebibyte, smallPart), largePart)
	}
	least := (size + maxParts - 1) / maxParts
	if configured >= least {
		return configured
	}
	return min((least+mebibyte-1)/mebibyte*mebibyte, conf.MaxS3Part)
}

// sourceError marks what the source is to blame for.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

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
