package main

import (
	"cmp"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/heron-nomad/heron/internal/console"
	"github.com/heron-nomad/heron/internal/progress"
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

// progress shows the events of uploads and downloads, nothing with --quiet.
func (a *app) progress() progress.Sink {
	if a.quiet {
		return nil
	}
	c := a.console()
	return func(e progress.Event) {
		switch e.State {
		case progress.Advanced, progress.Ended:
			c.Progress("uploaded", e.What.ID, e.Done, e.Total, e.State == progress.Ended)
		case progress.Retrying:
			c.Report("%s: %v; trying again in %s (%d of %d)", cmp.Or(e.What.ID, e.Step), e.Err, e.Wait.Round(100*time.Millisecond), e.Attempt, e.Attempts)
		case progress.Warned:
			c.Report("%s: %s: %v", e.What, e.Note, e.Err)
		default:
			c.Report("%s %s", e.Step, e.What)
		}
	}
}

// outside is what a connection needs besides the settings. Only SSH cares for
// the home folder; where it is not known, that says so.
func (a *app) outside() submit.Outside {
	home, _ := a.userHome()
	return submit.Outside{Report: a.report(), Progress: a.progress(), Home: home, Getenv: a.getenv}
}
