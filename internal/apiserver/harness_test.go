package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/tmanager"
	"github.com/heron-nomad/heron/internal/uploader"
)

// bench is a server on a cluster of fakes.
type bench struct {
	*clustertest.Bench
	t      *testing.T
	server *Server
	url    string
	log    *bytes.Buffer
	nomad  *fakeNomad
	store  *files.Store
	// before, unless nil, is called whenever an operation connects.
	before func(context.Context) error
	// owned: packages go where the server says, not into the bench's folder.
	owned bool
}

// fakeNomad is what reads ask of Nomad.
type fakeNomad struct {
	jobs *clustertest.Jobs
	// asked counts how often containers, and lists of jobs, were asked for.
	asked atomic.Int32
	// hidden: it does not show all jobs; ran counts jobs on every node.
	hidden error
	ran    int
}

func (f *fakeNomad) Jobs(context.Context, string) ([]*api.JobListStub, error) {
	f.asked.Add(1)
	return nil, nil
}
func (f *fakeNomad) ContainersSince(context.Context, string, uint64) ([]nomad.Container, uint64, error) {
	f.asked.Add(1)
	return nil, 0, nil
}
func (f *fakeNomad) WhyUnplaced(context.Context, *api.Job) ([]string, error) { return nil, nil }
func (f *fakeNomad) VersionMeta(context.Context, string) (map[uint64]map[string]string, error) {
	return nil, nil
}
func (f *fakeNomad) Files(context.Context, string, string) ([]nomad.File, error) { return nil, nil }
func (f *fakeNomad) ReadFile(context.Context, string, string, int64, int64) ([]byte, error) {
	return nil, nil
}
func (f *fakeNomad) PortAddress(context.Context, string, string) (string, error) { return "", nil }
func (f *fakeNomad) Ping(context.Context) (nomad.Server, error)                  { return nomad.Server{}, nil }

// newBench runs a server; change may alter its options.
func newBench(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{Bench: clustertest.New(t), t: t, log: &bytes.Buffer{}}
	b.Cluster.TManager = tmanager.New(tmanager.Options{})
	b.nomad = &fakeNomad{jobs: b.Jobs}
	store, err := files.Open(filepath.Join(dir, "store"), 0)
	b.Must(err)
	b.store = store
	opts := Options{
		Base: conf.Options{
			Home: dir, Dir: filepath.Join(testenv.Root(), "conf", "nomad"), Cluster: "nomad", UserHome: dir,
			Properties: []string{
				"heron.class.state.manager=org.apache.heron.statemgr.localfs.LocalFileSystemStateManager",
				"heron.statemgr.connection.string=LOCALMODE",
				"heron.statemgr.root.path=" + b.Settings.State.Root,
				"heron.uploader.localfs.file.system.directory=" + b.Packages,
			},
		},
		Client: "test", Store: store, Overrides: DefaultOverrides(), Limits: DefaultLimits(),
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: b.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: time.Now,
		Connect: func(ctx context.Context, s *conf.Settings, o cluster.Options) (*Link, error) {
			if b.before != nil {
				if err := b.before(ctx); err != nil {
					return nil, err
				}
			}
			cl := b.Cluster
			cl.Settings, cl.Progress = s, o.Progress
			if b.owned {
				up, err := o.Uploaders(s.Upload, uploader.Options{})
				if err != nil {
					return nil, err
				}
				cl.Uploader = up
			}
			return &Link{Cluster: cl, Nomad: b.nomad, Close: func() error { return nil }}, nil
		},
	}
	if change != nil {
		change(&opts)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	b.Must(err)
	b.server, err = New(opts, l.Addr())
	b.Must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	b.url = "http://" + l.Addr().String()
	return b
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends one request. Headers are pairs of names and values.
func (b *bench) send(method, path string, body io.Reader, header ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	b.Must(err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	b.Must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.Must(err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// want fails the test unless an answer has a status, and a body with a text.
func (b *bench) want(a answer, status int, texts ...string) {
	b.t.Helper()
	if a.status != status {
		b.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			b.t.Errorf("no %q in %s", text, a.body)
		}
	}
}

// part is one part of a form; a file has a file name.
type part struct{ name, file, content string }

// form is multipart/form-data as Python's requests sends it: fields first, then
// files without a type.
func form(parts ...part) (contentType string, body *bytes.Buffer) {
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, p := range parts {
		if p.file == "" {
			_ = w.WriteField(p.name, p.content)
			continue
		}
		at, _ := w.CreateFormFile(p.name, p.file)
		_, _ = io.WriteString(at, p.content)
	}
	_ = w.Close()
	return w.FormDataContentType(), body
}

// words is the definition of a small topology.
func (b *bench) words() string {
	b.t.Helper()
	data, err := clustertest.Words("words-1").Bytes()
	b.Must(err)
	return string(data)
}

// submission is what the Python client sends for it, with more parts before the
// files.
func (b *bench) submission(more ...part) []part {
	list := []part{
		{"name", "", "words"}, {"cluster", "", "nomad"}, {"role", "", "ads"}, {"environment", "", "prod"}, {"user", "", "ann"},
	}
	list = append(list, more...)
	return append(list, part{"definition", "words.defn", b.words()}, part{"topology", "words.jar", "a jar"})
}

func (b *bench) submit(path string, parts []part, header ...string) answer {
	b.t.Helper()
	contentType, body := form(parts...)
	return b.send("POST", path, body, append(header, "Content-Type", contentType)...)
}

func (b *bench) object(a answer) map[string]any {
	b.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		b.t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

func tokens(t *testing.T, text string) *auth.Checker {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	writeFile(t, path, text)
	c, err := auth.New(path, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lockedWriter takes lines of several requests.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
