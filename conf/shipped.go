// Package shipped holds the configuration that comes with the program, so
// that the binary alone can install it.
package shipped

import "embed"

// Files has one folder per cluster, as conf/ of an installation has.
//
//go:embed nomad
var Files embed.FS
