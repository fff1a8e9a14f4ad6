// Package packing decides which instance of a topology runs in which
// container, and how much CPU, RAM and disk each gets.
//
// It is pure: a definition and settings in, a plan out, nothing read and
// nothing written. Every algorithm gives the very plan that the original's
// class of the same name gives, down to the order of ties, so that a topology
// put up by another client can be updated without moving instances.
package packing

import (
	"github.com/heron-nomad/heron/internal/topology"
)

// Algorithm packs a definition. Its errors say what in the definition or the
// settings to change.
type Algorithm interface {
	// Pack makes a plan from nothing.
	Pack(def *topology.Definition) (*Plan, error)
}
