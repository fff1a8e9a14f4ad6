// Package heronpb holds the messages that Heron's processes, heron-tracker
// and every client exchange through the state store and the topology package.
//
// The .proto files beside this file are the source; "make proto" makes the
// Go code from them. Everything is proto2, and fields that this package does
// not know survive a decode and encode. It is not the place for rules about
// these messages: see internal/topology, internal/packing, internal/statemgr.
package heronpb
