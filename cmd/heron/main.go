// Command heron deploys Heron topologies on Nomad.
//
// This package turns flags into calls of use cases, and their results and
// failures into output and exit codes. It decides nothing.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
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
	out := &result{to: os.Stdout}
	a := &app{
		stdin:  os.Stdin,
		stdout: out,
		stderr: os.Stderr,
		getenv: os.Getenv,
		env:    os.Environ(),
		now:    time.Now,
	}
	ctx, stop := untilSignal(func() {
		os.Exit(a.fail(outcome.New(outcome.LeftBehind, "interrupted while undoing; what was made may still be there: heron kill removes it")))
	})
	defer stop()
	code := a.run(ctx, filepath.Base(os.Args[0]), os.Args[1:])
	if out.err != nil {
		switch {
		case code != exitOK:
			fmt.Fprintf(a.stderr, "heron: could not write the result: %v\n", out.err)
		case a.changed:
			fmt.Fprintf(a.stderr, "heron: done, but the result could not be written: %v\n", out.err)
			code = exitLeft
		default:
			fmt.Fprintf(a.stderr, "heron: could not write the result: %v\n", out.err)
			code = exitFailure
		}
	}
	return code
}

// result is standard output. It keeps the first error: a result that could not
// be written is a failure.
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

// Fd lets callers find out whether it is a terminal.
func (r *result) Fd() uintptr { return r.to.Fd() }

// run carries one command line out and returns its exit code.
func (a *app) run(ctx context.Context, name string, args []string) int {
	switch name {
	case apiserverName:
		args = append([]string{"apiserver"}, args...)
	case downloaderName:
		args = append([]string{"download"}, args...)
	}
	if len(args) > 0 {
		switch args[0] {
		case "download":
			args = splitWords(args)
		case "apiserver":
			args = apiserverWords(args)
		}
	}
	a.line, a.output, a.oneLine = args, wantedOutput(args), wantsStream(args)
	root := a.rootCommand() //nolint:contextcheck // commands get the context from cobra
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	return a.fail(err)
}

// wantedOutput finds --output on a line that may turn out to be wrong: its error
// should have the form that was asked for.
func wantedOutput(args []string) string {
	for i, word := range args {
		if word == "--output=json" || word == "--output" && i+1 < len(args) && args[i+1] == "json" {
			return "json"
		}
	}
	return "text"
}

// wantsStream says whether a line asks for any number of documents, each on a
// line of its own; its error is one of them.
func wantsStream(args []string) bool {
	return len(args) > 0 && args[0] == "logs" || slices.Contains(args, "--watch")
}
