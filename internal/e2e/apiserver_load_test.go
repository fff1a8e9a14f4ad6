package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// load is how much clients do at the same time.
type load struct {
	clients, topologies, uploaders int
	// packageSize is what each uploader sends, in bytes.
	packageSize int64
	// rate is how many status calls come in a second; slowest is what 99 of 100
	// may take at most, 0 where other tests take the processors.
	rate    int
	slowest time.Duration
}

// memoryLimit is the most that the server may use, in MiB.
const memoryLimit = 150

// TestAPIServerUnderLoad has clients submit and kill topologies that cannot be
// placed while others upload large packages and ask for the status. It is a
// tenth of what make soak does.
func TestAPIServerUnderLoad(t *testing.T) {
	l := load{clients: 5, topologies: 20, uploaders: 1, packageSize: 200 << 20, rate: 50}
	if os.Getenv("HERON_SOAK") != "" {
		l = load{clients: 50, topologies: 200, uploaders: 10, packageSize: 200 << 20, rate: 200, slowest: 20 * time.Millisecond}
	}
	s := newCluster(t).serve("-D", "heron.nomad.datacenters=nowhere", "--rate-limit", "0", "--download-hostname", "127.0.0.1")
	// Everything that clients do for themselves is done before, so that the
	// server is what is measured.
	forms := make(chan form, l.topologies)
	for i := range l.topologies {
		forms <- s.prepare(fmt.Sprintf("%s-%d", s.topology, i))
	}
	close(forms)
	// The first of everything takes longer, and nobody waits for it twice.
	for _, f := range []form{s.prepare(s.topology + "-warm"), s.prepare(s.topology)} {
		s.ask(201, "POST", "/api/v1/topologies", f.kind, bytes.NewReader(f.body))
	}
	s.ask(200, "DELETE", s.at()+"-warm", "", nil)
	s.ask(200, "GET", s.at(), "", nil)

	stop := make(chan struct{})
	times := make(chan []time.Duration)
	go func() { times <- s.statusCalls(l.rate, stop) }()
	began := time.Now()
	var group errgroup.Group
	for range l.clients {
		group.Go(func() error {
			for f := range forms {
				if err := s.try("POST", "/api/v1/topologies", f.kind, bytes.NewReader(f.body), 201); err != nil {
					return err
				}
				if err := s.try("DELETE", "/api/v1/topologies/nomad/ann/default/"+f.name, "", nil, 200); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for range l.uploaders {
		group.Go(func() error { return s.uploadAndDelete(l.packageSize) })
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, s.run.errOut.String())
	}
	took := time.Since(began)
	close(stop)
	all := <-times
	slices.Sort(all)
	if len(all) == 0 {
		t.Fatal("no status call was answered")
	}
	p99 := all[len(all)*99/100]
	memory := s.memory()
	t.Logf("%d topologies by %d clients and %d uploads of %d MiB in %v; %d status calls, median %v, p99 %v, slowest %v; peak memory %d MiB; load average %s",
		l.topologies, l.clients, l.uploaders, l.packageSize>>20, took.Round(time.Millisecond), len(all), all[len(all)/2], p99, all[len(all)-1], memory, loadAverage())
	if l.slowest > 0 && p99 > l.slowest {
		t.Errorf("p99 of status calls is %v, want at most %v", p99, l.slowest)
	}
	if memory > memoryLimit {
		t.Errorf("the server used %d MiB, want at most %d", memory, memoryLimit)
	}
	s.ask(200, "DELETE", s.at(), "", nil)
	s.nothingLeft()
}

// form is a submission that is ready to be sent.
type form struct {
	name, kind string
	body       []byte
}

func (s *apiServer) prepare(name string) form {
	s.t.Helper()
	kind, body := s.formOf(name)
	return form{name: name, kind: kind, body: body.Bytes()}
}

// try sends a request that has to be answered with a status.
func (s *apiServer) try(method, path, kind string, body io.Reader, status int) error {
	r, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != status {
		err = fmt.Errorf("%s %s: %s, want %d: %s", method, path, resp.Status, status, text)
	}
	return err
}

// statusCalls asks at a rate how the topology is, until it is stopped.
func (s *apiServer) statusCalls(rate int, stop <-chan struct{}) []time.Duration {
	var (
		mu    sync.Mutex
		times []time.Duration
		wait  sync.WaitGroup
	)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for {
		select {
		case <-stop:
			wait.Wait()
			return times
		case <-tick.C:
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			began := time.Now()
			if err := s.try("GET", s.at(), "", nil, 200); err != nil {
				s.t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Since(began))
		}()
	}
}

// uploadAndDelete sends a package of a size and removes it again.
func (s *apiServer) uploadAndDelete(size int64) error {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	if _, err := w.CreateFormFile("file", "large.tar.gz"); err != nil {
		return err
	}
	end := "\r\n--" + w.Boundary() + "--\r\n"
	body := io.MultiReader(&head, io.LimitReader(zeros{}, size), strings.NewReader(end))
	resp, err := http.Post(s.url+"/api/v1/file/upload", w.FormDataContentType(), body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status + ": " + string(text))
	}
	if err != nil {
		return err
	}
	return s.try("DELETE", "/api/v1/file/"+filepath.Base(string(text)), "", nil, 204)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// memory is the most that the server has used, in MiB.
func (s *apiServer) memory() int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.run.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		s.t.Fatalf("no VmHWM in %s", text)
	}
	kib, err := strconv.Atoi(fields[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return kib >> 10
}

// loadAverage is how busy the machine was in the last minute: figures of a
// machine that does other things as well say little.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg") // "" where there is none
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
