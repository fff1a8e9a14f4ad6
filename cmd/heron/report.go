package main

import (
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/heron-nomad/heron/internal/console"
	"github.com/heron-nomad/heron/internal/progress"
)

// console is standard error, for a person.
func (a *app) console() *console.Console {
	if a.shown == nil {
		a.shown = console.New(a.stderr, a.width())
	}
	return a.shown
}

// width asks for the columns of the terminal that standard error is; nil where
// it is none, or one that cannot draw.
func (a *app) width() func() int {
	f, isFile := a.stderr.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) || a.getenv("TERM") == "dumb" {
		return nil
	}
	return func() int {
		columns, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0
		}
		return columns
	}
}

// progress shows what is going on, nothing with --quiet.
func (a *app) progress() progress.Sink {
	if a.quiet {
		return nil
	}
	return a.console().Show
}

// say prints a line for a person, nothing with --quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		a.console().Line(fmt.Sprintf(format, args...))
	}
}
