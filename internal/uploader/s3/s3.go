// Package s3 stores topology packages in a bucket of S3, or of a server that
// speaks its protocol.
package s3

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/heron-nomad/heron/internal/awsconfig"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
)

// digestMetadata is the metadata of an object that holds the SHA-256 of its
// content in hex. It is how a package that is there already is known.
const digestMetadata = "heron-sha256"

// Uploader stores packages in a bucket, below a prefix.
//
// Every package but an empty one is sent in parts, however small it is: then
// it appears by one short request at the end, which is not interrupted, and a
// cancelled upload leaves nothing. See resumable for how an upload that was
// killed is continued.
type Uploader struct {
	set    conf.S3Upload
	common conf.Upload
	place  place
	client *s3.Client
}

var _ uploader.Uploader = (*Uploader)(nil)

// New makes an uploader as the settings say. It reads the environment and the
// files of AWS's tools for what they leave open.
func New(settings conf.Upload) (*Uploader, error) {
	set := settings.S3
	if err := checkSettings(set); err != nil {
		return nil, err
	}
	client, err := newClient(context.Background(), set, settings.StallTimeout)
	if err != nil {
		return nil, err
	}
	opts := client.Options()
	place := place{bucket: set.Bucket, prefix: set.Prefix, region: opts.Region, pathStyle: opts.UsePathStyle}
	if opts.BaseEndpoint != nil {
		if place.endpoint, err = url.Parse(*opts.BaseEndpoint); err != nil {
			return nil, &uploader.ConfigError{What: "S3 endpoint", Value: "(not shown)", Reason: "is no URL; check AWS_ENDPOINT_URL"}
		}
	}
	return &Uploader{set: set, common: settings, place: place, client: client}, nil
}

// Capabilities implements uploader.Uploader.
func (s *Uploader) Capabilities() uploader.Capabilities {
	return uploader.Capabilities{Delete: true, FixedNames: true, Resume: true, List: true}
}

// Close implements uploader.Uploader.
func (s *Uploader) Close() error {
	if web, ok := s.client.Options().HTTPClient.(*awshttp.BuildableClient); ok {
		web.GetTransport().CloseIdleConnections()
	}
	return nil
}

// Locate implements uploader.Uploader. A presigned URL takes credentials and a clock,
// so only Upload knows it.
func (s *Uploader) Locate(name string) uploader.Location {
	key := s.place.key(name)
	where := uploader.Location{URI: s.place.uri(key)}
	switch s.set.Fetch {
	case "public":
		where.Fetch = s.place.public(key)
	case "presigned":
	default:
		where.Fetch = where.URI
	}
	return where
}

// located is where an object that is there is fetched from.
func (s *Uploader) located(ctx context.Context, name string) (uploader.Location, error) {
	where := s.Locate(name)
	switch s.set.Fetch {
	case "public":
		return where, s.checkPublic(ctx, where.Fetch)
	case "presigned":
		if err := s.checkExpiry(ctx); err != nil {
			return uploader.Location{}, err
		}
		signed, err := s3.NewPresignClient(s.client).PresignGetObject(ctx,
			&s3.GetObjectInput{Bucket: &s.set.Bucket, Key: aws.String(s.place.key(name))}, s3.WithPresignExpires(s.set.PresignExpiry))
		if err != nil {
			return uploader.Location{}, s.fault(ctx, "presign "+where.URI, err)
		}
		where.Fetch = signed.URL
	}
	return where, nil
}

// checkPublic asks for an object as somebody without credentials.
func (s *Uploader) checkPublic(ctx context.Context, address string) error {
	bounded, cancel := control(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(bounded, http.MethodHead, address, nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Options().HTTPClient.Do(req)
	if err != nil {
		return s.fault(ctx, "fetch "+address+" as nodes will", err)
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &requestError{doing: "fetch " + address + " as nodes will", class: uploader.ErrTarget, status: resp.StatusCode,
			why:  "without credentials the answer is " + resp.Status,
			hint: "let everybody read the bucket, or set heron.uploader.s3.fetch to s3 or presigned"}
	}
	return nil
}

// checkExpiry refuses to presign for longer than the credentials hold.
func (s *Uploader) checkExpiry(ctx context.Context) error {
	c, err := s.credentials(ctx)
	if err != nil || !c.CanExpire {
		return err
	}
	if left := time.Until(c.Expires); left < s.set.PresignExpiry {
		return &uploader.ConfigError{What: "heron.uploader.s3.presigned.expiry", Value: s.set.PresignExpiry.String(),
			Reason: fmt.Sprintf("the credentials expire in %s, and the URL with them: use credentials that last, a shorter time, or heron.uploader.s3.fetch: s3",
				left.Round(time.Second))}
	}
	return nil
}

// credentials finds them, so that their absence is not taken for a fault of
// the server.
func (s *Uploader) credentials(ctx context.Context) (aws.Credentials, error) {
	bounded, cancel := control(ctx)
	defer cancel()
	c, err := s.client.Options().Credentials.Retrieve(bounded)
	if err == nil {
		return c, nil
	}
	if ctx.Err() != nil {
		return c, ctx.Err()
	}
	return c, &requestError{doing: "find credentials for bucket " + s.set.Bucket, class: uploader.ErrDenied, why: awsconfig.Why(err), hint: s.credentialsFrom()}
}

// credentialsFrom says where credentials come from, or could.
func (s *Uploader) credentialsFrom() string {
	switch {
	case s.set.AccessKey != "":
		return "they are heron.uploader.s3.access_key and heron.uploader.s3.secret_key"
	case s.set.Profile != "":
		return fmt.Sprintf("they are those of the AWS profile %q; with SSO, log in: aws sso login --profile %[1]s", s.set.Profile)
	}
	return "they come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, ~/.aws, or the role of this machine"
}

// address is the server, for messages.
func (s *Uploader) address() string {
	if s.place.endpoint != nil {
		return s.place.endpoint.Scheme + "://" + s.place.endpoint.Host
	}
	return "https://s3." + s.place.region + ".amazonaws.com"
}

// control bounds a request without content.
func control(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, controlTimeout)
}
