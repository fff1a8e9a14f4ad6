package packing

import "fmt"

// Stage is where in packing an error arose.
type Stage string

// The stages, in their order.
const (
	StageChoose     Stage = "choose"
	StageInitialize Stage = "initialize"
	StagePack       Stage = "pack"
)

// Error says why there is no plan. It is always the definition's or the
// configuration's to mend.
type Error struct {
	Stage Stage
	// Statement is what is wrong. Where the original refuses too it is the
	// original's wording to the letter, spelling included: that is what people
	// search for and scripts match.
	Statement string
	// Hint is what to change, "" where the statement says it.
	Hint string
	// Err is the cause, if there is one.
	Err error
}

// Error is the statement, its cause and the hint.
func (e *Error) Error() string {
	text := e.Statement
	if e.Err != nil {
		if text != "" {
			text += ": "
		}
		text += e.Err.Error()
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap is the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is that of bad input.
func (e *Error) ExitCode() int { return 2 }

// refuse makes an error of the pack stage.
func refuse(hint, statement string, args ...any) error {
	return &Error{Stage: StagePack, Statement: fmt.Sprintf(statement, args...), Hint: hint}
}

// unreadable makes an error of a stage about something that is no number, or
// one that cannot be.
func unreadable(stage Stage, err error) error {
	return &Error{Stage: stage, Err: err}
}
