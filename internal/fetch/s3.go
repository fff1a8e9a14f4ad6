package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/heron-nomad/heron/internal/awsconfig"
	"github.com/heron-nomad/heron/internal/s3uri"
)

// defaultRegion is where a bucket is looked for when nothing says where it
// is. Other servers than AWS's take any.
const defaultRegion = "us-east-1"

// s3Source is an object of S3. Credentials, region and proxies come from where
// AWS's own tools find them.
type s3Source struct {
	object s3uri.Object
	client *s3.Client
	http   *awshttp.BuildableClient
}

func (s *s3Source) close() {
	if s.http != nil {
		s.http.GetTransport().CloseIdleConnections()
	}
}

// connect reads the environment and AWS's files.
func (s *s3Source) connect(ctx context.Context) *failure {
	// Attempts are counted by the transfer.
	cfg, err := awsconfig.Load(ctx, awsconfig.Options{Region: s.object.Region, Profile: s.object.Profile})
	if err != nil {
		return lasting(ErrInput, "read the settings for S3: %w", err)
	}
	s.http, _ = cfg.HTTPClient.(*awshttp.BuildableClient)
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return lasting(ErrDenied, "no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or use a machine that has a role: %s", awsconfig.Why(err))
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if s.object.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.object.Endpoint)
		}
		// Another server need not have a name per bucket.
		o.UsePathStyle = o.BaseEndpoint != nil
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return nil
}

func (s *s3Source) open(ctx context.Context, from int64, tag string) (*answer, *failure) {
	if s.client == nil {
		if failed := s.connect(ctx); failed != nil {
			return nil, failed
		}
	}
	in := &s3.GetObjectInput{Bucket: aws.String(s.object.Bucket), Key: aws.String(s.object.Key)}
	if s.object.Version != "" {
		in.VersionId = aws.String(s.object.Version)
	}
	if from > 0 {
		in.Range, in.IfMatch = aws.String(fmt.Sprintf("bytes=%d-", from)), aws.String(tag)
	}
	out, err := s.client.GetObject(ctx, in)
	if code := status(err); from > 0 && (code == http.StatusPreconditionFailed || code == http.StatusRequestedRangeNotSatisfiable) {
		// It is another object by now.
		return s.open(ctx, 0, "")
	}
	if err != nil {
		return nil, s.broken(err)
	}
	a := &answer{body: out.Body, size: -1, tag: aws.ToString(out.ETag)}
	if out.ContentLength != nil {
		a.size = *out.ContentLength
	}
	if out.ContentRange != nil {
		var ok bool
		if a.from, a.size, ok = contentRange(*out.ContentRange); !ok {
			_ = out.Body.Close()
			return nil, lasting(ErrRefused, "the server sends a part of the file and does not say which")
		}
	}
	return a, nil
}

// status is the HTTP status that an error comes from, 0 where there was no
// answer.
func status(err error) int {
	var answered *awshttp.ResponseError
	if errors.As(err, &answered) {
		return answered.HTTPStatusCode()
	}
	return 0
}

// broken is what an error of S3 means. Its text is that of the server, without
// the SDK's account of the call.
func (s *s3Source) broken(err error) *failure {
	var (
		said smithy.APIError
		call *smithy.OperationError
	)
	text := err
	if errors.As(err, &said) && said.ErrorCode() != "" {
		text = fmt.Errorf("%s (%s)", said.ErrorCode(), said.ErrorMessage())
	} else if errors.As(err, &call) {
		text = call.Err
	}
	text = bare(text)
	switch code := status(err); {
	case code == 0 || code == http.StatusOK || code == http.StatusPartialContent:
		return passing(text)
	case code == http.StatusMovedPermanently, code == http.StatusTemporaryRedirect, code == http.StatusBadRequest:
		return lasting(ErrRefused, "%w; is %q the bucket's region? it can be named with ?region=", text, s.client.Options().Region)
	case code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500 && code != http.StatusNotImplemented:
		return passing(text)
	case code == http.StatusNotFound:
		return &failure{err: text, class: ErrNotFound}
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &failure{err: text, class: ErrDenied}
	}
	return &failure{err: text, class: ErrRefused}
}
