package commandbench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Numbers of what is followed.
const (
	followedContainers = 200
	// Each container's log has so many lines when the command begins, and so
	// many more at each look at its folder, until it has all. It rotates.
	linesAtFirst = 3000
	linesMore    = 500
	linesInAll   = 5000
	linesPerFile = 1200
	lineBytes    = 100
	// followLimit is the most memory that following may take.
	followLimit = 64 << 20
)

// logServer is a standing whose containers write logs. They begin anew with
// each command; when all lines are written the topology is stopped.
type logServer struct {
	*standing
	name string

	mu      sync.Mutex
	written [followedContainers + 1]int
	full    int
	index   uint64
	changed chan struct{}
}

func (s *logServer) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.written {
		s.written[i] = linesAtFirst
	}
	s.full, s.index, s.changed = 0, s.index+2, make(chan struct{})
}

// stopped says that all lines are written.
func (s *logServer) stopped() bool { return s.full == len(s.written) }

// grow is a container's number of lines, after which it writes more.
func (s *logServer) grow(container int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.written[container]
	if n < linesInAll {
		if s.written[container] = min(n+linesMore, linesInAll); s.written[container] == linesInAll {
			if s.full++; s.stopped() {
				s.index++
				close(s.changed)
			}
		}
	}
	return n
}

// line is one line of a container's log.
func line(container, number int) string {
	text := fmt.Sprintf("[2026-01-02 03:04:05 +0000] [INFO] container %d line %d", container, number)
	return text + strings.Repeat(".", lineBytes-1-len(text)) + "\n"
}

// lines are so many files of a log, the newest first; each is its first and
// its last line.
func files(lines int) (all [][2]int) {
	for first := (lines-1)/linesPerFile*linesPerFile + 1; first > 0; first -= linesPerFile {
		all = append(all, [2]int{first, min(lines, first+linesPerFile-1)})
	}
	return all
}

func (s *logServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	jobPath := "/v1/job/heron.nomad." + s.name
	container, _ := strconv.Atoi(strings.TrimPrefix(path.Base(r.URL.Path), "alloc-"))
	switch {
	case r.URL.Path == jobPath+"/allocations":
		s.list(w, r)
	case r.URL.Path == jobPath:
		var job api.Job
		if err := json.Unmarshal(s.answers[jobPath], &job); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.mu.Lock()
		stopped := s.stopped()
		s.mu.Unlock()
		job.Stop = &stopped
		_ = json.NewEncoder(w).Encode(job)
	case strings.HasPrefix(r.URL.Path, "/v1/client/fs/ls/"):
		if !strings.HasSuffix(r.URL.Query().Get("path"), "/log-files") {
			http.Error(w, "no such file or directory", http.StatusNotFound)
			return
		}
		var list []api.AllocFileInfo
		for i, f := range files(s.grow(container)) {
			list = append(list, api.AllocFileInfo{
				Name: fmt.Sprintf("container_%d_word_%d.log.%d", container, container, i), Size: int64(f[1]-f[0]+1) * lineBytes,
				FileMode: "-rw-r--r--", ModTime: time.Unix(int64(1_700_000_000+f[1]), 0),
			})
		}
		_ = json.NewEncoder(w).Encode(list)
	case strings.HasPrefix(r.URL.Path, "/v1/client/fs/readat/"):
		s.read(w, r.URL.Query(), container)
	default:
		s.standing.ServeHTTP(w, r)
	}
}

