// Package update changes topologies that run: how many instances their
// components have, in how many containers, and their runtime configuration.
//
// It looks, decides from what is there what has to become of it, and carries
// that out in steps under one claim and the lock of the original's client. Every
// step goes by what is there, so that the same command finishes what one that
// died had begun.
package update
