// Command heron deploys Heron topologies on Nomad.
//
// This package turns flags into calls of internal/submit and their results
// into output and exit codes. It decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/heron-nomad/heron/internal/submit"
)

// What was built, set by the linker: a version, the commit and its time in
// seconds since 1970.
//
//nolint:gochecknoglobals // the linker can only set variables
var (
	version   = "dev"
	revision  = "unknown"
	committed = "0"
)

func main() {
	os.Exit(mainCode())
}

func mainCode() int {
	ctx, stop := untilSignal()
	defer stop()
	a := &app{
		stdout: os.Stdout,
		stderr: os.Stderr,
		getenv: os.Getenv,
		env:    os.Environ(),
		now:    time.Now,
	}
	return a.run(ctx, filepath.Base(os.Args[0]), os.Args[1:])
}

// interruption is the signal that ended a context. The user's program is sent
// the same one.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string     { return i.signal.String() }
func (i interruption) Signal() os.Signal { return i.signal }

// untilSignal is a context that ends with the first SIGINT or SIGTERM. A
// second one ends the program at once: whoever sends it knows that something
// may be left.
func untilSignal() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interruption{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// run carries one command line out and returns its exit code.
func (a *app) run(ctx context.Context, name string, args []string) int {
	if name == "heron-apiserver" || name == "heron-downloader" {
		return a.fail(usagef("%s is not part of this version; use heron submit and heron kill", name))
	}
	root := a.rootCommand() //nolint:contextcheck // commands get the context from cobra
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return submit.ExitOK
	}
	return a.fail(err)
}

// fail tells the error and returns its exit code.
func (a *app) fail(err error) int {
	code := submit.ExitCode(err)
	var told *toldError
	if errors.As(err, &told) {
		return code
	}
	if a.asJSON() {
		a.printJSON(failureDoc(err, code))
		return code
	}
	fmt.Fprintf(a.stderr, "heron: %v\n", err)
	return code
}
