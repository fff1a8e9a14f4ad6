// Package submit holds the use cases of submission: submit a topology, preview
// what that would do, show what it would write.
//
// Each runs the user's program, looks at what there is, decides what to write
// as a pure function of both (a Manifest), and then carries that out step by
// step. The package knows nothing of command lines or HTTP: it sends events to
// the cluster's sink and returns results and errors that are data.
package submit
