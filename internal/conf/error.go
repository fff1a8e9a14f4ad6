package conf

import (
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Error is a mistake in the configuration: where it is, what is wrong and what
// would be right. It is bad input, so nothing has been done yet.
type Error struct {
	// Source is where the value or the file came from. Its Key need not be
	// set: Key is.
	Source Source
	// Key is the key in question; "" where the file as a whole is wrong.
	Key string
	// Msg says what is wrong, Hint what would be valid.
	Msg, Hint string
	Err       error
}

// Error names the source in neutral words.
func (e *Error) Error() string { return e.Text(Source.Where) }

// Text is the message with the source in the words of a front end. A word of
// "" leaves the source out.
func (e *Error) Text(word func(Source) string) string {
	var b strings.Builder
	b.WriteString("configuration")
	if where := word(e.Source.of(e.Key)); where != "" {
		if e.Source.Name != "" || e.Source.Kind != "" && e.Source.Kind != DefaultSource {
			b.WriteString(" ")
		} else {
			b.WriteString(": ")
		}
		b.WriteString(where)
	}
	if e.Msg != "" {
		b.WriteString(": " + e.Msg)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *Error) Kind() outcome.Kind { return outcome.Usage }
