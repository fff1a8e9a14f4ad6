// Package logs reads and follows the logs of a topology's containers: through
// Nomad where a container's working directory lies in its task's folder, else
// through the container's heron-shell.
//
// A log is followed by position: where in which file, and what stands before
// that place. So it does not matter whether the file was rotated, replaced or
// moved in between, and no line is shown twice.
package logs
