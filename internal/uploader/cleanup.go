package uploader

import (
	"context"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

// cleanupLimit is how long a failed upload may take to remove its parts.
const cleanupLimit = 20 * time.Second

// Cleanup is for uploaders: a context for what is done after a failure, when
// ctx may have ended. It lasts for the stall timeout of the settings, if there
// is one, and at most 20 seconds.
func Cleanup(ctx context.Context, settings conf.Upload) (context.Context, context.CancelFunc) {
	limit := cleanupLimit
	if settings.StallTimeout > 0 {
		limit = min(limit, settings.StallTimeout)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
