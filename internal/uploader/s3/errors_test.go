package s3

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// withoutAWS has the SDK find nothing in the environment, and ask nobody.
func withoutAWS(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestErrorsSayWhatToDo(t *testing.T) {
	withoutAWS(t)
	server := testenv.S3(t, testenv.S3Options{Region: "eu-west-3"})
	authority, err := testenv.NewAuthority(t.TempDir(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	secure := testenv.S3(t, testenv.S3Options{Authority: authority})
	ctx := context.Background()
	for label, c := range map[string]struct {
		change func(*conf.S3Upload)
		class  error
		says   []string
	}{
		"wrong region":   {func(s *conf.S3Upload) { s.Region = "us-east-1" }, uploader.ErrTarget, []string{"is in region eu-west-3, not us-east-1", "set heron.uploader.s3.region: eu-west-3"}},
		"missing bucket": {func(s *conf.S3Upload) { s.Bucket = "no-such-bucket" }, uploader.ErrTarget, []string{`does not exist; there is no bucket "no-such-bucket"`, "heron.uploader.s3.bucket"}},
		"unknown key":    {func(s *conf.S3Upload) { s.AccessKey = "somebody-else" }, uploader.ErrDenied, []string{"access key", "heron.uploader.s3.access_key"}},
		"wrong secret":   {func(s *conf.S3Upload) { s.SecretKey = "hidden-and-wrong" }, uploader.ErrDenied, []string{"SignatureDoesNotMatch", "heron.uploader.s3.secret_key"}},
		"no credentials": {func(s *conf.S3Upload) { s.AccessKey, s.SecretKey = "", "" }, uploader.ErrDenied, []string{"find credentials", "AWS_ACCESS_KEY_ID"}},
		"unreachable":    {func(s *conf.S3Upload) { s.Endpoint = "http://127.0.0.1:1" }, uploader.ErrUnreachable, []string{"connection refused", "check that http://127.0.0.1:1 can be reached"}},
		"no such host":   {func(s *conf.S3Upload) { s.Endpoint = "http://nowhere.invalid:1" }, uploader.ErrUnreachable, []string{"http://nowhere.invalid:1 can be reached"}},
		"unreachable proxy": {func(s *conf.S3Upload) { s.Proxy = "ann:hidden-and-wrong@127.0.0.1:1" }, uploader.ErrUnreachable,
			[]string{"connection refused"}},
		"unknown certificate": {func(s *conf.S3Upload) { s.Endpoint, s.Region = secure.Addr, "us-east-1" }, uploader.ErrTarget, []string{"certificate", "AWS_CA_BUNDLE"}},
	} {
		t.Run(label, func(t *testing.T) {
			b := newS3Bucket(t, server)
			set := b.settings()
			c.change(&set)
			u := newS3(t, set)
			src, _ := uploadertest.Source(uploadertest.Folder, 10)
			for what, err := range map[string]error{"check": u.Check(ctx), "upload": uploadertest.Second(u.Upload(ctx, src))} {
				if !errors.Is(err, c.class) {
					t.Errorf("%s: got %v, want %v", what, err, c.class)
					continue
				}
				for _, says := range c.says {
					if !strings.Contains(err.Error(), says) {
						t.Errorf("%s: %v; want %q in it", what, err, says)
					}
				}
				for _, secret := range []string{"hidden-and-wrong", server.SecretKey, "X-Amz", "Signature="} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("%s shows a secret: %v", what, err)
					}
				}
			}
			if left := b.List(t); len(left) > 0 {
				t.Errorf("left is %q", left)
			}
		})
	}
}

func TestProxyPasswordsMayHoldAnything(t *testing.T) {
	withoutAWS(t)
	for _, password := range []string{"simple", "sesame@", "@/#?%&ü:", "a b[c]"} {
		var told []string
		var mu sync.Mutex
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
			user, got, _ := asked.BasicAuth()
			mu.Lock()
			told = append(told, user+" "+got)
			mu.Unlock()
			w.WriteHeader(http.StatusForbidden)
		}))
		set := conf.S3Upload{
			Bucket: "packages", AccessKey: "a", SecretKey: "b", Concurrency: 1, Endpoint: "http://bucket.test",
			Proxy: conf.Secret("ann:" + password + "@" + strings.TrimPrefix(proxy.URL, "http://")),
		}
		if err := newS3(t, set).Check(t.Context()); !errors.Is(err, uploader.ErrDenied) {
			t.Errorf("%q: got %v", password, err)
		}
		proxy.Close()
		if len(told) == 0 || told[0] != "ann "+password {
			t.Errorf("the proxy was told %q, want %q", told, password)
		}
	}
}

