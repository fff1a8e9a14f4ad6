package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/versions"
)

// waitDefault is how long --wait waits where it is given no time.
const waitDefault = 5 * time.Minute

// waitFlags are those of commands that may wait until a topology runs.
type waitFlags struct {
	wait   waitTime
	stable time.Duration
	// timeout is the time of --wait under its earlier name, 0 where it is not
	// given.
	timeout time.Duration
}

func (w *waitFlags) add(f *pflag.FlagSet) {
	f.Var(&w.wait, "wait", "return when the topology runs; wait for `DURATION` at most")
	f.Lookup("wait").NoOptDefVal = waitDefault.String()
	f.DurationVar(&w.stable, "stable-for", 0, "with --wait: return when no container was restarted for that long")
}

// addTimeout adds the flag that gave the time before --wait itself took one.
func (w *waitFlags) addTimeout(f *pflag.FlagSet) {
	f.DurationVar(&w.timeout, "wait-timeout", waitDefault, "earlier name for the time of --wait")
	_ = f.MarkHidden("wait-timeout") // it is there
}

// imply is for commands that always wait: what does not become good is taken
// back. It comes before check.
func (w *waitFlags) imply() {
	if !w.asked() {
		w.wait = waitTime(waitDefault + max(w.stable, 0))
	}
}

// versionWait is the wait for a version to become good.
func (w *waitFlags) versionWait() versions.Wait {
	return versions.Wait{Limit: w.limit(), StableFor: w.stable}
}

// check completes and checks the flags after f was parsed.
func (w *waitFlags) check(f *pflag.FlagSet) error {
	if f.Changed("wait-timeout") {
		if w.timeout <= 0 {
			return usagef("--wait-timeout is %s; give a time above zero", w.timeout)
		}
		if w.asked() {
			w.wait = waitTime(w.timeout)
		}
	}
	switch {
	case w.stable < 0 || f.Changed("stable-for") && w.stable == 0:
		return usagef("--stable-for is %s; give a time above zero", w.stable)
	case w.stable > 0 && !w.asked():
		return usagef("--stable-for goes with --wait; add it, as --wait=%s", waitDefault+w.stable)
	case w.stable > 0 && w.stable >= w.limit():
		return usagef("--stable-for %s does not fit in --wait=%s; give --wait more time", w.stable, w.limit())
	}
	return nil
}

// asked says that the command is to wait; limit is for how long.
func (w *waitFlags) asked() bool { return w.wait > 0 }

func (w *waitFlags) limit() time.Duration { return time.Duration(w.wait) }

// waitTime is the value of --wait: a time above zero; 0 is no wait.
type waitTime time.Duration

// Set implements pflag.Value. A flag of this name once took true and false.
func (t *waitTime) Set(text string) error {
	switch strings.ToLower(text) {
	case "true":
		*t = waitTime(waitDefault)
		return nil
	case "false":
		*t = 0
		return nil
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return usagef("give a time, as 30s or 5m")
	case d <= 0:
		return usagef("give a time above zero")
	}
	*t = waitTime(d)
	return nil
}

// String implements pflag.Value.
func (t *waitTime) String() string {
	if *t == 0 {
		return ""
	}
	return time.Duration(*t).String()
}

// Type implements pflag.Value.
func (t *waitTime) Type() string { return "duration" }
