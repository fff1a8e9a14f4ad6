package testenv

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
)

const (
	uploadPath   = "/api/v1/file/upload"
	downloadPath = "/api/v1/file/download/"
)

// PackageServerOptions change how the server behaves. The zero value is like
// the original's API server: it takes all, gives all and deletes nothing.
type PackageServerOptions struct {
	// Dir is the folder of the packages, one of the test's own if empty.
	Dir string
	// Delete has the server take DELETE.
	Delete bool
	// Token is demanded for uploads and deletions, and with FetchToken for
	// downloads.
	Token      string
	FetchToken bool
	// ReadOnly has it take no uploads at all.
	ReadOnly bool
	// Authority, where set, has it speak TLS with a certificate for 127.0.0.1;
	// with ClientCert only to clients that the authority knows, at uploads.
	Authority  *Authority
	ClientCert bool
	// Answer, where set, is what an upload is answered with.
	Answer func(w http.ResponseWriter, uri string)
	// Intercept, where set, sees each request first and says whether it has
	// answered it.
	Intercept func(w http.ResponseWriter, r *http.Request) bool
}

// A PackageServer is an HTTP server that keeps packages in a folder. It gives
// each a random name and writes it under another until it is whole.
type PackageServer struct {
	// URL is its scheme and address, Upload where packages are posted.
	URL, Upload string
	// Dir is the folder of the packages.
	Dir string

	t        testing.TB
	opts     PackageServerOptions
	mu       sync.Mutex
	idle     *sync.Cond
	busy     map[net.Conn]bool
	public   string
	requests []*http.Request
}

// RunPackageServer runs a server until the test ends.
func RunPackageServer(t testing.TB, opts PackageServerOptions) *PackageServer {
	t.Helper()
	s := &PackageServer{t: t, opts: opts, Dir: opts.Dir, busy: map[net.Conn]bool{}}
	s.idle = sync.NewCond(&s.mu)
	if s.Dir == "" {
		s.Dir = t.TempDir()
	}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = s.count
	// All is set before the first request can come.
	scheme := "http"
	if opts.Authority != nil {
		scheme = "https"
		server.TLS = s.tls()
	}
	s.URL = scheme + "://" + server.Listener.Addr().String()
	s.public, s.Upload = s.URL, s.URL+uploadPath
	if opts.Authority == nil {
		server.Start()
	} else {
		server.StartTLS()
	}
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

func (s *PackageServer) tls() *tls.Config {
	s.t.Helper()
	pair, err := s.opts.Authority.Issue("package-server", "127.0.0.1")
	if err != nil {
		s.t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.opts.Authority.cert)
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, ClientCAs: pool}
	if s.opts.ClientCert {
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return config
}

// Behind has the server name packages by the address of another that stands
// before it.
func (s *PackageServer) Behind(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.public = url
}

// count keeps track of connections, for what a client has cut is still worked
// on for a moment.
func (s *PackageServer) count(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive:
		s.busy[conn] = true
	default:
		delete(s.busy, conn)
	}
	s.idle.Broadcast()
}

// Files are the names in the folder once no request is under way, without the
// random part of each package.
func (s *PackageServer) Files() []string {
	s.t.Helper()
	late := false
	timer := time.AfterFunc(startTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		late = true
		s.idle.Broadcast()
	})
	defer timer.Stop()
	s.mu.Lock()
	for len(s.busy) > 0 && !late {
		s.idle.Wait()
	}
	s.mu.Unlock()
	if late {
		s.t.Fatalf("requests to %s do not end", s.URL)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if len(name) > 37 && uuid.Validate(name[:36]) == nil {
			name = name[37:]
		}
		names = append(names, name)
	}
	return names
}

// Requests are those that have come so far, without bodies.
func (s *PackageServer) Requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.requests...)
}

// ServeHTTP is for the server that RunPackageServer runs.
func (s *PackageServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	if s.opts.Intercept != nil && s.opts.Intercept(w, r) {
		return
	}
	name, download := strings.CutPrefix(r.URL.Path, downloadPath)
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case s.opts.Token != "" && (!read || s.opts.FetchToken) && r.Header.Get("Authorization") != "Bearer "+s.opts.Token:
		http.Error(w, "no valid token", http.StatusUnauthorized)
	case s.opts.ClientCert && !read && len(r.TLS.PeerCertificates) == 0:
		http.Error(w, "no certificate", http.StatusForbidden)
	case r.URL.Path == uploadPath:
		s.upload(w, r)
	case download && filepath.IsLocal(name) && read:
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeFile(w, r, filepath.Join(s.Dir, name))
	case download && filepath.IsLocal(name) && r.Method == http.MethodDelete && s.opts.Delete:
		s.remove(w, name)
	case download:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		http.NotFound(w, r)
	}
}

func (s *PackageServer) remove(w http.ResponseWriter, name string) {
	switch err := os.Remove(filepath.Join(s.Dir, name)); {
	case errors.Is(err, os.ErrNotExist):
		w.WriteHeader(http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *PackageServer) upload(w http.ResponseWriter, r *http.Request) {
	allow := "POST, OPTIONS"
	if s.opts.ReadOnly {
		allow = "OPTIONS"
	}
	w.Header().Set("Allow", allow)
	switch {
	case r.Method == http.MethodOptions:
		return
	case r.Method != http.MethodPost || s.opts.ReadOnly:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Del("Allow")
	name, err := s.receive(r)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		http.Error(w, "no room", http.StatusInsufficientStorage)
	case errors.Is(err, errForm):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		s.mu.Lock()
		uri := s.public + downloadPath + name
		s.mu.Unlock()
		if s.opts.Answer != nil {
			s.opts.Answer(w, uri)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, uri)
	}
}

// errForm is a message that is not what the uploader should send.
var errForm = errors.New("not a form with the one part file")

// receive stores the package of a request and returns its name.
func (s *PackageServer) receive(r *http.Request) (name string, err error) {
	form, err := r.MultipartReader()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errForm, err)
	}
	part, err := form.NextPart()
	if err != nil || part.FormName() != "file" || part.FileName() == "" || r.ContentLength < 0 {
		return "", fmt.Errorf("%w: %w", errForm, err)
	}
	name = uuid.NewString() + "-" + filepath.Base(part.FileName())
	file, err := os.CreateTemp(s.Dir, ".part-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, part, make([]byte, 256<<10))
	if err = errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	if _, err := form.NextPart(); !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("%w: there is more, or its end is missing: %w", errForm, err)
	}
	return name, os.Rename(file.Name(), filepath.Join(s.Dir, name))
}
