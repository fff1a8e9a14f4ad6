package http

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

func isPost(method, _ string) bool { return method == http.MethodPost }

func TestRefusesEarlyBehindNginx(t *testing.T) {
	s := testenv.RunPackageServer(t, testenv.PackageServerOptions{})
	nginx := testenv.RunNginx(t, testenv.NginxOptions{Server: "client_max_body_size 100k;\nlocation / { proxy_pass " + s.URL + "; }"})
	// The larger one is asked about before it is sent, the smaller one is not.
	for _, size := range []int{900 << 10, uploadertest.BigSize, 64 << 20} {
		src, _ := uploadertest.Source("a", size)
		_, err := newHTTP(t, conf.HTTPUpload{URI: nginx.Addr + "/api/v1/file/upload"}).Upload(context.Background(), src)
		if !errors.Is(err, uploader.ErrTarget) || !strings.Contains(err.Error(), fmt.Sprintf("413 Request Entity Too Large; it takes no package of %d bytes; raise its limit (nginx: client_max_body_size)", size)) {
			t.Errorf("%d bytes: got %v", size, err)
		}
	}
	if left := s.Files(); len(left) > 0 {
		t.Errorf("left is %q", left)
	}
}

func TestSendsNothingThatIsNotWanted(t *testing.T) {
	s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Token: testToken})
	src, _ := uploadertest.Source("a", uploadertest.BigSize)
	read := false
	src.Open = uploadertest.Tripping(src.Open, 0, func() { read = true })
	if _, err := newHTTP(t, conf.HTTPUpload{URI: s.Upload, Token: "sesame-wrong"}).Upload(context.Background(), src); !errors.Is(err, uploader.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
	if read {
		t.Error("the package was read")
	}
}

// A server that answers in the middle of a package and hangs up.
func TestHearsAnAnswerBeforeTheEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			req, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
				_, _ = io.CopyN(io.Discard, req.Body, 100<<10)
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			// What has not been read makes this a reset.
			_ = conn.Close()
		}
	}()
	u := newHTTP(t, conf.HTTPUpload{URI: "http://" + l.Addr().String()})
	for i := range testenv.Times(50, 1000) {
		src, _ := uploadertest.Source("a", uploadertest.BigSize)
		if _, err := u.Upload(context.Background(), src); !errors.Is(err, uploader.ErrTarget) || !strings.Contains(err.Error(), "413") {
			t.Fatalf("time %d: got %v", i, err)
		}
	}
}

func TestLostAnswersAreNamedAndNotRepeated(t *testing.T) {
	for name, fault := range map[string]testenv.HTTPFault{
		"500": testenv.HTTPErrorLost, "cut": testenv.HTTPCutLost, "no answer": testenv.HTTPHangLost,
	} {
		t.Run(name, func(t *testing.T) {
			s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Delete: true})
			p := testenv.HTTPProxy(t, s.URL)
			p.Fail(fault, 1, isPost)
			src, _ := uploadertest.Source("a", uploadertest.BigSize)
			u := decorated(t, conf.Upload{Kind: "http", Retries: 3, HTTP: conf.HTTPUpload{URI: p.URL + "/api/v1/file/upload", ResponseTimeout: 500 * time.Millisecond}}, uploader.Options{})
			_, err := u.Upload(context.Background(), src)
			var left *uploader.LeftoverError
			if !errors.As(err, &left) || !errors.Is(err, uploader.ErrUnreachable) || left.What.ID != src.Name || !strings.Contains(left.What.Where, p.URL) {
				t.Errorf("got %v, want a leftover", err)
			}
			if n := p.Count(isPost); n != 1 {
				t.Errorf("it was posted %d times", n)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	ctx := context.Background()
	src, _ := uploadertest.Source("a", uploadertest.BigSize)
	try := func(name, addr string) {
		u := newHTTP(t, conf.HTTPUpload{URI: "http://" + addr + "/up", ResponseTimeout: time.Second})
		err := u.Check(ctx)
		_, uerr := u.Upload(ctx, src)
		for _, err := range []error{err, uerr, u.Delete(ctx, "http://"+addr+"/x")} {
			var left *uploader.LeftoverError
			if !errors.Is(err, uploader.ErrUnreachable) || errors.As(err, &left) || !strings.Contains(err.Error(), addr) {
				t.Errorf("%s: got %v, want ErrUnreachable", name, err)
			}
		}
	}
	try("refused", fmt.Sprintf("127.0.0.1:%d", testenv.Ports(t, 1)[0]))
	try("no server behind", strings.TrimPrefix(serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }), "http://"))
}

