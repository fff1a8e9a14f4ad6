package uploadertest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
)

// memoryBound is what an upload may take of memory, whatever its size, with
// a server in the same process.
const memoryBound = 160 << 20

// streamer is a place that need not hold what it fetches in memory.
type streamer interface {
	FetchTo(t *testing.T, fetch string, w io.Writer)
}

// largeCases upload 1 GiB in long runs, and enough to see that memory does not
// grow with it in others.
func largeCases(t *testing.T, newPlace func(*testing.T) Place) {
	size := int64(testenv.Times(64<<20, 1<<30))
	p := newPlace(t)
	// All layers are on: they see every byte.
	log := new(ProgressLog)
	u := uploader.Decorate(p.Uploader(t), conf.Upload{Retries: 1, StallTimeout: time.Minute, RateLimit: 1 << 40}, uploader.Options{Progress: log.Add})
	src := Streamed(Folder, size)
	peak := watchMemory(t)
	start := time.Now()
	where, err := u.Upload(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	took, most := time.Since(start), peak()
	t.Logf("%d MiB in %s, with %d MiB of memory more", size>>20, took.Round(time.Millisecond), most>>20)
	if most > memoryBound {
		t.Errorf("it took %d MiB of memory more, at most %d MiB are allowed", most>>20, memoryBound>>20)
	}
	log.Check(t, size)
	digest := sha256.New()
	if s, ok := p.(*watchedPlace).Place.(streamer); ok {
		s.FetchTo(t, where.Fetch, digest)
	} else {
		digest.Write(p.Fetch(t, where.Fetch))
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != src.SHA256 {
		t.Error("what a node fetches is something else")
	}
	DeleteTwice(t, u, where.URI)
	if u.Capabilities().Delete {
		MustBeEmpty(t, p, "the delete")
	}
}

// watchMemory measures what this process takes of memory more from now on, at
// its peak, until it is asked.
func watchMemory(t *testing.T) (peak func() int64) {
	t.Helper()
	used := func() int64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64() + sample[1].Value.Uint64())
	}
	before, result, stop := used(), make(chan int64), make(chan struct{})
	go func() {
		most := int64(0)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, used()-before)
			select {
			case <-tick.C:
			case <-stop:
				result <- most
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-result
	}
}
