package apiserver

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
)

const (
	transferSize   = 512 << 20
	transferRounds = 5
)

// BenchmarkTransfer reports how fast a package goes to and comes from the
// server, next to nginx on the same disk and loopback: median of five rounds,
// taken in turns.
func BenchmarkTransfer(b *testing.B) {
	dir := b.TempDir()
	if shm, err := os.MkdirTemp("/dev/shm", "heron-bench"); err == nil { // without the disk's noise
		dir = shm
		b.Cleanup(func() { _ = os.RemoveAll(shm) })
	}
	ours := transferServer(b, filepath.Join(dir, "store"))
	nginxDir := filepath.Join(dir, "nginx")
	if err := os.Mkdir(nginxDir, 0o700); err != nil {
		b.Fatal(err)
	}
	nginx := testenv.RunNginx(b, testenv.NginxOptions{
		HTTP:   "sendfile on;",
		Server: "client_max_body_size 0;\nlocation / { root " + nginxDir + "; client_body_temp_path " + nginxDir + "/body; dav_methods PUT; }",
	})
	for range b.N {
		rates := map[string][]float64{}
		for range transferRounds {
			up := time.Now()
			at := post(b, ours)
			rates["up"] = append(rates["up"], speed(up))
			down := time.Now()
			get(b, at)
			rates["down"] = append(rates["down"], speed(down))
			remove(b, at)

			up = time.Now()
			put(b, nginx.Addr+"/package")
			rates["nginx-up"] = append(rates["nginx-up"], speed(up))
			down = time.Now()
			get(b, nginx.Addr+"/package")
			rates["nginx-down"] = append(rates["nginx-down"], speed(down))
		}
		for name, list := range rates {
			slices.Sort(list)
			b.ReportMetric(list[len(list)/2], name+"-MiB/s")
		}
		for _, way := range []string{"up", "down"} {
			b.ReportMetric(rates[way][transferRounds/2]/rates["nginx-"+way][transferRounds/2], way+"/nginx")
		}
	}
}

func speed(began time.Time) float64 {
	return transferSize / float64(1<<20) / time.Since(began).Seconds()
}

// transferServer is a server for packages alone, at its address.
func transferServer(b *testing.B, dir string) string {
	b.Helper()
	store, err := files.Open(dir, 0)
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s, err := New(Options{
		Base: conf.Options{Cluster: "nomad"}, Store: store, Limits: DefaultLimits(), DownloadHost: "127.0.0.1",
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}, l.Addr())
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Serve(b.Context(), l) }()
	return "http://" + l.Addr().String()
}

// compressed reads as packages do, which have no pattern: the same random bytes
// again and again.
type compressed struct {
	bytes []byte
	at    int
}

func newCompressed() *compressed {
	c := &compressed{bytes: make([]byte, 1<<20)}
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(c.bytes) // never fails
	return c
}

func (c *compressed) Read(p []byte) (int, error) {
	n := copy(p, c.bytes[c.at:])
	c.at = (c.at + n) % len(c.bytes)
	return n, nil
}

func post(b *testing.B, url string) string {
	b.Helper()
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	if _, err := w.CreateFormFile("file", "x.tar.gz"); err != nil {
		b.Fatal(err)
	}
	end := "\r\n--" + w.Boundary() + "--\r\n"
	r, err := http.NewRequest("POST", url+uploadPath, io.MultiReader(&head, io.LimitReader(newCompressed(), transferSize), strings.NewReader(end)))
	if err != nil {
		b.Fatal(err)
	}
	r.ContentLength = int64(head.Len()+len(end)) + transferSize
	r.Header.Set("Content-Type", w.FormDataContentType())
	return ask(b, r)
}

func put(b *testing.B, url string) {
	b.Helper()
	r, err := http.NewRequest("PUT", url, io.LimitReader(newCompressed(), transferSize))
	if err != nil {
		b.Fatal(err)
	}
	r.ContentLength = transferSize
	ask(b, r)
}

func remove(b *testing.B, url string) {
	b.Helper()
	r, err := http.NewRequest("DELETE", url, nil)
	if err != nil {
		b.Fatal(err)
	}
	ask(b, r)
}

func ask(b *testing.B, r *http.Request) string {
	b.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		b.Fatal(resp.Status, string(text), err)
	}
	return string(text)
}

func get(b *testing.B, url string) {
	b.Helper()
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 256<<10))
	if err != nil || n != transferSize {
		b.Fatal(fmt.Errorf("%d bytes: %w", n, err))
	}
}
