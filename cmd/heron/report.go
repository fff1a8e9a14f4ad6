package main

import (
	"os"

	"golang.org/x/term"

	"github.com/heron-nomad/heron/internal/console"
	"github.com/heron-nomad/heron/internal/submit"
)

// console is standard error, for a person.
func (a *app) console() *console.Console {
	if a.shown == nil {
		a.shown = console.New(a.stderr, a.width())
	}
	return a.shown
}

// width asks for the columns of the terminal that standard error is; nil
// where it is none, or one that cannot draw.
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

// report prints what is done, nothing with --quiet.
func (a *app) report() submit.Report {
	if a.quiet {
		return nil
	}
	return a.console().Report
}

// progress shows how far an upload is, nothing with --quiet.
func (a *app) progress() func(submit.Progress) {
	if a.quiet {
		return nil
	}
	c := a.console()
	return func(p submit.Progress) { c.Progress("uploaded", p.Name, p.Done, p.Size, p.Ended) }
}

// outside is what a connection needs besides the settings. Only SSH cares for
// the home folder; where it is not known, that says so.
func (a *app) outside() submit.Outside {
	home, _ := a.userHome()
	return submit.Outside{Report: a.report(), Progress: a.progress(), Home: home, Getenv: a.getenv}
}