// list answers the query for allocations, when there is something new.
func (s *logServer) list(w http.ResponseWriter, r *http.Request) {
	index := r.URL.Query().Get("index")
	if index == "" { // a command begins
		s.reset()
	}
	s.mu.Lock()
	now, changed := s.index, s.changed
	s.mu.Unlock()
	if index == strconv.FormatUint(now, 10) {
		select {
		case <-changed:
		case <-time.After(time.Second):
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status, desired := "running", "run"
	if s.stopped() {
		status, desired = "complete", "stop"
	}
	list := make([]api.AllocationListStub, len(s.written))
	for i := range list {
		list[i] = api.AllocationListStub{
			ID: fmt.Sprintf("alloc-%d", i), JobID: "heron.nomad." + s.name, Name: fmt.Sprintf("heron.nomad.%s.container[%d]", s.name, i),
			ClientStatus: status, DesiredStatus: desired, CreateIndex: 20,
		}
	}
	w.Header().Set("X-Nomad-Index", strconv.FormatUint(s.index, 10))
	_ = json.NewEncoder(w).Encode(list)
}

func (s *logServer) read(w http.ResponseWriter, query url.Values, container int) {
	number := func(name string) int {
		n, _ := strconv.Atoi(query.Get(name))
		return n
	}
	s.mu.Lock()
	all := files(s.written[container])
	s.mu.Unlock()
	file, _ := strconv.Atoi(path.Ext(query.Get("path"))[1:])
	if file >= len(all) {
		http.Error(w, "no such file or directory", http.StatusNotFound)
		return
	}
	offset, limit := number("offset"), number("limit")
	first, last := all[file][0]+offset/lineBytes, all[file][1]
	var b bytes.Buffer
	for i := first; i <= last && b.Len() < limit+lineBytes; i++ {
		b.WriteString(line(container, i))
	}
	data := b.Bytes()[min(offset%lineBytes, b.Len()):]
	_, _ = w.Write(data[:min(limit, len(data))])
}

// follow measures logs --follow, and checks that every line is there once.
func follow(b *testing.B, p programs) row {
	b.Helper()
	s := &logServer{standing: newStanding(b, p, "", nil), name: "bench"}
	s.add(b, s.name, followedContainers)
	s.server.Config.Handler = s
	s.reset()
	o := order{}
	for i := range s.written {
		for file := range files(linesInAll) {
			for offset := 0; offset < linesPerFile*lineBytes; offset += 64 << 10 {
				o.Get = append(o.Get, fmt.Sprintf("%s/v1/client/fs/readat/alloc-%d?path=log.%d&offset=%d&limit=%d", s.server.URL, i, file, offset, 64<<10))
			}
		}
	}
	row := s.measure(b, fmt.Sprintf("logs -f %d", followedContainers), []string{"logs", "--follow", "nomad", s.name}, o)
	if row.ours.peak > followLimit {
		b.Errorf("logs --follow of %d containers takes %d MiB of memory, more than %d", followedContainers, row.ours.peak>>20, followLimit>>20)
	}
	cmd := exec.Command(p.heron, s.line("logs", "--follow", "nomad", s.name)...)
	cmd.Env = s.env
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	checkLines(b, out)
	return row
}

// checkLines checks that each container's lines are all there, once and in
// order.
func checkLines(b *testing.B, out []byte) {
	b.Helper()
	shown := regexp.MustCompile(`^\[(\d+) word_\d+\] .* container (\d+) line (\d+)\.+$`)
	last := map[string]int{}
	for text := range strings.Lines(string(out)) {
		m := shown.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if m == nil || m[1] != m[2] {
			b.Fatalf("line %q", text)
		}
		number, _ := strconv.Atoi(m[3])
		if number != last[m[1]]+1 {
			b.Fatalf("container %s: line %d follows %d", m[1], number, last[m[1]])
		}
		last[m[1]] = number
	}
	if len(last) != followedContainers+1 {
		b.Fatalf("%d containers", len(last))
	}
	for container, number := range last {
		if number != linesInAll {
			b.Errorf("container %s ends with line %d of %d", container, number, linesInAll)
		}
	}
}

// BenchmarkFollow prints the row of logs --follow alone.
func BenchmarkFollow(b *testing.B) {
	p := build(b)
	for b.Loop() {
		one := follow(b, p)
		b.StopTimer()
		print([]row{one})
		b.StartTimer()
	}
	b.ReportMetric(0, "ns/op")
}
