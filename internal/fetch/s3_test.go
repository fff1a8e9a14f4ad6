package fetch

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/testenv"
)

// s3Server has the bucket "packages", and credentials for it are in the
// environment.
type s3Server struct {
	*testenv.S3Server
	client *s3.Client
}

func newS3Server(t *testing.T) *s3Server {
	t.Helper()
	s := &s3Server{S3Server: testenv.S3(t, testenv.S3Options{})}
	s.client = s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Addr), UsePathStyle: true, Region: s.Region,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
	if _, err := s.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("packages")}); err != nil {
		t.Fatal(err)
	}
	s.environment(t)
	return s
}

// environment is that of a machine which has these credentials and no others.
func (s *s3Server) environment(t *testing.T) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", s.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.SecretKey)
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
}

func (s *s3Server) put(t *testing.T, key string, data []byte) {
	t.Helper()
	_, err := s.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("packages"), Key: aws.String(key), Body: bytes.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFetchFromS3(t *testing.T) {
	server := newS3Server(t)
	data := noise(3 << 20)
	server.put(t, "a/b c/topology.tar.gz", data)
	forced := "s3::" + server.Addr + "/packages/a/b%20c/topology.tar.gz"
	opts := quick()
	opts.SHA256 = digestOf(data)
	mustGet(t, forced, opts, data)
	mustGet(t, forced+"?region=us-east-1", opts, data)

	opts.Retries = -1
	mustFail(t, "s3::"+server.Addr+"/packages/gone", opts, ErrNotFound, outcome.NotFound, "NoSuchKey")
	mustFail(t, "s3::"+server.Addr+"/other/gone", opts, ErrNotFound, outcome.NotFound, "NoSuchBucket")
	opts.SHA256 = digestOf(nil)
	mustFail(t, forced, opts, ErrContent, outcome.Undone, digestOf(data))

	// The other form takes the server of AWS's own variable.
	opts.SHA256 = ""
	t.Setenv("AWS_ENDPOINT_URL", server.Addr)
	mustGet(t, "s3://packages/a/b%20c/topology.tar.gz", opts, data)
	t.Setenv("AWS_ENDPOINT_URL", "")

	profiles := filepath.Join(t.TempDir(), "credentials")
	text := "[mine]\naws_access_key_id = " + server.AccessKey + "\naws_secret_access_key = " + server.SecretKey + "\n"
	if err := os.WriteFile(profiles, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", profiles)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "sesame")
	mustFail(t, forced, opts, ErrDenied, outcome.Denied, "SignatureDoesNotMatch")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	mustFail(t, forced, opts, ErrDenied, outcome.Denied, "no credentials for S3", "AWS_PROFILE")
	mustGet(t, forced+"?aws_profile=mine", opts, data)
	mustFail(t, forced+"?aws_profile=other", opts, ErrInput, outcome.Usage, "other")
}

func TestFetchFromS3Resumes(t *testing.T) {
	server := newS3Server(t)
	data, other := noise(4<<20), noise(5 << 20)[1<<20:]
	server.put(t, "p", data)
	proxy := testenv.Proxy(t, server.Addr)
	uri := "s3::http://" + proxy.Addr + "/packages/p"
	proxy.CutAfter(3 << 19)
	waits := 0
	opts := quick()
	opts.SHA256, opts.Retries = digestOf(data), 1
	opts.Progress = func(progress.Event) { waits++ }
	mustGet(t, uri, opts, data)
	if waits != 2 {
		t.Errorf("tried again %d times, want two for three parts", waits)
	}
	// Another object by now: it is fetched from its beginning.
	opts.SHA256 = digestOf(other)
	opts.Progress = func(progress.Event) {
		server.put(t, "p", other)
		proxy.Up()
	}
	mustGet(t, uri, opts, other)
}

func TestFetchFromS3WithFaults(t *testing.T) {
	server := newS3Server(t)
	data := noise(1 << 20)
	server.put(t, "p", data)
	proxy := testenv.Proxy(t, server.Addr)
	uri := "s3::http://" + proxy.Addr + "/packages/p"
	opts := quick()
	proxy.Silent()
	opts.Stall, opts.Retries = 300*time.Millisecond, -1
	mustFail(t, uri, opts, ErrUnreachable, outcome.Unreachable, "nothing has come")
	proxy.Down()
	opts.Stall = patience
	mustFail(t, uri, opts, ErrUnreachable, outcome.Unreachable, "refused")

	opts.Retries = 3
	opts.Progress = func(progress.Event) { proxy.Up() }
	mustGet(t, uri, opts, data)

	proxy.Silent()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := get(ctx, t, uri, quick()); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want only the end of the context", err)
	}
}

// What a server says instead of the object decides whether to try again.
func TestFetchFromS3ByStatus(t *testing.T) {
	s := &s3Server{S3Server: &testenv.S3Server{AccessKey: "x", SecretKey: "sesame"}}
	s.environment(t)
	data := noise(10)
	for _, c := range []struct {
		code  int
		body  string
		class error
		kind  outcome.Kind
		says  string
		asked int
	}{
		{503, "<Error><Code>SlowDown</Code><Message>slowly</Message></Error>", ErrUnreachable, outcome.Unreachable, "SlowDown", 3},
		{500, "<Error><Code>InternalError</Code><Message>oh</Message></Error>", ErrUnreachable, outcome.Unreachable, "InternalError", 3},
		{301, "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>", ErrRefused, outcome.Failed, "?region=", 1},
		{400, "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message></Error>", ErrRefused, outcome.Failed, "?region=", 1},
		{403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>", ErrDenied, outcome.Denied, "AccessDenied (no)", 1},
		{404, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>", ErrNotFound, outcome.NotFound, "NoSuchKey (none)", 1},
	} {
		t.Run(c.body, func(t *testing.T) {
			url, asked := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.code)
				_, _ = w.Write([]byte(c.body))
			})
			opts := quick()
			opts.Retries = 2
			mustFail(t, "s3::"+url+"/b/k", opts, c.class, c.kind, c.says)
			if len(*asked) != c.asked {
				t.Errorf("asked %d times, want %d", len(*asked), c.asked)
			}
		})
	}
	url, asked := answering(t, answerWith(503), answerWith(500), serve(data))
	mustGet(t, "s3::"+url+"/b/k", quick(), data)
	if r := (*asked)[0]; len(*asked) != 3 || r.URL.Path != "/b/k" || !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/s3/") {
		t.Errorf("asked %d times for %s with %s", len(*asked), r.URL, r.Header.Get("Authorization"))
	}
}

// Servers that know no checksums of S3 are not asked for any.
func TestFetchFromS3WithoutChecksums(t *testing.T) {
	s := &s3Server{S3Server: &testenv.S3Server{AccessKey: "x", SecretKey: "sesame"}}
	s.environment(t)
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("[profile plain]\nresponse_checksum_validation = when_required\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	data := noise(10)
	for _, c := range []struct{ variable, profile, want string }{
		{"", "", "ENABLED"}, {"when_supported", "", "ENABLED"}, {"when_required", "", ""}, {"", "plain", ""},
	} {
		t.Setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", c.variable)
		t.Setenv("AWS_PROFILE", c.profile)
		url, asked := answering(t, serve(data))
		mustGet(t, "s3::"+url+"/b/k", quick(), data)
		if got := (*asked)[0].Header.Get("X-Amz-Checksum-Mode"); got != c.want {
			t.Errorf("%+v: the checksum mode is %q", c, got)
		}
	}
}
