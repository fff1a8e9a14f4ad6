package uploadertest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/heron-nomad/heron/internal/progress"
)

// OnRetry calls a function for each retry.
func OnRetry(do func()) progress.Sink {
	return func(e progress.Event) {
		if e.State == progress.Retrying {
			do()
		}
	}
}

// ProgressLog keeps what an upload said of how far it is.
type ProgressLog struct {
	mu  sync.Mutex
	all []progress.Event
}

// Add is a progress.Sink.
func (l *ProgressLog) Add(e progress.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.State == progress.Advanced || e.State == progress.Ended {
		l.all = append(l.all, e)
	}
}

// Take returns what was kept, and forgets it.
func (l *ProgressLog) Take() []progress.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// Check demands that an upload in one go counted every byte once. It returns
// the events.
func (l *ProgressLog) Check(t *testing.T, size int64) []progress.Event {
	t.Helper()
	all := l.Take()
	if len(all) < 4 {
		t.Fatalf("progress is %+v", all)
	}
	problem := ""
	for i, e := range all {
		last := i == len(all)-1
		switch {
		case e.Step != "upload" || e.Unit != "bytes" || e.What.ID == "", e.Err != nil,
			e.Total != size, e.Done > size, (e.State == progress.Ended) != last, last && e.Done != size:
			problem = fmt.Sprintf("number %d of %d is %+v", i, len(all), e)
		case i > 0 && e.Done < all[i-1].Done:
			problem = fmt.Sprintf("it goes from %+v back to %+v", all[i-1], e)
		}
	}
	if problem != "" {
		t.Error(problem)
	}
	return all
}
