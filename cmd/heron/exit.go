package main

import (
	"slices"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Exit codes. They tell the final state: with any code but exitLeft and
// exitWait, nothing of the command is left behind.
const (
	exitOK          = 0
	exitFailure     = 1
	exitInput       = 2
	exitDiffers     = 3
	exitNotFound    = 4
	exitExists      = 5
	exitUnreachable = 6
	exitUndone      = 7
	exitLeft        = 8
	exitWait        = 9
	exitInterrupted = 130
)

// exitStatus is what an exit code says.
type exitStatus struct {
	Code  int
	Kinds []outcome.Kind
	// Meaning is what it says, Left what is left then.
	Meaning, Left string
}

// exitCodes is the one table of them: the codes themselves, "heron help
// exit-codes" and docs/commands.md come from it.
func exitCodes() []exitStatus {
	return []exitStatus{
		{exitOK, nil, "done", "what was asked for"},
		{exitFailure, []outcome.Kind{outcome.Failed, outcome.Denied},
			"failed before anything was changed: the user's program failed, Nomad denied it for lack of a right, and what fits no other code", "no"},
		{exitInput, []outcome.Kind{outcome.Usage}, "usage, configuration or input", "no"},
		{exitDiffers, []outcome.Kind{outcome.Differs},
			"the topology is not in a state for the command; plan: it does not fit, or differs from what exists; status: neither healthy nor paused; doctor: something does not fit", "no"},
		{exitNotFound, []outcome.Kind{outcome.NotFound}, "not found", "no"},
		{exitExists, []outcome.Kind{outcome.Exists, outcome.Busy}, "exists already, or another command is at work on it", "no"},
		{exitUnreachable, []outcome.Kind{outcome.Unreachable}, "a server is unreachable, fails, or gave no answer in time", "no"},
		{exitUndone, []outcome.Kind{outcome.Undone}, "failed, and everything that was done is undone", "no"},
		{exitLeft, []outcome.Kind{outcome.LeftBehind}, "failed, and something could not be undone or is half done: the message names it and the command that removes or finishes it", "yes"},
		{exitWait, []outcome.Kind{outcome.WaitExpired},
			"what was asked for is done, but was not seen to take effect within the time of --wait or --wait-timeout", "the topology"},
		{exitInterrupted, []outcome.Kind{outcome.Interrupted}, "interrupted, and everything that was done is undone", "no"},
	}
}

// exitCode is the exit code that goes with an error.
func exitCode(err error) int {
	kind := outcome.KindOf(err)
	if kind == "" {
		return exitOK
	}
	for _, s := range exitCodes() {
		if slices.Contains(s.Kinds, kind) {
			return s.Code
		}
	}
	return exitFailure
}
