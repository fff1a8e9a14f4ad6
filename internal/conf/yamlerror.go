package conf

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

var (
	lineInMessage = lazyregexp.New(`^yaml: (?:line ([0-9]+): )?`)
	// tabIndent is indentation with a tab in it.
	tabIndent = lazyregexp.New(`^ *\t\s*\S`)
	// gluedValue is a key whose value follows without a blank; not an address
	// such as http://host, nor a time such as 1:30.
	gluedValue = lazyregexp.New(`^\s*(?:- )?["']?([A-Za-z_][A-Za-z0-9_.-]*)["']?:[^\s:/]`)
)

// nearLines is how far from the place that the parser names a mistake can be:
// it reads on until nothing fits any more.
const nearLines = 2

// syntaxError says what is wrong with a text that the parser refuses. The
// parser tells the line in its message only, and names what it stumbled over,
// not what was meant.
func syntaxError(file string, text []byte, err error) error {
	line := 0
	msg := err.Error()
	if m := lineInMessage.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	lines := bytes.Split(text, []byte("\n"))
	for n := line + 1; n >= line-nearLines; n-- {
		if n >= 1 && n <= len(lines) && tabIndent.Match(lines[n-1]) {
			return &Error{Source: fileSource(file, n), Msg: "a tab is used for indenting", Hint: "indent with spaces"}
		}
	}
	if err := noBlank(file, text, line-nearLines, line+1); err != nil {
		return err
	}
	return &Error{
		Source: fileSource(file, line), Msg: "not valid YAML", Err: errors.New(msg),
		Hint: "a line is key: value, is indented with spaces, and quotes values that begin with one of `%@{[&*!|>",
	}
}

// noBlank looks for a key without a blank after its colon, from one line to
// another. The value is not shown: it may be a secret.
func noBlank(file string, text []byte, from, to int) error {
	for i, line := range strings.Split(string(text), "\n") {
		if n := i + 1; n < from || n > to {
			continue
		}
		if m := gluedValue.FindStringSubmatch(line); m != nil {
			return &Error{
				Source: fileSource(file, i+1), Key: m[1], Msg: "there is no blank between the colon and the value",
				Hint: "write it as " + m[1] + ": value",
			}
		}
	}
	return nil
}
