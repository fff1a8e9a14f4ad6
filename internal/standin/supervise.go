package standin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	// maxRuns is how often a process is started before the executor gives up.
	maxRuns = 150
	// killAfter is how long a child may take to end.
	killAfter = 3 * time.Second
)

// superviseTManager keeps a TManager running until ctx ends.
func (e *executor) superviseTManager(ctx context.Context) error {
	const name = "heron-tmanager"
	for run := 1; ; run++ {
		if err := e.runTManager(ctx, name); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if run == maxRuns {
			return fmt.Errorf("%s exited too many times", name)
		}
		if !pause(ctx, e.knobs.restartDelay) {
			return nil
		}
	}
}

// runTManager is one life of it. Only what keeps it from starting is an
// error.
func (e *executor) runTManager(ctx context.Context, name string) error {
	cmd := exec.CommandContext(ctx, e.flags["tmanager-binary"], e.tmanagerArgs()...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	// The child ends when this pipe does, however its parent died.
	alive, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	defer func() { _ = alive.Close() }()
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			e.log.Printf("%s stdout: %s", name, lines.Text())
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	e.log.Printf("Running %s process as %s", name, cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := writePID(name, cmd.Process.Pid); err != nil {
		return err
	}
	_ = cmd.Wait()
	_ = in.Close()
	<-copied
	status := -1
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		status = int(s)
	}
	e.log.Printf("%s (pid=%d) exited with status %d. command=%s", name, cmd.Process.Pid, status, cmd)
	return nil
}

// writePID notes a process as the real executor does, in NAME.pid.
func writePID(name string, pid int) error {
	return os.WriteFile(name+".pid", []byte(strconv.Itoa(pid)), 0o644)
}

// newLogger writes lines with a time, the notice first.
func newLogger(w io.Writer) *log.Logger {
	// Who cannot write a log goes on without, as the logger itself does.
	_, _ = fmt.Fprintln(w, Notice)
	return log.New(w, "", log.LstdFlags|log.LUTC|log.Lmicroseconds)
}

// openLog appends to a file, whose folder it makes.
func openLog(file string) (*os.File, error) {
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	f, failed := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return f, errors.Join(err, failed)
}
