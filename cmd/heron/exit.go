package main

import "github.com/heron-nomad/heron/internal/outcome"

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

// exitCode is the exit code that goes with an error.
func exitCode(err error) int {
	switch outcome.KindOf(err) {
	case "":
		return exitOK
	case outcome.Usage:
		return exitInput
	case outcome.Differs:
		return exitDiffers
	case outcome.NotFound:
		return exitNotFound
	case outcome.Exists, outcome.Busy:
		return exitExists
	case outcome.Unreachable:
		return exitUnreachable
	case outcome.Undone:
		return exitUndone
	case outcome.LeftBehind:
		return exitLeft
	case outcome.WaitExpired:
		return exitWait
	case outcome.Interrupted:
		return exitInterrupted
	}
	return exitFailure
}
