package testenv

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// An S3Server is a real S3 server over a folder. A folder made directly below
// Root is a bucket that belongs to the keys.
type S3Server struct {
	*Server
	// Root holds the buckets.
	Root string
	// AccessKey and SecretKey may do everything.
	AccessKey, SecretKey string
	Region               string
}

// S3Options change how an S3 server is run.
type S3Options struct {
	// Root is the folder of buckets; one of the server's own if empty.
	Root string
	// Region is us-east-1 if empty.
	Region string
	// Authority, where set, makes the server speak TLS with a certificate of
	// it.
	Authority *Authority
	// ReadOnly refuses everything that writes.
	ReadOnly bool
}

// S3 is an S3 server of this test's own, stopped when the test ends.
func S3(t testing.TB, opts S3Options) *S3Server {
	t.Helper()
	var s *S3Server
	ownServer(t, func(ctx context.Context, dir string) (server *Server, err error) {
		if s, err = StartS3(ctx, dir, opts); err != nil {
			return nil, err
		}
		return s.Server, nil
	})
	return s
}

// StartS3 runs versitygw with its log in dir, which must exist. It keeps its
// data over Kill and Restart. It is built first where VERSITYGW_BIN names
// none; see Tool.
func StartS3(ctx context.Context, dir string, opts S3Options) (*S3Server, error) {
	binary, err := Tool(ctx, "versitygw")
	if err != nil {
		return nil, err
	}
	root := cmp.Or(opts.Root, filepath.Join(dir, "buckets"))
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("start the S3 server: %w", err)
	}
	block, err := reservePorts(12500, 12900, 2, 1)
	if err != nil {
		return nil, fmt.Errorf("start the S3 server: %w", err)
	}
	s := &S3Server{Root: root, AccessKey: "test-access-key", SecretKey: "test-secret-key-0123456789", Region: cmp.Or(opts.Region, "us-east-1")}
	listen, scheme := loopback(block.port(0)), "http://"
	argv := []string{binary, "--port", listen, "--region", s.Region, "--health", "/health", "--quiet", "--keep-alive"}
	if opts.Authority != nil {
		pair, err := opts.Authority.Issue("s3", "127.0.0.1")
		if err != nil {
			block.release()
			return nil, fmt.Errorf("start the S3 server: %w", err)
		}
		scheme = "https://"
		argv = append(argv, "--cert", pair.CertFile, "--key", pair.KeyFile)
	}
	if opts.ReadOnly {
		argv = append(argv, "--readonly")
	}
	s.Server = &Server{
		Addr:        scheme + listen,
		Dir:         dir,
		name:        "the S3 server",
		argv:        append(argv, "posix", root),
		env:         append(serverEnv(dir), "ROOT_ACCESS_KEY_ID="+s.AccessKey, "ROOT_SECRET_ACCESS_KEY="+s.SecretKey),
		block:       block,
		deathSignal: syscall.SIGKILL,
	}
	s.ready = func(ctx context.Context) error { return answers(ctx, s.Addr+"/health", opts.Authority) }
	if err := s.start(ctx); err != nil {
		_ = s.discard()
		return nil, err
	}
	return s, nil
}

// answers fails unless a GET of url is answered with 200, by a server with a
// certificate of the authority where there is one.
func answers(ctx context.Context, url string, authority *Authority) error {
	if authority == nil {
		return isReady(ctx, url)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	trusted := x509.NewCertPool()
	trusted.AddCert(authority.cert)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
