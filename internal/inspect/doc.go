// Package inspect says how topologies are: one in detail, or all of a cluster
// in a line each. It only reads, and takes no claim. How things are put right
// is decided elsewhere.
//
// What was read becomes a plain value first; pure rules then find one health
// word for it.
package inspect
