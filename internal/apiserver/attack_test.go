package apiserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// stored are the files of the store, without its key, names and journal.
func (b *bench) stored() []string {
	b.t.Helper()
	entries, err := os.ReadDir(b.store.Dir())
	b.Must(err)
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".name") && e.Name() != journalDir {
			names = append(names, e.Name())
		}
	}
	return names
}

func (b *bench) upload(name, content string, header ...string) answer {
	b.t.Helper()
	contentType, body := form(part{"file", name, content})
	return b.send("POST", "/api/v1/file/upload", body, append(header, "Content-Type", contentType)...)
}

func TestUploadAndDownload(t *testing.T) {
	b := newBench(t, func(o *Options) { o.DownloadHost = "127.0.0.1" })
	a := b.upload("words.tar.gz", "content")
	b.want(a, 200)
	at, ok := strings.CutPrefix(a.body, b.url)
	if !ok || !strings.HasSuffix(at, "-words.tar.gz") {
		t.Fatalf("answer %q, want an address below %s", a.body, b.url)
	}
	got := b.send("GET", at, nil)
	b.want(got, 200)
	if got.body != "content" || got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%+v", got)
	}
	if d := got.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment; filename=") {
		t.Errorf("Content-Disposition %s", d)
	}
	if r := b.send("GET", at, nil, "Range", "bytes=3-"); r.status != 206 || r.body != "tent" {
		t.Errorf("range: %+v", r)
	}
	if r := b.send("HEAD", at, nil); r.status != 200 || r.header.Get("Content-Length") != "7" {
		t.Errorf("HEAD: %+v", r)
	}
	b.want(b.send("DELETE", "/api/v1/file/"+filepath.Base(at), nil), 204)
	b.want(b.send("DELETE", at, nil), 404)
	if gone := b.send("GET", at, nil); gone.status != 404 || gone.body != "" {
		t.Errorf("%+v, want an empty 404 as the original's", gone)
	}
	b.want(b.upload("x", "content", headerSHA256, digest("other")), 422, "digest")
	b.want(b.upload("x", "content", headerSHA256, digest("content")), 200)
	if n := len(b.stored()); n != 1 {
		t.Errorf("%d files, want 1", n)
	}
}

// TestNamesLeadNowhere tries names that would lead out of the folder, in every
// place where one reaches a path.
func TestNamesLeadNowhere(t *testing.T) {
	b := newBench(t, func(o *Options) { o.DownloadHost = "127.0.0.1" })
	secret := filepath.Join(filepath.Dir(b.store.Dir()), "secret")
	writeFile(t, secret, "a secret")
	b.Must(os.Symlink(secret, filepath.Join(b.store.Dir(), "11111111-2222-3333-4444-555555555555-link")))
	names := []string{
		"../secret", "..%2fsecret", "%2e%2e%2fsecret", "..%5csecret", "%2e%2e/secret", ".names.key", "%00", ".", "..", "",
		"11111111-2222-3333-4444-555555555555-link", url.PathEscape(secret), "core/../../secret", "....//secret", "-", "a%0ab",
		"11111111-2222-3333-4444-555555555555-x%2f..%2f..%2fsecret",
	}
	for _, name := range names {
		for _, base := range []string{"/api/v1/file/download/", "/api/v1/file/"} {
			for _, method := range []string{"GET", "DELETE"} {
				a := b.raw(method, base+name, "")
				if a.status < 300 || a.status >= 500 || strings.Contains(a.body, "a secret") {
					t.Errorf("%s %s%s: %+v", method, base, name, a)
				}
			}
		}
		decoded, err := url.PathUnescape(name)
		if err != nil {
			continue
		}
		a := b.upload(decoded, "content")
		if a.status >= 500 {
			t.Errorf("upload as %q: %+v", decoded, a)
		}
	}
	for _, name := range []string{"../../evil.jar", "/etc/evil.jar", `..\..\evil.jar`, "..", ".", "", "a/../../evil.jar", strings.Repeat("x", 300) + ".jar"} {
		a := b.submit("/api/v1/topologies", replacedFile(b.submission(), "topology", name, "jar"))
		if a.status >= 500 {
			t.Errorf("topology file %q: %+v", name, a)
		}
		b.submit("/api/v1/topologies", replacedFile(b.submission(), "definition", name, "x"))
	}
	for _, name := range []string{"..", ".", "a/b", "%2e%2e", "..%2f..", "a%00b", "a%0db"} {
		for _, at := range []string{"/api/v1/topologies/nomad/ads/prod/" + name, "/api/v1/topologies/nomad/" + name + "/prod/words", "/api/v1/topologies/" + name + "/ads/prod/words"} {
			for _, method := range []string{"GET", "DELETE"} {
				if a := b.raw(method, at, ""); a.status < 300 || a.status >= 500 {
					t.Errorf("%s %s: %+v", method, at, a)
				}
			}
		}
	}
	data, err := os.ReadFile(secret)
	if err != nil || string(data) != "a secret" {
		t.Errorf("the file outside: %q (%v)", data, err)
	}
	outside, err := filepath.Glob(filepath.Join(filepath.Dir(b.store.Dir()), "*evil*"))
	if len(outside) > 0 || err != nil {
		t.Errorf("written outside: %q (%v)", outside, err)
	}
	for _, name := range b.stored() {
		if strings.Contains(name, "incoming") {
			t.Errorf("left: %s", name)
		}
	}
}

