package topology

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Times of a program that is to end. stopGrace is what it has to clean up
// after a signal, outputGrace how long its output is read on when it has ended
// and a child of its own still holds it open.
const (
	stopGrace   = 10 * time.Second
	outputGrace = 2 * time.Second
)

// ProgramError says that the user's program did not do its part.
type ProgramError struct {
	// Command is what was run, without the user's arguments and the values of
	// JVM properties.
	Command string
	// Reason says what went wrong, such as "exit status 1".
	Reason string
	Err    error
}

// Error names the command and the reason.
func (e *ProgramError) Error() string {
	return fmt.Sprintf("define the topology by running %s: %s", e.Command, e.Reason)
}

// Unwrap is the cause: an *exec.ExitError where the program ended badly.
func (e *ProgramError) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *ProgramError) Kind() outcome.Kind { return outcome.Failed }

// StoppedError says that the program was stopped because its context ended.
type StoppedError struct {
	// Command is as in ProgramError.
	Command string
	// Err is the error of the context.
	Err error
}

// Error names the command. Why the context ended is the caller's to say.
func (e *StoppedError) Error() string {
	if errors.Is(e.Err, context.DeadlineExceeded) {
		return fmt.Sprintf("the topology's program did not end in time and was stopped: %s", e.Command)
	}
	return fmt.Sprintf("the topology's program was stopped: %s", e.Command)
}

// Unwrap is the error of the context.
func (e *StoppedError) Unwrap() error { return e.Err }

// process runs one program in a process group of its own.
type process struct {
	command        *command
	variables      []string
	stdout, stderr io.Writer
	stopGrace      time.Duration
	// hint explains a failure whose output has one of the texts.
	hint  string
	texts []string
}

// run starts the program, streams its output and waits for it. When ctx ends,
// the group gets the signal that ended it, SIGTERM if none is known, and
// SIGKILL when it does not obey in time; then the error is that of ctx. No
// process of the group is left when run returns.
func (p *process) run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &StoppedError{Command: p.command.shown, Err: err}
	}
	// A context would kill the program, where it is to be asked to end first.
	cmd := exec.Command(p.command.args[0], p.command.args[1:]...) //nolint:noctx // see above
	cmd.Env = p.variables
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	var found func() bool
	if p.hint != "" {
		cmd.Stdout, cmd.Stderr, found = findIn(p.stdout, p.stderr, p.texts)
	}
	cmd.WaitDelay = outputGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return &ProgramError{Command: p.command.shown, Reason: "cannot be started: " + err.Error(), Err: err}
	}
	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.stop(ctx, cmd.Process.Pid, ended)
	}()
	err := cmd.Wait()
	close(ended)
	<-stopped
	// What the program left in its group goes with it.
	signalGroup(cmd.Process.Pid, syscall.SIGKILL)

	switch {
	case ctx.Err() != nil:
		return &StoppedError{Command: p.command.shown, Err: ctx.Err()}
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	}
	reason := err.Error() + "; its output above says why"
	if found != nil && found() {
		reason += "; " + p.hint
	}
	return &ProgramError{Command: p.command.shown, Reason: reason, Err: err}
}

// stop waits until ctx or the program ends, and in the first case sees to the
// second.
func (p *process) stop(ctx context.Context, pid int, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	signalGroup(pid, signalOf(context.Cause(ctx)))
	grace := time.NewTimer(p.stopGrace)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		signalGroup(pid, syscall.SIGKILL)
	}
}

// signalOf is the signal that a context's cause tells by a method of that
// name.
func signalOf(cause error) syscall.Signal {
	var teller interface{ Signal() os.Signal }
	if errors.As(cause, &teller) {
		if s, ok := teller.Signal().(syscall.Signal); ok {
			return s
		}
	}
	return syscall.SIGTERM
}

// signalGroup sends to all of a group; a group that has ended is no error.
func signalGroup(pid int, s syscall.Signal) { _ = syscall.Kill(-pid, s) }
