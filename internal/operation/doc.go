// Package operation is the ground under every command that changes a topology:
// the claim, by which one operation at a time acts on a topology and a dead
// one is found by the next, and the runner, which carries out a list of steps
// and undoes them when one fails.
//
// It knows neither what the steps do nor why: the use cases decide that.
package operation
