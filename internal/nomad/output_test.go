package nomad

import (
	"slices"
	"strings"
	"testing"
)

// What the original's executor writes when it ends, in the forms of two Pythons,
// hides no reason.
func TestTellingLines(t *testing.T) {
	const (
		unzip = "warning [wc.pex]:  23 extra bytes at beginning or within zipfile\n(attempting to process anyway)\n"
		now   = "Exception ignored in atexit callback: <function setup.<locals>.cleanup at 0x7efc>\n" +
			"Traceback (most recent call last):\n  File \"heron_executor.py\", line 1137, in cleanup\n    os.killpg(0, signal.SIGTERM)\nSystemExit: 15\n"
		before = "Error in atexit._run_exitfuncs:\nTraceback (most recent call last):\nSystemExit: 15\n"
		info   = "[2026-11-29 03:41:03 +0000] [INFO]: "
	)
	for name, c := range map[string]struct{ text, want string }{
		"a stop":              {now, ""},
		"a stop of a pex":     {unzip + before, ""},
		"an exception":        {unzip + "FileNotFoundError: heron-stmgr\n" + now, "FileNotFoundError: heron-stmgr"},
		"the executor's log":  {info + "stmgr-1 exited too many times\n" + info + "Executor terminated; exiting all process in executor.\n" + info + "signal_handler invoked with signal 15\n" + info + "Stopping state managers\n", info + "stmgr-1 exited too many times"},
		"a log that goes on":  {info + "signal_handler invoked with signal 15\n" + info + "Start processes\n", info + "signal_handler invoked with signal 15|" + info + "Start processes"},
		"what another writes": {"SystemExit: 15\n", "SystemExit: 15"},
	} {
		if got := strings.Join(slices.Clone(tellingLines(cleanLines(c.text))), "|"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
