// Package submit holds the use cases: submit a topology, kill one, show what
// a submission would write.
//
// Each first decides, as a pure function of what it was given, what is to be
// written where (a Deployment), and then carries that out step by step, each
// step with its undo. It knows nothing of command lines or HTTP; it reports
// progress to whoever called it and returns errors that carry an exit code.
package submit
