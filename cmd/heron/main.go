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
	"path/filepath"
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
	out := &result{to: os.Stdout}
	a := &app{
		stdout: out,
		stderr: os.Stderr,
		getenv: os.Getenv,
		env:    os.Environ(),
		now:    time.Now,
	}
	code := a.run(ctx, filepath.Base(os.Args[0]), os.Args[1:])
	if out.err != nil {
		fmt.Fprintf(a.stderr, "heron: write the result: %v\n", out.err)
		if code == submit.ExitOK {
			code = submit.ExitFailure
		}
	}
	return code
}

// result is standard output; it keeps the first error, for a result that
// nobody got is none.
type result struct {
	to  *os.File
	err error
}

func (r *result) Write(p []byte) (int, error) {
	n, err := r.to.Write(p)
	if r.err == nil {
		r.err = err
	}
	return n, err
}

// Fd is for those who want to know whether it is a terminal.
func (r *result) Fd() uintptr { return r.to.Fd() }

// run carries one command line out and returns its exit code.
func (a *app) run(ctx context.Context, name string, args []string) int {
	switch name {
	case "heron-apiserver":
		return a.fail(usagef("%s is not part of this version; use heron submit and heron kill", name))
	case downloaderName:
		args = append([]string{"download"}, args...)
	}
	if len(args) > 0 && args[0] == "download" {
		args = splitWords(args)
	}
	a.output = wantedOutput(args)
	root := a.rootCommand() //nolint:contextcheck // commands get the context from cobra
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return submit.ExitOK
	}
	return a.fail(err)
}

// wantedOutput finds --output on a line that may turn out not to be one: its
// error should come in the form that was asked for.
func wantedOutput(args []string) string {
	for i, word := range args {
		if word == "--output=json" || word == "--output" && i+1 < len(args) && args[i+1] == "json" {
			return "json"
		}
	}
	return "text"
}

// fail tells the error and returns its exit code.
func (a *app) fail(err error) int {
	code := submit.ExitCode(err)
	var (
		told   *toldError
		failed *submit.Failure
	)
	if errors.As(err, &told) {
		return code
	}
	if errors.Is(err, context.Canceled) && !errors.As(err, &failed) {
		err = fmt.Errorf("interrupted, and nothing was changed (%w)", err)
	}
	if a.asJSON() {
		a.printJSON(failureDoc(err, code))
		return code
	}
	fmt.Fprintf(a.stderr, "heron: %s\n", worded(err))
	return code
}
