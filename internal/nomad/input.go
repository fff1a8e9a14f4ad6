package nomad

import "fmt"

// InputError says that no job can be made of what was given: a value of the
// configuration or of the topology is at fault, and nothing was sent.
type InputError struct {
	// What is the value at fault, Reason what is wrong with it and what would
	// be right.
	What, Reason string
}

func (e *InputError) Error() string { return e.What + " " + e.Reason }

// ExitCode is that of bad input.
func (e *InputError) ExitCode() int { return 2 }

func badInput(what, format string, args ...any) error {
	return &InputError{What: what, Reason: fmt.Sprintf(format, args...)}
}
