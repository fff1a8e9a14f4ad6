package uploadbench

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// sizeVariable is the size of the package in MiB, 1024 without.
	sizeVariable = "HERON_BENCH_MIB"
	rounds       = 5
	delay        = 20 * time.Millisecond
)

// way is how a package gets to a server: by ours and by a person's tool.
type way struct {
	// order is what our program gets, without the package.
	order order
	env   []string
	peer  func(o order) *exec.Cmd
	// store is the folder in which the server keeps what it gets.
	store string
}

// BenchmarkUpload reports, for each way, what passed in a second with ours and
// with the peer, the ratio of both, and our peak memory.
func BenchmarkUpload(b *testing.B) {
	file := newPackage(b)
	for _, w := range []struct {
		name string
		make func(b *testing.B, through func(addr string) string) way
	}{{"http", httpWay}, {"s3", s3Way}, {"scp", scpWay}} {
		b.Run(w.name+"/loopback", func(b *testing.B) {
			compare(b, w.make(b, func(addr string) string { return addr }), file)
		})
		b.Run(w.name+"/delay="+delay.String(), func(b *testing.B) {
			compare(b, w.make(b, func(addr string) string { return delayed(b, addr, delay) }), file)
		})
	}
}

// newPackage writes a file of pseudo-random bytes into memory, where there is
// a file system for that.
func newPackage(b *testing.B) order {
	b.Helper()
	mib, err := strconv.Atoi(os.Getenv(sizeVariable))
	if err != nil {
		mib = 1024
	}
	f, err := os.Create(filepath.Join(folder(b), "package.tar.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	digest := sha256.New()
	size, err := io.CopyN(io.MultiWriter(f, digest), rand.NewChaCha8([32]byte{}), int64(mib)<<20)
	if err != nil {
		b.Fatal(err)
	}
	return order{File: f.Name(), Size: size, SHA256: hex.EncodeToString(digest.Sum(nil))}
}

// folder is a new folder, in memory where that can be had: a disk would be
// what is measured.
func folder(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "heron-bench")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	return dir
}

// compare uploads by turns and reports the medians.
func compare(b *testing.B, w way, file order) {
	o := w.order
	o.File, o.Size, o.SHA256 = file.File, file.Size, file.SHA256
	var ours, peers []float64
	var memory int64
	for range b.N {
		for round := range rounds {
			o.Name = fmt.Sprintf("local/role/test/bench/%d/%s.tar.gz", round, o.SHA256)
			speed, peak := w.measure(b, oursCommand(b, o), o)
			ours, memory = append(ours, speed), max(memory, peak)
			speed, _ = w.measure(b, w.peer(o), o)
			peers = append(peers, speed)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ours), "MB/s")
	b.ReportMetric(median(peers), "peer-MB/s")
	b.ReportMetric(median(ours)/median(peers), "ratio")
	b.ReportMetric(float64(memory)/(1<<20), "peak-MiB")
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func oursCommand(b *testing.B, o order) *exec.Cmd {
	return clientCommand(b, "heron", o)
}

// clientCommand is this program as a client.
func clientCommand(b *testing.B, client string, o order) *exec.Cmd {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), clientVariable+"="+client)
	cmd.Stdin = bytes.NewReader(text)
	return cmd
}

// measure runs one upload. It returns megabytes per second and the most
// memory in bytes, and empties the server's store.
func (w way) measure(b *testing.B, cmd *exec.Cmd, o order) (speed float64, peak int64) {
	b.Helper()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, w.env...)
	begin := time.Now()
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	took := time.Since(begin)
	if err != nil {
		b.Fatalf("%s: %v\n%s", cmd, err, errOut.String())
	}
	// A peer does not tell.
	kib, _ := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if got := w.empty(b); got < o.Size {
		b.Fatalf("%s: the server has %d bytes of %d", cmd, got, o.Size)
	}
	return float64(o.Size) / 1e6 / took.Seconds(), kib << 10
}

// empty removes all files in the store and returns how large they were.
func (w way) empty(b *testing.B) (size int64) {
	b.Helper()
	err := filepath.WalkDir(w.store, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		return os.Remove(path)
	})
	if err != nil {
		b.Fatal(err)
	}
	return size
}
