package uploader

import (
	"context"
	"sync"
)

// metered tells how far uploads are.
type metered struct {
	Uploader
	// mu is held while tell runs.
	mu   sync.Mutex
	tell func(Progress)
}

// Upload implements Uploader. Nothing is told of an upload that reads
// nothing, for the package is there.
func (m *metered) Upload(ctx context.Context, src Source) (Location, error) {
	p := Progress{Name: src.Name, Size: src.Size}
	var (
		sent   coverage
		opened bool
	)
	// Sizes are told in the order in which they grow.
	say := func(change func() bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if change() {
			m.tell(p)
		}
	}
	watched := tapped(src, func(off, n int64) {
		say(func() bool {
			total, more := sent.add(off, n, src.Size)
			p.Done = total
			return more && !p.Ended
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
		p.Ended = true
		if err == nil {
			p.Done = src.Size
		}
		return opened
	})
	return where, err
}
