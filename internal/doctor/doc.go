// Package doctor finds what is wrong with a cluster and its topologies: servers
// that cannot be reached, rights that a token lacks, parts of topologies that
// do not fit together. It changes nothing, and names the command that repairs.
//
// Each check is independent of the others: one that fails, or takes long, hides
// no other. What is found about a topology is computed by pure functions from
// what was read of it.
package doctor
