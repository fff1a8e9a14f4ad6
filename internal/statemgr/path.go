package statemgr

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/heron-nomad/heron/internal/outcome"
)

// InvalidError is a path, a topology name or an operation that no store
// takes. Nothing was sent or written.
type InvalidError struct {
	// What is the value, as given; Why what is wrong with it.
	What, Why string
}

// Error names the value.
func (e *InvalidError) Error() string { return fmt.Sprintf("%q %s", e.What, e.Why) }

// Kind implements the contract of package outcome.
func (e *InvalidError) Kind() outcome.Kind { return outcome.Usage }

// CheckName says why a topology of this name could have no nodes: a name is
// one component of a path.
func CheckName(topology string) error {
	if why := badComponent(topology); why != "" {
		return &InvalidError{What: topology, Why: "cannot be the name of a topology: it " + why}
	}
	return nil
}

// CheckRoot says why nothing could be stored below root.
func CheckRoot(root string) error {
	if root == "/" {
		return &InvalidError{What: root, Why: "cannot be the root of the state: name a node below it, such as /heron"}
	}
	return checkPath(root)
}

// checkPath holds for both stores, so that what works on one works on the
// other.
func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return &InvalidError{What: path, Why: `is not an absolute path: it must start with "/"`}
	}
	if path == "/" {
		return nil
	}
	for _, part := range strings.Split(path[1:], "/") {
		if why := badComponent(part); why != "" {
			return &InvalidError{What: path, Why: "is not a path: a part of it " + why}
		}
	}
	return nil
}

// badComponent says what is wrong with one component of a path, "" if
// nothing. The characters are those that ZooKeeper refuses.
func badComponent(part string) string {
	switch {
	case part == "":
		return "is empty"
	case part == "." || part == "..":
		return `is "` + part + `"`
	case strings.Contains(part, "/"):
		return `contains "/"`
	case !utf8.ValidString(part):
		return "is not UTF-8"
	}
	for _, r := range part {
		switch {
		case r <= 0x1f, r >= 0x7f && r <= 0x9f, r >= 0xe000 && r <= 0xf8ff, r >= 0xfff0 && r <= 0xffff:
			return fmt.Sprintf("contains the character %U", r)
		}
	}
	return ""
}

// checkOps refuses operations that the stores could not agree on.
func checkOps(ops []Op) error {
	for _, op := range ops {
		err := checkPath(op.Path)
		switch {
		case err != nil:
		case op.Path == "/":
			err = &InvalidError{What: op.Path, Why: "cannot be changed"}
		case op.Kind == OpSet && len(op.Data) == 0:
			err = &InvalidError{What: op.Path, Why: "cannot be set to nothing: delete it instead"}
		case op.Kind < OpCreate || op.Kind > OpCheck:
			err = &InvalidError{What: op.Path, Why: fmt.Sprintf("has an operation of unknown kind %d", op.Kind)}
		}
		if err != nil {
			return &TxError{Op: op, Err: err}
		}
	}
	return nil
}

// checkHold refuses what the stores could not agree on.
func checkHold(root, path string, data []byte) error {
	err := checkPath(path)
	switch {
	case err != nil:
		return err
	case parentOf(path) != Layout{Root: root}.Owners():
		return &InvalidError{What: path, Why: "cannot be held: it is not in the directory of owners"}
	case len(data) == 0:
		return &InvalidError{What: path, Why: "cannot be held without data"}
	}
	return nil
}

// parentOf is the path above path; "/" is its own.
func parentOf(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/"
	}
	return path[:i]
}
