package uploader

import (
	"context"
	"sync"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// The steps of an uploader, as events name them.
const (
	stepCheck  = "check"
	stepUpload = "upload"
	stepRemove = "remove"
	stepList   = "list"
)

// pkg is a package as events and errors name it: by its URI, or by its name.
func pkg(id string) outcome.Resource { return outcome.Resource{Kind: outcome.Package, ID: id} }

// metered reports how far uploads are.
type metered struct {
	Uploader
	// mu is held while an event is sent.
	mu   sync.Mutex
	sink progress.Sink
}

// Upload implements Uploader. An upload that reads nothing, because the
// package is there, sends no events.
func (m *metered) Upload(ctx context.Context, src Source) (Location, error) {
	e := progress.Event{State: progress.Advanced, Step: stepUpload, What: pkg(src.Name), Total: src.Size, Unit: "bytes"}
	var (
		sent   coverage
		opened bool
	)
	// Events come in the order in which the size grows.
	say := func(change func() bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if change() {
			m.sink.Send(e)
		}
	}
	watched := tapped(src, func(off, n int64) {
		say(func() bool {
			total, more := sent.add(off, n, src.Size)
			e.Done = total
			return more && e.State != progress.Ended
		})
	}, nil)
	open := watched.Open
	watched.Open = func() (Content, error) {
		c, err := open()
		say(func() bool {
			first := !opened && err == nil
			opened = opened || err == nil
			return first
		})
		return c, err
	}
	where, err := m.Uploader.Upload(ctx, watched)
	say(func() bool {
		e.State, e.Err = progress.Ended, err
		if err == nil {
			e.Done = src.Size
		}
		return opened
	})
	return where, err
}