// What is cancelled when all has been sent is taken back as soon as the server
// says where it is.
func TestCancelledWhileTheServerAnswers(t *testing.T) {
	for _, c := range []struct {
		name                   string
		delete, answers, named bool
	}{
		{"and is taken back", true, true, false},
		{"and cannot be taken back", false, true, true},
		{"that never comes", true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Delete: c.delete, Answer: func(w http.ResponseWriter, uri string) {
				cancel()
				if !c.answers {
					panic(http.ErrAbortHandler)
				}
				_, _ = io.WriteString(w, uri)
			}})
			u := newHTTP(t, conf.HTTPUpload{URI: s.Upload})
			src, _ := uploadertest.Source("a", 10)
			_, err := u.Upload(ctx, src)
			var left *uploader.LeftoverError
			if !errors.Is(err, context.Canceled) || errors.As(err, &left) != c.named {
				t.Errorf("got %v", err)
			}
			if files := s.Files(); (len(files) > 0) != c.named {
				t.Errorf("there is %q", files)
			}
		})
	}
	t.Run("in a while", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		uri := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		})
		u, err := New(conf.Upload{HTTP: conf.HTTPUpload{URI: uri, ResponseTimeout: uploadertest.Soon}}, uploader.Options{})
		if err != nil {
			t.Fatal(err)
		}
		u.grace = 100 * time.Millisecond
		src, _ := uploadertest.Source("a", 10)
		_, err = u.Upload(ctx, src)
		var left *uploader.LeftoverError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &left) {
			t.Errorf("got %v", err)
		}
	})
}

// zeros is a content of zeros that takes no memory.
type zeros struct{ left int64 }

func (g *zeros) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), g.left)
	clear(p[:n])
	g.left -= n
	return int(n), nil
}

func (g *zeros) ReadAt([]byte, int64) (int, error) { return 0, uploadertest.ErrBroken }

func (g *zeros) Close() error { return nil }

func TestMemoryIsConstant(t *testing.T) {
	const (
		size   = 256 << 20
		digest = "a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484" // of that many zeros
		most   = 16 << 20
	)
	uri := "http://" + discard(t)
	u := newHTTP(t, conf.HTTPUpload{URI: uri, NoVerify: true})
	src := uploader.Source{Name: "a", Size: size, SHA256: digest, Open: func() (uploader.Content, error) { return &zeros{left: size}, nil }}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := u.Upload(context.Background(), src); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > most {
		t.Errorf("%d bytes of memory were allocated in all, want below %d", got, most)
	}
}

// discard is the address of a server that takes uploads and keeps nothing.
func discard(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	buffer := make([]byte, sendBuffer)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
				_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{req.Body}, buffer)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\ns3://bkt/key")
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func BenchmarkHTTPUpload(b *testing.B) {
	const size = 256 << 20
	u, err := New(conf.Upload{HTTP: conf.HTTPUpload{URI: "http://" + discard(b), NoVerify: true, ResponseTimeout: time.Minute}}, uploader.Options{})
	if err != nil {
		b.Fatal(err)
	}
	src := uploader.Source{Name: "a", Size: size, SHA256: "a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484", Open: func() (uploader.Content, error) { return &zeros{left: size}, nil }}
	b.SetBytes(size)
	for b.Loop() {
		if _, err := u.Upload(context.Background(), src); err != nil {
			b.Fatal(err)
		}
	}
}
