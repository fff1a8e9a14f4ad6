package scp

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/pkg/sftp"
	"golang.org/x/time/rate"

	"github.com/heron-nomad/heron/internal/uploader"
)

const (
	// inFlight is how much has been read and not yet been taken by all hosts,
	// in bytes. It is what an upload needs of memory, whatever the number of
	// hosts, and fills a line of 100 MB/s with 80 ms of delay.
	inFlight = 8 << 20
	// channels are used of each connection: the window of one is too small
	// for a line with delay.
	channels = 4
	// maxBlocks are the most blocks that are under way at a time.
	maxBlocks = 256
	// manyFrom is the size from which on they are worth their opening.
	manyFrom = 8 << 20
)

// block is a piece of the package that goes to several hosts.
type block struct {
	data []byte
	off  int64
	// waiting counts the hosts that have not taken it.
	waiting atomic.Int32
}

// send reads the package once and writes it into the temporary files of all
// hosts. The slowest one sets the pace. On an error cancel ends connections,
// and with them all writes.
func (s *Uploader) send(ctx context.Context, cancel context.CancelFunc, copies []*replica, src uploader.Source) error {
	content, err := src.Open()
	if err != nil {
		return fmt.Errorf("open the package: %w", err)
	}
	defer content.Close()
	size := opensshPacket
	for _, c := range copies {
		size = min(size, c.session.packet)
	}
	pace, size := s.pace(len(copies), size)
	if src.Size >= manyFrom {
		var channels sync.WaitGroup
		for _, c := range copies {
			channels.Go(c.addChannels)
		}
		channels.Wait()
	}
	count := min(inFlight/size, maxBlocks)
	free := make(chan *block, count)
	for range count {
		free <- &block{data: make([]byte, size)}
	}
	var (
		writers sync.WaitGroup
		once    sync.Once
		failure error
	)
	fail := func(err error) {
		once.Do(func() { failure = err })
		cancel()
	}
	verifying := make([]*verification, len(copies))
	queues := make([]chan *block, len(copies))
	for i, c := range copies {
		queues[i] = make(chan *block, count)
		v := c.session.startDigest(ctx, c.part, src.Size)
		verifying[i] = v
		for n := range count {
			f := c.open[n%len(c.open)]
			writers.Go(func() {
				for b := range queues[i] {
					if ctx.Err() == nil {
						if _, err := f.WriteAt(b.data, b.off); err != nil {
							fail(c.session.failed(ctx, "write to", c.part, err))
						} else {
							v.taken(b.off, len(b.data))
						}
					}
					if b.waiting.Add(-1) == 0 {
						free <- b
					}
				}
			})
		}
	}
	err = readBlocks(ctx, content, src, size, free, func(b *block) error {
		if pace != nil {
			if err := pace.WaitN(ctx, len(b.data)); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				// It also fails at once where the deadline would come first.
				return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
			}
		}
		b.waiting.Store(int32(len(queues)))
		for _, q := range queues {
			q <- b
		}
		return nil
	})
	if err != nil {
		fail(err)
	}
	for _, q := range queues {
		close(q)
	}
	writers.Wait()
	for i, c := range copies {
		c.sum = verifying[i].end
	}
	if failure == nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return failure
}

// pace is how fast the package is read for several hosts: the limit is for all
// that is sent, and what is read once is sent to each. nil is as fast as can
// be. Blocks of a slow line are small, so that they are no stall.
func (s *Uploader) pace(hosts, size int) (*rate.Limiter, int) {
	limit := s.settings.RateLimit / int64(hosts)
	if s.settings.RateLimit <= 0 || hosts == 1 {
		return nil, size
	}
	for size > 512 && int64(size) > limit/10 {
		size /= 2
	}
	return rate.NewLimiter(rate.Limit(max(limit, 1)), size), size
}

// readBlocks hands the content on in order, and checks its size and digest.
func readBlocks(ctx context.Context, content io.Reader, src uploader.Source, size int, free <-chan *block, emit func(*block) error) error {
	digest := sha256.New()
	var off int64
	for off < src.Size {
		var b *block
		select {
		case b = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		b.data, b.off = b.data[:min(int64(size), src.Size-off)], off
		n, err := io.ReadFull(uploader.ContextReader{Context: ctx, Reader: content}, b.data)
		off += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return src.Short(off)
		}
		if err != nil {
			return fmt.Errorf("read the package: %w", err)
		}
		digest.Write(b.data)
		if err := emit(b); err != nil {
			return err
		}
	}
	return src.Verify(uploader.ContextReader{Context: ctx, Reader: content}, uploader.Hex(digest))
}

// addChannels opens the temporary file on more channels, as many as the host
// allows.
func (c *replica) addChannels() {
	var all sync.WaitGroup
	more := make([]*sftp.File, channels-1)
	for i := range more {
		all.Go(func() {
			channel, err := c.session.channel()
			if err != nil {
				return
			}
			if more[i], err = channel.OpenFile(c.part, os.O_WRONLY); err != nil {
				more[i] = nil
				_ = channel.Close()
			}
		})
	}
	all.Wait()
	for _, f := range more {
		if f != nil {
			c.open = append(c.open, f)
		}
	}
}
