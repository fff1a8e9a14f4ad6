package logs

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// Folders of a container's working directory. The start script keeps the logs
// of the run before in the second.
const (
	logFolder      = "log-files"
	previousFolder = "log-files.previous"
)

// Names of log files.
var (
	// Java's and Python's rotation: x.log.0 is written, x.log.1 and x.log.0.1
	// were before.
	rotatedName = lazyregexp.New(`^(.+)\.log(?:\.(\d+))?(?:\.(\d+))?$`)
	// glog's, with host, user, time and process: a file per process and size.
	glogName = lazyregexp.New(`^([^.]+)\..+\.log\.INFO\.(\d{8}-\d{6}\.\d+)$`)
	// glog's link to the file that is written.
	glogLink = lazyregexp.New(`^([^.]+)\.INFO$`)
	// The executor's, in the working directory itself.
	executorName = lazyregexp.New(`^heron-executor-\d+\.(?:stdout|stderr)$`)
	// The logs of an instance begin with its id.
	instanceName = lazyregexp.New(`^container_(\d+)_(.+)_(\d+)$`)
)

// entry is a file of a log.
type entry struct {
	// path is below the folder; age is smaller for a newer file.
	path string
	age  age
	size int64
	mod  time.Time // zero where it is not known
}

// age orders the files of a log: by folder, by rank, and the later stamp first.
type age struct {
	previous bool
	rank     int
	stamp    string
}

func compareAges(a, b age) int {
	if a.previous != b.previous {
		if a.previous {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(a.rank, b.rank), -cmp.Compare(a.stamp, b.stamp))
}

// parseName says which log of the engine a file is of, "" for none.
func parseName(name string) (log string, a age, link bool) {
	if strings.HasPrefix(name, "gc.") {
		return "", age{}, false
	}
	if executorName.MatchString(name) {
		return name, age{}, false
	}
	if m := glogName.FindStringSubmatch(name); m != nil {
		return m[1], age{stamp: m[2]}, false
	}
	if m := glogLink.FindStringSubmatch(name); m != nil {
		return m[1], age{}, true
	}
	m := rotatedName.FindStringSubmatch(name)
	if m == nil {
		return "", age{}, false
	}
	number := m[2]
	if m[3] != "" {
		number = m[3]
	}
	rank, err := strconv.Atoi(cmp.Or(number, "0"))
	if err != nil {
		return "", age{}, false
	}
	return m[1], age{rank: rank}, false
}

// isShellLog says that heron-shell writes a log.
func isShellLog(log string) bool { return strings.HasPrefix(log, "heron-shell") }

// component is the component in the name of a log, "" where it is not an
// instance's.
func component(log string) string {
	if m := instanceName.FindStringSubmatch(log); m != nil {
		return m[2]
	}
	return ""
}

// label names a log beside its container's index.
func label(log string) string {
	if m := instanceName.FindStringSubmatch(log); m != nil {
		return m[2] + "_" + m[3]
	}
	return log
}

// file is an entry of a folder.
type file struct {
	name  string
	size  int64
	mod   time.Time
	isDir bool
	// isLink: size and mod are the link's own and say nothing about the file.
	isLink bool
}

// engineLogs sorts the files of a log folder by log.
func engineLogs(into map[string][]entry, folder string, files []file) {
	previous := folder == previousFolder
	dated := map[string]bool{}
	for _, f := range files {
		if log, a, link := parseName(f.name); log != "" && !link && a.stamp != "" {
			dated[log] = true
		}
	}
	for _, f := range files {
		log, a, link := parseName(f.name)
		if f.isDir || f.isLink || log == "" || link && dated[log] || folder == "." && log != f.name {
			continue
		}
		a.previous = previous
		into[log] = append(into[log], entry{path: path.Join(folder, f.name), age: a, size: f.size, mod: f.mod})
	}
}

// streamLogs sorts the files that Nomad keeps of what a task writes to a stream.
func streamLogs(into map[string][]entry, folder, task, stream string, files []file) {
	for _, f := range files {
		number, ok := strings.CutPrefix(f.name, task+"."+stream+".")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || f.isDir {
			continue
		}
		into[stream] = append(into[stream], entry{path: folder + "/" + f.name, age: age{rank: -n}, size: f.size, mod: f.mod})
	}
}

// newestFirst sorts the files of each log.
func newestFirst(byLog map[string][]entry) {
	for _, entries := range byLog {
		slices.SortFunc(entries, func(a, b entry) int { return compareAges(a.age, b.age) })
	}
}
