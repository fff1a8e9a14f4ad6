// Package s3 stores topology packages in a bucket of S3, or of a server that
// speaks its protocol.
package s3

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
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
	// web is the HTTP client below it, clock the time of the server.
	web   *awshttp.BuildableClient
	clock *clock
}

var _ uploader.Uploader = (*Uploader)(nil)

// New makes an uploader as the settings say. It reads the environment and the
// files of AWS's tools for what they leave open.
func New(settings conf.Upload) (*Uploader, error) {
	set := settings.S3
	if err := checkSettings(set); err != nil {
		return nil, err
	}
	s := &Uploader{set: set, common: settings, clock: &clock{}}
	if err := s.connect(context.Background()); err != nil {
		return nil, err
	}
	opts := s.client.Options()
	s.place = place{bucket: set.Bucket, prefix: set.Prefix, region: opts.Region, pathStyle: opts.UsePathStyle}
	if opts.BaseEndpoint != nil {
		var err error
		if s.place.endpoint, err = url.Parse(*opts.BaseEndpoint); err != nil {
			return nil, &uploader.ConfigError{What: "S3 endpoint", Value: "(not shown)", Reason: "is no URL; check AWS_ENDPOINT_URL"}
		}
	}
	return s, nil
}

// Capabilities implements uploader.Uploader.
func (s *Uploader) Capabilities() uploader.Capabilities {
	return uploader.Capabilities{Delete: true, FixedNames: true, Resume: true, List: true}
}

// Close implements uploader.Uploader.
func (s *Uploader) Close() error {
	s.web.GetTransport().CloseIdleConnections()
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

// located is where an object that is there is fetched from. It makes sure that
// nodes can, where they have no credentials of their own.
func (s *Uploader) located(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	where := s.Locate(src.Name)
	switch s.set.Fetch {
	case "public":
		return where, s.look(ctx, where.Fetch, where.Fetch, src.Size, "let everybody read the bucket, or set heron.uploader.s3.fetch to s3 or presigned")
	case "presigned":
		if err := s.checkExpiry(ctx); err != nil {
			return uploader.Location{}, err
		}
		var err error
		if where.Fetch, err = s.presign(ctx, src.Name); err != nil {
			return uploader.Location{}, s.fault(ctx, "presign "+where.URI, err)
		}
		return where, s.look(ctx, where.Fetch, where.URI, src.Size,
			"the presigned URL lets nobody in: the credentials need s3:GetObject; or set heron.uploader.s3.fetch to s3 or public")
	}
	return where, nil
}

// presign makes a URL that lets in whoever has it.
func (s *Uploader) presign(ctx context.Context, name string) (string, error) {
	bounded, cancel := control(ctx)
	defer cancel()
	client := s3.NewPresignClient(s.client, func(o *s3.PresignOptions) {
		o.Expires = s.set.PresignExpiry
		o.Presigner = &timedPresigner{
			signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), clock: s.clock,
		}
	})
	signed, err := client.PresignGetObject(bounded, &s3.GetObjectInput{Bucket: &s.set.Bucket, Key: aws.String(s.place.key(name))})
	if err != nil {
		return "", err
	}
	return signed.URL, nil
}

// checkExpiry refuses to presign for longer than the credentials hold.
func (s *Uploader) checkExpiry(ctx context.Context) error {
	c, err := s.credentials(ctx)
	if err != nil || !c.CanExpire {
		return err
	}
	if left := c.Expires.Sub(s.clock.now()); left < s.set.PresignExpiry {
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
