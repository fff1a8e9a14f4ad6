package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/heron-nomad/heron/internal/awsconfig"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/proxyurl"
	"github.com/heron-nomad/heron/internal/uploader"
)

const (
	// Where neither the configuration nor the environment names a region:
	// the original's for AWS, and what other servers take.
	defaultAWSRegion   = "us-west-2"
	defaultOtherRegion = "us-east-1"

	dialTimeout = 10 * time.Second
	// controlTimeout bounds a request without content, with its repetitions.
	controlTimeout = 30 * time.Second
	// A request is tried again by the SDK: a part more often than the others,
	// for the alternative is to send all parts again.
	attempts     = 2
	partAttempts = 3
	maxBackoff   = 300 * time.Millisecond
	partBackoff  = time.Second
)

// bucketName is what AWS and others take as a bucket; an ARN is none.
var bucketName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$`)

// connect makes the client of the SDK. It reads the environment and the files
// of AWS's tools, and connects to nothing.
func (s *Uploader) connect(ctx context.Context) error {
	set, stall := s.set, s.common.StallTimeout
	var proxy *url.URL
	if set.Proxy != "" {
		var err error
		if proxy, err = proxyurl.Parse(string(set.Proxy)); err != nil {
			return &uploader.ConfigError{What: "heron.uploader.s3.proxy_uri", Reason: err.Error()}
		}
	}
	options := awsconfig.Options{
		Region: set.Region, Profile: set.Profile,
		Retryer: func() aws.Retryer { return retryer(attempts, maxBackoff) },
		Transport: func(t *http.Transport) {
			if proxy != nil {
				t.Proxy = http.ProxyURL(proxy)
			}
			t.DialContext = stallingDialer(&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}, stall)
			// What was sent may still be in the buffers of the connection.
			t.ResponseHeaderTimeout = 5 * stall
			t.MaxIdleConnsPerHost = set.Concurrency + 2
		},
	}
	if set.AccessKey != "" {
		options.Credentials = credentials.NewStaticCredentialsProvider(string(set.AccessKey), string(set.SecretKey), "")
	}
	loaded, err := awsconfig.Load(ctx, options)
	var wrong *awsconfig.Error
	switch {
	case errors.As(err, &wrong) && wrong.What == awsconfig.Profile:
		return &uploader.ConfigError{What: wrong.What, Value: wrong.Value, Reason: wrong.Reason + "; check heron.uploader.s3.aws_profile or AWS_PROFILE"}
	case errors.As(err, &wrong):
		return &uploader.ConfigError{What: wrong.What, Value: wrong.Value, Reason: wrong.Reason}
	case err != nil:
		return err
	}
	web, ok := loaded.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		return fmt.Errorf("the HTTP client for S3 is a %T", loaded.HTTPClient)
	}
	s.web = web
	s.client = s3.NewFromConfig(loaded, func(o *s3.Options) {
		o.HTTPClient = &timedClient{BuildableClient: web, clock: s.clock}
		if set.Endpoint != "" {
			o.BaseEndpoint = aws.String(strings.TrimRight(set.Endpoint, "/"))
		}
		// An endpoint from the environment is another server as well.
		o.UsePathStyle = set.PathStyle || set.Endpoint == "" && o.BaseEndpoint != nil
		if o.Region == "" && o.BaseEndpoint == nil {
			o.Region = defaultAWSRegion
		}
		if o.Region == "" {
			o.Region = defaultOtherRegion
		}
		// Nothing is downloaded, and a presigned URL must not demand headers.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return nil
}

// retryer repeats what may pass.
func retryer(attempts int, backoff time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = attempts, backoff
	})
}

// stallingDialer makes connections on which a write that does not get on for
// so long fails. How long an upload takes in all is not bounded.
func stallingDialer(d *net.Dialer, stall time.Duration) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err != nil || stall <= 0 {
			return c, err
		}
		return &stallingConn{Conn: c, stall: stall}, nil
	}
}

type stallingConn struct {
	net.Conn
	stall time.Duration
}

// ReadFrom sends large pieces: each costs both sides.
func (c *stallingConn) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(uploader.OnlyWriter{Writer: c}, r, make([]byte, uploader.CopyBuffer))
}

// Write goes in pieces, each of which has the whole time.
func (c *stallingConn) Write(p []byte) (n int, err error) {
	const piece = uploader.CopyBuffer
	for first := true; first || len(p) > 0; first = false {
		if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[:min(len(p), piece)])
		n += m
		if err != nil {
			return n, err
		}
		p = p[m:]
	}
	return n, nil
}

// checkSettings refuses settings that no server could make work. Those of the
// configuration's own reader are checked there too, with file and line.
func checkSettings(set conf.S3Upload) error {
	wrong := func(key, value, reason string) error {
		return &uploader.ConfigError{What: "heron.uploader.s3." + key, Value: value, Reason: reason}
	}
	switch {
	case !bucketName.MatchString(set.Bucket):
		return wrong("bucket", set.Bucket, "use the name of a bucket: at least three letters, digits, dots and hyphens")
	case (set.AccessKey == "") != (set.SecretKey == ""):
		return wrong("access_key", "(not shown)", "set heron.uploader.s3.access_key and heron.uploader.s3.secret_key, or neither")
	case set.AccessKey != "" && set.Profile != "":
		return wrong("aws_profile", set.Profile, "use either this profile or heron.uploader.s3.access_key")
	case set.PartSize != 0 && set.PartSize < conf.MinS3Part || set.PartSize > conf.MaxS3Part:
		return wrong("part.size", fmt.Sprint(set.PartSize), "use 5MiB to 5GiB")
	case set.Concurrency < 1:
		return wrong("concurrency", fmt.Sprint(set.Concurrency), "must be above zero")
	}
	if set.Prefix != "" {
		if err := uploader.CheckName(set.Prefix); err != nil {
			return wrong("path_prefix", set.Prefix, err.(*uploader.ConfigError).Reason) //nolint:errorlint // checkName has no other
		}
	}
	if set.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(set.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return wrong("uri", "(not shown)", "use http://host:port or https://host:port and nothing else")
	}
	return nil
}
