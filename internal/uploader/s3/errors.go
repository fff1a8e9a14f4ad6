package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/uploader"
)

// requestError is what a request to the server came to. It holds no URL: that of a
// request can have a signature in it.
type requestError struct {
	// doing says what failed, in the infinitive.
	doing string
	class error
	// code and status are the server's, "" and 0 where it did not answer.
	code   string
	status int
	why    string
	hint   string
}

func (e *requestError) Error() string {
	text := fmt.Sprintf("%v: %s: %s", e.class, e.doing, e.why)
	if e.hint != "" {
		text += "; " + e.hint
	}
	return text
}

func (e *requestError) Unwrap() error { return e.class }

// expectedRegion is how a server names its region in a message.
var expectedRegion = lazyregexp.New(`expecting ['"]?([a-z0-9-]+)`)

// fault turns an error of the SDK into one that says what to do. The end of
// ctx stays what it is.
func (s *Uploader) fault(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	var left *uploader.LeftoverError
	if errors.As(err, &left) {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	var verdict *sourceError
	if errors.As(err, &verdict) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	var known *requestError
	if errors.As(err, &known) {
		return err
	}
	e := &requestError{doing: doing, class: uploader.ErrTarget}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		e.status = answer.HTTPStatusCode()
	}
	var api smithy.APIError
	switch {
	case errors.As(err, &api):
		e.code, e.why = api.ErrorCode(), api.ErrorCode()
		if text := strings.TrimRight(api.ErrorMessage(), ". "); text != "" && text != e.code {
			e.why += ": " + text
		}
		s.judge(e, answer)
	case e.status != 0:
		e.why = fmt.Sprintf("the server answered %d", e.status)
		s.judge(e, answer)
	default:
		s.judgeTransport(e, err)
	}
	return e
}

// judge finds class and hint of an answer.
func (s *Uploader) judge(e *requestError, answer *awshttp.ResponseError) {
	switch e.code {
	case "NoSuchBucket":
		e.hint = fmt.Sprintf("there is no bucket %q: make it, or set heron.uploader.s3.bucket", s.place.bucket)
		return
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "TemporaryRedirect", "InvalidRegion":
		e.hint = s.regionHint(e.why, answer)
		return
	// The last is versitygw's.
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "InvalidClientTokenId", "XAdminUserNotFound":
		e.class, e.hint = uploader.ErrDenied, "check the credentials: "+s.credentialsFrom()
		return
	case "RequestTimeTooSkewed":
		e.class, e.hint = uploader.ErrDenied, "set the clock of this machine"
		return
	case "AccessDenied", "AllAccessDisabled", "AccountProblem":
		e.class, e.hint = uploader.ErrDenied, "the credentials are known but lack a right; docs/upload-s3.md lists those needed"
		return
	case "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "RequestTimeoutException", "Throttling", "ThrottlingException", "RequestLimitExceeded", "OperationAborted":
		e.class = uploader.ErrUnreachable
		return
	case "KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException":
		e.hint = "check heron.uploader.s3.encryption.kms.id"
		return
	}
	switch {
	case e.status == http.StatusMovedPermanently || e.status == http.StatusTemporaryRedirect:
		e.hint = s.regionHint(e.why, answer)
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		e.class, e.hint = uploader.ErrDenied, "check the credentials and their rights; docs/upload-s3.md lists those needed"
	case e.status == http.StatusInsufficientStorage:
		e.hint = "the server has no room left"
	case e.status >= 500 || e.status == http.StatusTooManyRequests || e.status == http.StatusRequestTimeout:
		e.class = uploader.ErrUnreachable
	}
}

func (s *Uploader) regionHint(why string, answer *awshttp.ResponseError) string {
	region := ""
	if answer != nil && answer.Response != nil {
		region = answer.Response.Header.Get("X-Amz-Bucket-Region")
	}
	if m := expectedRegion.FindStringSubmatch(why); region == "" && m != nil {
		region = m[1]
	}
	if region == "" || region == s.place.region {
		return fmt.Sprintf("bucket %q is not in region %s: set heron.uploader.s3.region", s.place.bucket, s.place.region)
	}
	return fmt.Sprintf("bucket %q is in region %s, not %s: set heron.uploader.s3.region: %[2]s", s.place.bucket, region, s.place.region)
}

// judgeTransport is for requests that got no answer.
func (s *Uploader) judgeTransport(e *requestError, err error) {
	e.class = uploader.ErrUnreachable
	e.hint = "check that " + s.address() + " can be reached"
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		e.class, e.why = uploader.ErrTarget, certificate.Error()
		e.hint = "name the authority that signed the certificate of " + s.address() + " in AWS_CA_BUNDLE"
		return
	}
	// Innermost is what the network said, without URLs.
	var request *url.Error
	for errors.As(err, &request) {
		err = request.Err
	}
	e.why = err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		e.why = "no answer in time"
	}
}
