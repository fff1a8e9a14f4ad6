package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/wire"
)

// errorDoc is how a failure looks in JSON.
type errorDoc struct {
	Error *errorBody `json:"error"`
}

// errorBody says what failed. It also stands beside a result, where a part of
// what was asked for is done.
type errorBody struct {
	Message string       `json:"message"`
	Kind    outcome.Kind `json:"kind"`
	Code    int          `json:"exit_code"`
	wire.Details
	// Repair is a command line, for a shell.
	Repair string `json:"repair,omitempty"`
	// RequestID finds the request in the log of the API server.
	RequestID string `json:"request_id,omitempty"`
}

func (a *app) failureDoc(err error) errorDoc {
	e := &errorBody{
		Message: a.explain(err), Kind: outcome.KindOf(err), Code: exitCode(err), Details: wire.DetailsOf(err), Repair: a.repair(err),
	}
	var through *apiclient.Problem
	if errors.As(err, &through) {
		e.RequestID = through.Told.RequestID
	}
	return errorDoc{e}
}

// explain words a failure for a person: what failed and why, what became of the
// rest, and what to do next on this command line.
func (a *app) explain(err error) string {
	var (
		failed *operation.Failure
		place  *cluster.PlaceError
		denied *nomad.DeniedError
	)
	text := worded(err, err.Error())
	switch {
	case errors.As(err, &failed):
		text += failed.Aftermath()
	case errors.Is(err, context.Canceled) && outcome.KindOf(err) == outcome.Interrupted:
		text = "interrupted, and nothing was changed"
	case errors.As(err, &place):
		text += fmt.Sprintf("; to act on it there: --nomad-%s %s", place.Setting, quote(place.There))
	case errors.As(err, &denied) && !denied.HasToken:
		text += "; give a token in NOMAD_TOKEN, with --nomad-token-file or with heron.nomad.token.file"
	}
	if repair := a.repair(err); repair != "" {
		purpose := "to clean up"
		if remedy, _ := remedyOf(err); remedy.Action == outcome.Repeat {
			purpose = "to continue"
		}
		text += "; " + purpose + ": " + repair
	}
	return text
}

// repair is the command line that puts a failure right, "" where none does.
func (a *app) repair(err error) string {
	remedy, ok := remedyOf(err)
	switch {
	case !ok:
	case remedy.Action == outcome.Kill:
		return a.command(remedy.Action, remedy.Cluster, remedy.Role, remedy.Environ, remedy.Topology)
	case remedy.Action == outcome.Repeat:
		return a.repeat()
	}
	return ""
}

// remedyOf is what puts a failure right. One that left nothing needs nothing.
func remedyOf(err error) (outcome.Remedy, bool) {
	var f *operation.Failure
	if !errors.As(err, &f) {
		return outcome.RemedyOf(err)
	}
	if f.Remedy == nil || len(f.Left)+len(f.Done) == 0 {
		return outcome.Remedy{}, false
	}
	return *f.Remedy, true
}

// repeat is this command line once more, for a shell, without secrets.
func (a *app) repeat() string {
	const property = "--config-property"
	words := []string{"heron"}
	for i := 0; i < len(a.line); i++ {
		word := a.line[i]
		pair, one := strings.CutPrefix(word, property+"=")
		if word == property && i+1 < len(a.line) {
			pair, one = a.line[i+1], true
			word += "=" + pair
			i++
		}
		if key, _, _ := strings.Cut(pair, "="); !one || !conf.IsSecret(key) {
			words = append(words, quote(word))
		}
	}
	return strings.Join(words, " ")
}

// command is a command line on a topology, or on the cluster, for a shell, that
// reaches the same servers as this one.
func (a *app) command(name, cluster, role, environ string, topology ...string) string {
	words := []string{"heron", name}
	if a.again != "" {
		words = append(words, a.again)
	}
	words = append(words, cluster+"/"+role+"/"+environ)
	for _, t := range topology {
		words = append(words, quote(t))
	}
	return strings.Join(words, " ")
}

// shownError is a failure whose result document is printed already.
type shownError struct{ err error }

func (e *shownError) Error() string { return e.err.Error() }
func (e *shownError) Unwrap() error { return e.err }

// fail prints the error and returns its exit code.
func (a *app) fail(err error) int {
	code := exitCode(err)
	var shown *shownError
	switch {
	case errors.As(err, &shown):
	case a.asJSON():
		a.printJSON(a.failureDoc(err))
	default:
		fmt.Fprintf(a.stderr, "heron: %s\n", a.explain(err))
		for _, o := range wire.DetailsOf(err).Output {
			fmt.Fprintf(a.stderr, "container %d, last lines of its %s:\n    %s\n", o.Index, o.From, strings.Join(o.Lines, "\n    "))
		}
	}
	return code
}

// partial prints a result beside an error: what was done before the failure.
// In JSON both are one document.
func (a *app) partial(err error, document func(*errorBody) any, text func()) error {
	if !a.asJSON() {
		text()
		return err
	}
	if err == nil {
		a.printJSON(document(nil))
		return nil
	}
	a.printJSON(document(a.failureDoc(err).Error))
	return &shownError{err}
}
