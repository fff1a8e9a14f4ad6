package logs

import (
	"io/fs"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Everything is an Options.Tail of no bound.
const Everything = -1

// Options say what to show of a topology's logs.
type Options struct {
	// Container is an index, nil for all.
	Container *int
	// Follow goes on with what is written, until the topology ends.
	Follow bool
	// Tail is how many of the last lines of each log to begin with, Everything
	// for all.
	Tail int
	// Since leaves out what was written before; zero for nothing.
	Since time.Time
	// Stream is "stdout" or "stderr" for what the task itself writes there, ""
	// for the logs of the engine and the instances.
	Stream string
	// Component shows the logs of its instances alone.
	Component string
	// File is a file by its path below a container's working directory, or by its
	// name there or in the log folder; "" for logs.
	File string
	// From goes on where an earlier Show with otherwise the same options ended; nil
	// for a first one.
	From Bookmarks
	// Now is the clock.
	Now func() time.Time
}

// check refuses what does not go together.
func (o Options) check() error {
	switch {
	case o.Tail < Everything:
		return outcome.Errorf(outcome.Usage, "cannot show the last %d lines", o.Tail)
	case o.Container != nil && *o.Container < 0:
		return outcome.Errorf(outcome.Usage, "container %d: indexes begin at 0, the TManager's", *o.Container)
	case o.File != "" && (!fs.ValidPath(o.File) || o.File == "."):
		return outcome.Errorf(outcome.Usage, "file %q: give a path below the container's working directory, without a / at either end and without ..", o.File)
	case o.File != "" && (o.Stream != "" || o.Component != ""), o.Stream != "" && o.Component != "":
		return outcome.Errorf(outcome.Usage, "a file, a component and a stream of the task are three ways to say which logs to show; give one of them")
	}
	return o.From.check()
}

// Line is one line of a log. It is what the command prints as JSON.
type Line struct {
	Container int `json:"container"`
	// Component and Instance are empty where the log is not an instance's;
	// Instance is its id, such as "container_1_word_3".
	Component  string `json:"component"`
	Instance   string `json:"instance"`
	Allocation string `json:"allocation"`
	// File is the file's path below the working directory, or below the
	// allocation for what the task itself writes.
	File string `json:"file"`
	// Line is the text, without its end.
	Line string `json:"line"`

	// Label names the log beside its container.
	Label string `json:"-"`
}

// Sink gets lines.
type Sink interface {
	// Begin is called before the first lines; one says that all are of the same
	// log.
	Begin(one bool)
	// Lines shows lines of one log. It is called by one goroutine at a time; an
	// error ends the command.
	Lines([]Line) error
}
