// Package nomad makes Nomad jobs of topologies and talks to Nomad about
// them.
//
// Building a job, and expanding it for one container, is pure. The client is
// thin: it registers, reads, watches and stops, and leaves what to do next to
// its callers.
package nomad

import (
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/topology"
)

// Spec is all that a topology's job is made from.
type Spec struct {
	Settings   *conf.Settings
	Definition *topology.Definition
	// Plan is the plan as stored, homogeneous.
	Plan *packing.Plan
	// DefinitionFile and BinaryFile are base names in the package; PackageType
	// is jar, tar, pex, so or dylib.
	DefinitionFile, BinaryFile, PackageType string
	// PackageURI is where containers fetch the package, PackageSHA256 its
	// digest in hex.
	PackageURI, PackageSHA256 string
	// Script is the text of the start script (raw_exec).
	Script string
}
