// Package jobspec makes the Nomad job of a topology, and tells what each of its
// containers gets. It also knows the marks by which a job is recognized as
// ours.
//
// Everything here is pure: nothing is read from or sent to a server. Package
// nomad does that.
package jobspec

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
	// PackageURI tells the package from others, PackageSHA256 is its digest in
	// hex.
	PackageURI, PackageSHA256 string
	// PackageFetch is the URI by which containers get it; "" is PackageURI. It
	// may let its holder in.
	PackageFetch string
	// PackageNodes are the ids of the nodes that have it, none for all.
	PackageNodes []string
	// Script is the text of the start script (raw_exec).
	Script string

	// command, unless nil, is the executor's command line in place of that which
	// follows from the rest.
	command []string
}