func TestWithTLS(t *testing.T) {
	withoutAWS(t)
	authority, err := testenv.NewAuthority(t.TempDir(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	server := testenv.S3(t, testenv.S3Options{Authority: authority})
	t.Setenv("AWS_CA_BUNDLE", authority.CertFile)
	b := newS3Bucket(t, server)
	u := b.Uploader(t)
	src, data := uploadertest.Source(uploadertest.Folder, 2*conf.MinS3Part+1)
	if err := u.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	where := uploadertest.MustUpload(t, b, u, src, data)
	if err := u.Delete(t.Context(), where.URI); err != nil {
		t.Fatal(err)
	}
	uploadertest.MustBeEmpty(t, b, "the delete")
}

func TestCredentialsComeFromWhereAWSToolsHaveThem(t *testing.T) {
	withoutAWS(t)
	server := testenv.S3(t, testenv.S3Options{Region: "eu-west-3"})
	b := newS3Bucket(t, server)
	ctx := context.Background()
	set := b.settings()
	set.AccessKey, set.SecretKey, set.Region = "", "", ""

	file := filepath.Join(t.TempDir(), "config")
	text := "[profile ads]\nregion = eu-west-3\naws_access_key_id = " + server.AccessKey + "\naws_secret_access_key = " + server.SecretKey + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	set.Profile = "ads"
	u := newS3(t, set)
	if err := u.Check(ctx); err != nil || !strings.HasSuffix(u.Locate("a").URI, "?region=eu-west-3") {
		t.Errorf("profile: %v, %s", err, u.Locate("a").URI)
	}
	set.Profile = "no-such"
	var input *uploader.ConfigError
	if _, err := New(conf.Upload{S3: set}); !errors.As(err, &input) || !strings.Contains(err.Error(), "heron.uploader.s3.aws_profile") {
		t.Errorf("missing profile: %v", err)
	}
	set.Profile = ""
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	t.Setenv("AWS_REGION", "eu-west-3")
	if err := newS3(t, set).Check(ctx); err != nil {
		t.Errorf("environment: %v", err)
	}
	set.Endpoint, set.PathStyle = "", false
	t.Setenv("AWS_ENDPOINT_URL", server.Addr)
	u = newS3(t, set)
	if err := u.Check(ctx); err != nil || !strings.HasPrefix(u.Locate("a").URI, "s3::"+server.Addr+"/"+b.bucket+"/") {
		t.Errorf("endpoint of the environment: %v, %s", err, u.Locate("a").URI)
	}
}

func TestRefusesBadSettings(t *testing.T) {
	withoutAWS(t)
	good := conf.S3Upload{Bucket: "packages", PartSize: conf.MinS3Part, Concurrency: 1}
	if _, err := New(conf.Upload{S3: good}); err != nil {
		t.Fatal(err)
	}
	for label, change := range map[string]func(*conf.S3Upload){
		"no bucket":         func(s *conf.S3Upload) { s.Bucket = "" },
		"bucket with slash": func(s *conf.S3Upload) { s.Bucket = "a/b" },
		"ARN":               func(s *conf.S3Upload) { s.Bucket = "arn:aws:s3:::x" },
		"half of the keys":  func(s *conf.S3Upload) { s.AccessKey = "hidden" },
		"keys and profile":  func(s *conf.S3Upload) { s.AccessKey, s.SecretKey, s.Profile = "hidden", "hidden", "p" },
		"prefix":            func(s *conf.S3Upload) { s.Prefix = "a/../b" },
		"prefix with query": func(s *conf.S3Upload) { s.Prefix = "a?b" },
		"small parts":       func(s *conf.S3Upload) { s.PartSize = 1 << 20 },
		"endpoint":          func(s *conf.S3Upload) { s.Endpoint = "ftp://h" },
		"endpoint password": func(s *conf.S3Upload) { s.Endpoint = "http://a:hidden@h" },
		"endpoint path":     func(s *conf.S3Upload) { s.Endpoint = "http://h/s3" },
		"proxy":             func(s *conf.S3Upload) { s.Proxy = "ftp://a:hidden@h" },
		"proxy port":        func(s *conf.S3Upload) { s.Proxy = "http://a:hid%zz@h:x" },
		"CA bundle":         func(*conf.S3Upload) { t.Setenv("AWS_CA_BUNDLE", "/nowhere/ca.pem") },
	} {
		set := good
		change(&set)
		var input *uploader.ConfigError
		_, err := New(conf.Upload{S3: set})
		if !errors.As(err, &input) || input.Kind() != outcome.Usage || strings.Contains(err.Error(), "hid") {
			t.Fatalf("%s: got %v, want a *ConfigError without secrets", label, err)
		}
		if variable := os.Getenv("AWS_CA_BUNDLE"); variable != "" && !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
			t.Errorf("%v does not name the variable", err)
		}
		t.Setenv("AWS_CA_BUNDLE", "")
	}
}

func TestURIs(t *testing.T) {
	withoutAWS(t)
	set := conf.S3Upload{Bucket: "packages", PartSize: conf.MinS3Part, Concurrency: 1, Prefix: "a b"}
	for label, c := range map[string]struct {
		change      func(*conf.S3Upload)
		uri, public string
	}{
		"AWS's default region": {func(*conf.S3Upload) {}, "s3::https://packages.s3.us-west-2.amazonaws.com/a%20b/t/x%2B%C3%BC.tar.gz", "https://packages.s3.us-west-2.amazonaws.com/a%20b/t/x%2B%C3%BC.tar.gz"},
		"bucket with a dot": {func(s *conf.S3Upload) { s.Bucket, s.Region = "my.packages", "eu-west-3" },
			"s3::https://s3-eu-west-3.amazonaws.com/my.packages/a%20b/t/x%2B%C3%BC.tar.gz", "https://s3.eu-west-3.amazonaws.com/my.packages/a%20b/t/x%2B%C3%BC.tar.gz"},
		"China": {func(s *conf.S3Upload) { s.Region = "cn-north-1" },
			"s3::https://s3.cn-north-1.amazonaws.com.cn/packages/a%20b/t/x%2B%C3%BC.tar.gz?region=cn-north-1", "https://packages.s3.cn-north-1.amazonaws.com.cn/a%20b/t/x%2B%C3%BC.tar.gz"},
		"private endpoint of AWS": {func(s *conf.S3Upload) {
			s.Endpoint, s.Region, s.PathStyle = "https://bucket.vpce-1.s3.eu-west-3.vpce.amazonaws.com", "eu-west-3", true
		},
			"s3::https://packages.s3.eu-west-3.amazonaws.com/a%20b/t/x%2B%C3%BC.tar.gz", "https://bucket.vpce-1.s3.eu-west-3.vpce.amazonaws.com/packages/a%20b/t/x%2B%C3%BC.tar.gz"},
		"another server": {func(s *conf.S3Upload) { s.Endpoint, s.PathStyle = "http://h:9000/", true },
			"s3::http://h:9000/packages/a%20b/t/x%2B%C3%BC.tar.gz?region=us-east-1", "http://h:9000/packages/a%20b/t/x%2B%C3%BC.tar.gz"},
		"another server, bucket as host": {func(s *conf.S3Upload) { s.Endpoint, s.Prefix = "https://h", "" },
			"s3::https://h/packages/t/x%2B%C3%BC.tar.gz?region=us-east-1", "https://packages.h/t/x%2B%C3%BC.tar.gz"},
	} {
		set := set
		c.change(&set)
		set.Fetch = "public"
		u, err := New(conf.Upload{S3: set})
		if err != nil {
			t.Fatal(err)
		}
		const name = "t/x+ü.tar.gz"
		if where := u.Locate(name); where.URI != c.uri || where.Fetch != c.public {
			t.Errorf("%s: %+v", label, where)
		}
		if key, ok := u.place.keyOf(c.uri); !ok || key != u.place.key(name) {
			t.Errorf("%s: read as %q, %v", label, key, ok)
		}
		if name, ok := u.place.name(u.place.key("t")); !ok || name != "t" {
			t.Errorf("%s: name %q", label, name)
		}
	}
}

func TestPartsFitTheLimits(t *testing.T) {
	for _, c := range []struct {
		configured, size, want int64
	}{
		{5 << 20, 0, 5 << 20}, {0, 1, 8 << 20}, {0, 300 << 20, 19 << 20}, {0, 1 << 30, 64 << 20}, {0, 1 << 40, 105 << 20}, {5 << 20, 50000 << 20, 5 << 20}, {5 << 20, 50000<<20 + 1, 6 << 20}, {8 << 20, 1 << 40, 105 << 20},
	} {
		got := choosePartSize(c.configured, c.size)
		if got != c.want || (c.size+got-1)/got > maxParts {
			t.Errorf("%+v: got %d, %d parts", c, got, (c.size+got-1)/got)
		}
	}
}

func TestPresignNeedsCredentialsThatLast(t *testing.T) {
	withoutAWS(t)
	server := testenv.S3(t, testenv.S3Options{})
	b := newS3Bucket(t, server)
	file := filepath.Join(t.TempDir(), "config")
	script := filepath.Join(t.TempDir(), "give")
	text := `{"Version": 1, "AccessKeyId": "` + server.AccessKey + `", "SecretAccessKey": "` + server.SecretKey + `", "Expiration": "` +
		time.Now().Add(30*time.Minute).UTC().Format(time.RFC3339) + `"}`
	if err := errors.Join(os.WriteFile(script, []byte("#!/bin/sh\necho '"+text+"'\n"), 0o700), //nolint:gosec // a program
		os.WriteFile(file, []byte("[profile short]\ncredential_process = "+script+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	set := b.settings()
	set.AccessKey, set.SecretKey, set.Profile, set.Fetch, set.PresignExpiry = "", "", "short", "presigned", time.Hour
	u := newS3(t, set)
	var input *uploader.ConfigError
	if err := u.Check(t.Context()); !errors.As(err, &input) || !strings.Contains(err.Error(), "heron.uploader.s3.presigned.expiry") {
		t.Errorf("check: got %v, want a *ConfigError", err)
	}
	src, _ := uploadertest.Source(uploadertest.Folder, 10)
	if _, err := u.Upload(t.Context(), src); !errors.As(err, &input) {
		t.Errorf("upload: got %v, want a *ConfigError", err)
	}
	uploadertest.MustBeEmpty(t, b, "it")
	set.PresignExpiry = 20 * time.Minute
	if err := newS3(t, set).Check(t.Context()); err != nil {
		t.Error(err)
	}
}
