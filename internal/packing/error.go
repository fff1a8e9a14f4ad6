package packing

import (
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Stage is where in packing an error arose.
type Stage string

// The stages, in their order.
const (
	StageChoose     Stage = "choose"
	StageInitialize Stage = "initialize"
	StagePack       Stage = "pack"
	// StageRequest is reading what a user asks a plan to become.
	StageRequest Stage = "request"
	StageRepack  Stage = "repack"
)

// Classes of an Error, for errors.Is.
var (
	// ErrExceeded says that a container cannot hold what it has to.
	ErrExceeded = errors.New("resource exceeded")
	// ErrMinimum says that an instance would have too little.
	ErrMinimum = errors.New("minimum not met")
	// ErrUnsupported says that the algorithm cannot do this at all.
	ErrUnsupported = errors.New("unsupported operation")
	// ErrUnchanged says that the plan is what is asked for already.
	ErrUnchanged = errors.New("nothing to change")
	// ErrComponent says that the plan has no such component.
	ErrComponent = errors.New("unknown component")
	// ErrParallelism says that a component cannot have that many instances.
	ErrParallelism = errors.New("impossible parallelism")
	// ErrContainers says that there cannot be that many containers.
	ErrContainers = errors.New("impossible number of containers")
)

// Error says why there is no plan. It is always the definition's or the
// configuration's to mend.
type Error struct {
	Stage Stage
	// Class is one of the Err variables, nil where nobody has to know.
	Class error
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

// Is says whether target is the error's class.
func (e *Error) Is(target error) bool { return e.Class != nil && target == e.Class }

// Unwrap is the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *Error) Kind() outcome.Kind { return outcome.Usage }

// refuse makes an error of the pack stage. A kind may be nil.
func refuse(kind error, hint, statement string, args ...any) error {
	return &Error{Stage: StagePack, Class: kind, Statement: fmt.Sprintf(statement, args...), Hint: hint}
}

// whileRepacking makes an error of the pack stage one of the repack stage.
func whileRepacking(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Stage != StagePack {
		return err
	}
	moved := *e
	moved.Stage = StageRepack
	return &moved
}

// unreadable makes an error of a stage about something that is no number, or
// one that cannot be.
func unreadable(stage Stage, err error) error {
	return &Error{Stage: stage, Err: err}
}
