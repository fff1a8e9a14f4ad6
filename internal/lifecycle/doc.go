// Package lifecycle holds the use cases on topologies that exist: activate,
// deactivate, restart and kill one, and collect the packages that none uses.
//
// Each looks at what there is, decides its steps from that, and carries them
// out under a claim of package operation. The package knows nothing of command lines or
// HTTP. What makes new topologies is in package submit.
package lifecycle
