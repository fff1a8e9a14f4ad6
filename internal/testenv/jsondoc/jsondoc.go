// Package jsondoc checks what heron prints with --output json against the
// schemas in docs/schemas, for the tests of commands.
package jsondoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/heron-nomad/heron/internal/testenv"
)

// Failure is the name of the schema of a command that failed.
const Failure = "failure"

// File is where the schema of a command is.
func File(command string) string {
	return filepath.Join(testenv.Root(), "docs", "schemas", command+".json")
}

// Check says what of the standard output of a command is not as its schema, or
// that of a failure, says. A stream is any number of documents, each on a line
// of its own; else there is exactly one.
func Check(command, out string, stream bool) error {
	count := 0
	dec := json.NewDecoder(strings.NewReader(out))
	for {
		var doc any
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = checkOne(command, doc)
		}
		if err != nil {
			return fmt.Errorf("document %d of heron %s: %w", count+1, command, err)
		}
		count++
	}
	switch lines := strings.Count(out, "\n"); {
	case stream && lines != count:
		return fmt.Errorf("heron %s printed %d documents on %d lines", command, count, lines)
	case !stream && count != 1:
		return fmt.Errorf("heron %s printed %d documents, not one", command, count)
	}
	return nil
}

func checkOne(command string, doc any) error {
	name := command
	if object, is := doc.(map[string]any); is && len(object) == 1 && object["error"] != nil {
		name = Failure
	}
	text, err := os.ReadFile(File(name))
	if err != nil {
		return err
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		return fmt.Errorf("%s: %w", File(name), err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		return fmt.Errorf("%s: %w", File(name), err)
	}
	return resolved.Validate(doc)
}

// Asked finds out from a command line whether it asks for JSON, of which
// command, and whether that prints a stream.
func Asked(args []string) (command string, asked, stream bool) {
	if len(args) == 0 {
		return "", false, false
	}
	command = args[0]
	stream = command == "logs"
	for i, word := range args[1:] {
		switch {
		case word == "--output=json", word == "--output" && i+2 < len(args) && args[i+2] == "json":
			asked = true
		case word == "--watch":
			stream = true
		}
	}
	return command, asked, stream
}
