package uploader

import (
	"context"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

func TestCleanupOutlivesItsContextForAWhile(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	for stall, want := range map[time.Duration]time.Duration{0: cleanupLimit, time.Second: time.Second, time.Hour: cleanupLimit} {
		ctx, cancel := Cleanup(ended, conf.Upload{StallTimeout: stall})
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); ctx.Err() != nil || !ok || left > want || left < want/2 {
			t.Errorf("stall timeout %s: %v, %s left; want %s", stall, ctx.Err(), left, want)
		}
		cancel()
	}
}
