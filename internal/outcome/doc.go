// Package outcome is the vocabulary for how things end: the kinds of failure,
// the things that a command makes, removes or leaves behind, and the remedy
// for what went wrong.
//
// It holds data and no words for a particular audience: the command line turns
// kinds into exit codes and remedies into command lines, a server turns them
// into HTTP statuses and bodies.
package outcome
