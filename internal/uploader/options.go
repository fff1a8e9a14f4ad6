package uploader

import (
	"context"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/progress"
)

// Node is a client node of the Nomad cluster.
type Node struct {
	ID, Name string
	// Address is how other machines reach it: an IP address or a host name.
	Address string
	// Eligible nodes are up and take new containers.
	Eligible bool
}

// Options are what an uploader needs besides its settings.
type Options struct {
	// Home is the user's home folder, where SSH keeps its files; Getenv reads
	// an environment variable. nil is an empty environment.
	Home   string
	Getenv func(string) string
	// Nodes lists the nodes of the cluster that fetch packages; nil where
	// Nomad is not to be asked.
	Nodes func(ctx context.Context) ([]Node, error)
	// Progress gets the events of the steps "check", "upload", "remove" and
	// "list". An upload that reads its package is Advanced, in bytes, and
	// Ended, with Err where it failed; the package is named. A further attempt
	// follows a Retrying and counts from zero again.
	Progress progress.Sink
}

// Factory makes an uploader for settings. Package all has the usual one.
type Factory func(settings conf.Upload, opts Options) (Uploader, error)