// raw sends a request whose path no library has cleaned.
func (b *bench) raw(method, path, rest string) answer {
	b.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	b.Must(err)
	defer conn.Close()
	b.Must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", method, path, rest)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	b.Must(err)
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// endless never ends.
type endless struct{ n atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.n.Add(int64(len(p)))
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestBodiesThatAreTooLarge(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Limits.Upload = 1 << 20 })
	head := "--B\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"x.jar\"\r\n\r\n"
	for _, c := range []struct{ path, part string }{
		{"/api/v1/file/upload", "file"}, {"/api/v1/topologies", "topology"}, {"/api/v1/topologies", "definition"}, {"/api/v1/topologies", "role"},
	} {
		body := &endless{}
		r, err := http.NewRequest("POST", b.url+c.path, io.MultiReader(strings.NewReader(fmt.Sprintf(head, c.part)), body))
		b.Must(err)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=B")
		resp, err := http.DefaultClient.Do(r)
		// The server may close before the client has read the answer.
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != 413 {
				t.Errorf("%s to %s: %s", c.part, c.path, resp.Status)
			}
		}
		if n := body.n.Load(); n > 200<<20 {
			t.Errorf("%s to %s: %d bytes were taken", c.part, c.path, n)
		}
	}
	if a := b.raw("POST", "/api/v1/file/upload", "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 99999999999\r\n"); a.status != 413 {
		t.Errorf("an announced length: %+v", a)
	}
	parts := make([]part, 0, 3000)
	for i := range 3000 {
		parts = append(parts, part{fmt.Sprint("f", i), "", "x"})
	}
	b.want(b.submit("/api/v1/topologies", parts), 413)
	if names := b.stored(); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}

func TestFormsThatAreBroken(t *testing.T) {
	b := newBench(t, nil)
	const kind = "multipart/form-data; boundary=B"
	file := "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\ncontent"
	for name, c := range map[string]struct {
		kind, body string
		status     int
	}{
		"no type":            {"", file + "\r\n--B--\r\n", 415},
		"JSON":               {"application/json", "{}", 415},
		"no boundary":        {"multipart/form-data", file + "\r\n--B--\r\n", 400},
		"empty":              {kind, "", 400},
		"another boundary":   {"multipart/form-data; boundary=C", file + "\r\n--B--\r\n", 400},
		"cut off":            {kind, file, 400},
		"no file":            {kind, "--B\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--B--\r\n", 400},
		"two files":          {kind, file + "\r\n" + file + "\r\n--B--\r\n", 400},
		"header without end": {kind, "--B\r\nContent-Disposition: form-data; name=\"" + strings.Repeat("x", 1<<20), 400},
		"zero bytes in name": {kind, "--B\r\nContent-Disposition: form-data; name=\"fi\x00le\"\r\n\r\nx\r\n--B--\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.want(b.send("POST", "/api/v1/file/upload", strings.NewReader(c.body), "Content-Type", c.kind), c.status, `"message":"`)
			if a := b.send("POST", "/api/v1/topologies", strings.NewReader(c.body), "Content-Type", c.kind); a.status < 400 || a.status >= 500 {
				t.Errorf("submit: %+v", a)
			}
		})
	}
	if names := b.stored(); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}

// TestSlowClients sends a part of a request and no more, and reads no answer.
func TestSlowClients(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Limits.Stall = 200 * time.Millisecond })
	for _, begun := range []string{
		"POST /api/v1/file/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 1000\r\n\r\n--B\r\n",
		"POST /api/v1/topologies HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 1000\r\n\r\n--B\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		b.Must(err)
		_, err = io.WriteString(conn, begun)
		b.Must(err)
		b.Must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatalf("no answer to a client that stopped: %q", begun)
		}
		if err == nil && resp.StatusCode != 408 && resp.StatusCode != 400 {
			t.Errorf("%s", resp.Status)
		}
		conn.Close()
	}
	if names := b.stored(); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}

func TestTooManyRequests(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Limits.Rate = 5
		at := time.Now()
		o.Now = func() time.Time { return at }
	})
	for range 10 {
		b.want(b.send("GET", "/healthz", nil), 200)
	}
	a := b.send("GET", "/healthz", nil)
	b.want(a, 429, "too many requests")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// A client that makes up methods makes no more of the server's metrics.
func TestMethodsThatAreMadeUp(t *testing.T) {
	b := newBench(t, nil)
	for _, method := range []string{"BREW", "BREW2"} {
		b.want(b.send(method, "/healthz", nil), 405)
	}
	a := b.send("GET", "/metrics", nil)
	b.want(a, 200, `heron_apiserver_requests_total{method="other",route="/healthz",status="405"} 2`)
	if strings.Contains(a.body, "BREW") {
		t.Error("the metrics have a method that a client made up")
	}
}
