//go:build !linux

package testenv

import "syscall"

// childAttr puts a server into a process group of its own, so that Ctrl-C on
// the terminal reaches the one who stops it and not the server. Without a
// death signal a server outlives a test that is killed.
func childAttr(syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// Processes finds nothing here: there is no /proc to look in.
func Processes(string) ([]int, error) { return nil, nil }

// killBelow relies on the server having stopped what it ran.
func killBelow(string) error { return nil }

// unmountBelow has nothing to do: Nomad mounts nothing here.
func unmountBelow(string) error { return nil }

// paused cannot be told here; a signal takes no time worth waiting for.
func paused(int) bool { return true }

// descendants cannot be found here.
func descendants(int) []int { return nil }
