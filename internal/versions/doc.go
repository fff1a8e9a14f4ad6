// Package versions holds the use cases that put another version of a topology in
// the place of the one that runs: replace it by what a program defines now, roll
// back to an earlier version, and list the versions.
//
// All of them do the same change: they store or find the package, stop the job,
// wait until its containers have ended, write the state in one transaction,
// register the job of the new version, and wait until it runs. So no executor of
// the old version is ever beside one of the new, and the job's count and its spec
// never change while containers run. The old version stays in the history,
// with its package. Where the new one does not become good, the way back is the
// same in reverse, from our own records alone.
package versions
