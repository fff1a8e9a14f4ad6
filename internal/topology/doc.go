// Package topology knows what a topology is before it runs: the user's
// program that defines it, the definition that the program writes, the rules
// a definition must keep, and the package that containers fetch.
//
// It runs the user's program and writes temporary files; it knows nothing of
// clusters, state or Nomad.
package topology
