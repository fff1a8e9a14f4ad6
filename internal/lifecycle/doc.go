// Package lifecycle holds the use cases on topologies that exist: kill one, and
// collect the packages that none uses.
//
// Each looks at what there is, decides its steps from that, and has package
// operation carry them out. The package knows nothing of command lines or
// HTTP. What makes new topologies is in package submit.
package lifecycle
