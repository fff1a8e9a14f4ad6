// Package topology knows what a topology is before it runs: the user's
// program that defines it, the definition that the program writes, the rules
// a definition must keep, and the package that containers fetch.
//
// It runs the user's program and writes temporary files; it talks
// to no server. Of Nomad and Consul it knows only what they take for a name.
package topology
