package apiserver

import "runtime/debug"

// garbagePercent is how much garbage there may be, in percent of what is in use.
// Each running operation has a connection to ZooKeeper with large buffers, so
// that Go's usual 100 would keep tens of MiB for nothing.
const garbagePercent = 50

// Tune sets the runtime of a process up that does nothing but serve. What
// the environment says about it counts more.
func Tune(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}
