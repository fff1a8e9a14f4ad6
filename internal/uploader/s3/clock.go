package s3

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// clock is the time of the server, as far as its answers tell it: signatures
// are judged by that.
type clock struct {
	// ahead is how much the server's time is ahead of ours, in nanoseconds.
	ahead atomic.Int64
}

// tolerance is the difference below which our own time is good enough: that of
// the server comes in whole seconds, and late.
const tolerance = time.Minute

// now is the time to sign with.
func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// observe takes the time of an answer that has just come.
func (c *clock) observe(date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	ahead := time.Until(at)
	if ahead.Abs() < tolerance {
		ahead = 0
	}
	c.ahead.Store(int64(ahead))
}

// timedClient observes the time of each answer.
type timedClient struct {
	*awshttp.BuildableClient
	clock *clock
}

// Do implements the SDK's contract.
func (c *timedClient) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.BuildableClient.Do(r)
	if err == nil {
		c.clock.observe(resp.Header.Get("Date"))
	}
	return resp, err
}

// timedPresigner signs URLs with the server's time. The SDK corrects that of
// requests, and not that of URLs.
type timedPresigner struct {
	signer *v4.Signer
	clock  *clock
}

// PresignHTTP implements s3.HTTPPresignerV4.
func (p *timedPresigner) PresignHTTP(
	ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time,
	options ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	return p.signer.PresignHTTP(ctx, credentials, r, payloadHash, service, region, p.clock.now(), options...)
}
