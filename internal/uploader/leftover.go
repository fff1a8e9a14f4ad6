package uploader

import "fmt"

// LeftoverError is an upload that failed and of which something is left, or
// may be, that could not be removed. Without fixed names it is not tried
// again: that would leave one more.
type LeftoverError struct {
	// What is left and where, Why it could not be removed.
	What, Why string
	// Err is why the upload failed.
	Err error
}

// Error says why the upload failed and what is left.
func (e *LeftoverError) Error() string {
	return fmt.Sprintf("%v; left behind: %s (%s)", e.Err, e.What, e.Why)
}

// Unwrap is why the upload failed.
func (e *LeftoverError) Unwrap() error { return e.Err }
