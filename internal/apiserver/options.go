package apiserver

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
)

// Options are what a server needs. Every field without "may be" is required.
type Options struct {
	// Base is the configuration before a request adds its own: cluster, home,
	// folders, and what -D gave as Properties.
	Base conf.Options
	// Client is the version of this program.
	Client string
	// Store keeps packages.
	Store *files.Store
	// Core is the path of heron-core.tar.gz; it may be "".
	Core string
	// PublicURL is the address that clients and nodes have for the server, with
	// a path where a proxy adds one; it may be "". DownloadHost is a host name by
	// which nodes reach it; it may be "".
	PublicURL, DownloadHost string
	// Auth says who may do what; nil lets everybody do everything.
	Auth *auth.Checker
	// TLS may be nil.
	TLS *tls.Config
	// Overrides are the configuration keys that clients may set, as patterns.
	Overrides []string
	Limits    Limits
	Log       *slog.Logger
	Now       func() time.Time
	// Connect opens a cluster's servers; nil for the real ones.
	Connect func(context.Context, *conf.Settings, cluster.Options) (*Link, error)
}

// Limits bound what clients can make the server do.
type Limits struct {
	// Upload is the largest package or topology file, in bytes.
	Upload int64
	// Operations run at the same time; as many times eight may wait.
	Operations int
	// Uploads and Requests run at the same time.
	Uploads, Requests int
	// Rate is how many requests one address may send in a second; 0 is no
	// limit.
	Rate int
	// Stall is how long a client may take to send or read the next piece.
	Stall time.Duration
	// Drain is how long running operations may take once the server is told to
	// end.
	Drain time.Duration
	// Keep is how long the result of an operation can be asked for.
	Keep time.Duration
	// UploadExpiry is how long a package stays that a client uploaded itself and
	// nothing uses; 0 keeps it for ever.
	UploadExpiry time.Duration
}

// DefaultLimits are those of a server that was told nothing.
func DefaultLimits() Limits {
	return Limits{
		Upload: 4 << 30, Operations: 16, Uploads: 128, Requests: 1024, Rate: 1000,
		Stall: 30 * time.Second, Drain: time.Minute, Keep: time.Hour,
		UploadExpiry: 30 * 24 * time.Hour,
	}
}

// DefaultOverrides are the keys that clients may set unless the operator says
// otherwise: sizes, times and numbers of their own topologies. No class, no
// address, no path, no image and nothing that gives rights is among them.
func DefaultOverrides() []string {
	return []string{
		"heron.resources.instance.*",
		"heron.nomad.core.freq.mapping",
		"heron.nomad.disk",
		"heron.nomad.kill.timeout",
		"heron.nomad.shutdown.delay",
		"heron.nomad.disconnect.stop",
		"heron.nomad.memory.max.percent",
		"heron.nomad.metrics.service.register",
		"heron.nomad.metrics.service.check.*",
		"heron.nomad.metrics.service.additional.tags",
		"heron.nomad.restart.*",
		"heron.nomad.reschedule.*",
		"heron.nomad.update.*",
		"heron.nomad.logs.*",
		"heron.nomad.stop.timeout",
		"heron.config.verbose_gc",
		"heron.logging.maximum.size.mb",
		"heron.logging.maximum.files",
		"heron.logging.prune.interval.sec",
		"heron.logging.flush.interval.sec",
		"heron.logging.err.threshold",
		"heron.streammgr.*",
		"heron.instance.*",
		"heron.tmanager.*",
		"heron.metricsmgr.network.*",
	}
}
