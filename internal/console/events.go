package console

import (
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// Show prints an event. It is a progress.Sink.
func (c *Console) Show(e progress.Event) {
	if e.Unit == "bytes" {
		c.transferred(past(e.Step), e.What.ID, e.Done, e.Total, e.State == progress.Ended)
		return
	}
	if e.Unit == "containers" {
		switch key := e.Step + " " + e.What.ID; e.State {
		case progress.Advanced:
			c.tallied(key, advanced(e), e.Done >= e.Total)
			return
		case progress.Ended:
			c.tallyEnded(key)
			return
		}
	}
	if text := line(e); text != "" {
		c.Line(text)
	}
}

// past is what has been done by a step.
func past(step string) string {
	switch step {
	case "upload", "download":
		return step + "ed"
	}
	return step
}

// line words an event; "" for one that a person need not see.
func line(e progress.Event) string {
	doing := outcome.Phrase(e.Step, e.What)
	switch e.State {
	case progress.Began:
		return doing
	case progress.Ended:
		if e.Step == "remove" {
			return "removed the " + e.What.String()
		}
		if e.Step == "put back" {
			return outcome.Phrase(e.Step, e.What)
		}
		return ""
	case progress.Retrying:
		return retrying(e)
	case progress.Warned:
		return "warning: " + explained(doing, e)
	}
	if e.Total > 0 {
		return fmt.Sprintf("%d %s %s: %s", e.Total, e.Unit, e.What.ID, e.Note)
	}
	if e.Wait > 0 {
		doing += " for " + e.Wait.String()
	}
	return explained(doing, e)
}

// advanced says how far containers are.
func advanced(e progress.Event) string {
	switch e.Step {
	case "stop":
		return fmt.Sprintf("%d of %d %s have ended", e.Done, e.Total, e.What)
	case "restart":
		return fmt.Sprintf("%d of %d %s of %s are restarted", e.Done, e.Total, e.Unit, e.What)
	}
	return fmt.Sprintf("%d of %d %s are running", e.Done, e.Total, e.What)
}

// retrying says why something is tried again, and when.
func retrying(e progress.Event) string {
	text := fmt.Sprintf("%s: %v; trying again in %s", outcome.Phrase(e.Step, e.What), e.Err, e.Wait.Round(100*time.Millisecond))
	if e.Attempts > 0 {
		text += fmt.Sprintf(" (%d of %d)", e.Attempt, e.Attempts)
	}
	return text
}

// explained adds the note and the error.
func explained(text string, e progress.Event) string {
	if e.Note != "" {
		text += ": " + e.Note
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}
