// Package cluster is where use cases act: a cluster's servers as one value
// (Cluster), and everything that is known about one topology, read once
// (Topology).
//
// It decides nothing and changes nothing on its own.
package cluster
