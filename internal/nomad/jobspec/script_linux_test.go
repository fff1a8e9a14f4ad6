package jobspec

import (
	"bytes"
	"os"
	"syscall"
	"testing"
	"time"
)

// endingExecutor says that it is up, and has an exit code of its own for the
// signal.
const endingExecutor = `#!/bin/sh
trap 'exit 7' TERM
>up
while :; do sleep 1 & wait; done
`

// The first process of a container leads its session and ignores signals by
// default. The executor must get them, and its exit code must come out.
func TestScriptAsTheFirstProcess(t *testing.T) {
	inEveryShell(t, func(t *testing.T, n *node) {
		n.core(endingExecutor)
		for range 5 {
			if err := os.RemoveAll(n.path("work")); err != nil {
				t.Fatal(err)
			}
			cmd := n.command(executor)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Setsid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(scriptTimeout, func() { _ = cmd.Process.Kill() })
			for deadline := time.Now().Add(scriptTimeout); ; time.Sleep(10 * time.Millisecond) {
				if _, err := os.Stat(n.path("work", "container-1", "up")); err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the executor does not start: %s", &stderr)
				}
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			timer.Stop()
			if code := cmd.ProcessState.ExitCode(); code != 7 {
				t.Fatalf("exit code %d, want the executor's: %s", code, &stderr)
			}
		}
	})
}
