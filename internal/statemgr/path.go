package statemgr

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/heron-nomad/heron/internal/outcome"
)

// InvalidError is a path, a topology name or an operation that no store takes,
// or a setting that no store can be opened with. Nothing was sent or written.
type InvalidError struct {
	// What is the value as given, Why what is wrong with it.
	What, Why string
}

// Error names the value.
func (e *InvalidError) Error() string { return fmt.Sprintf("%q %s", e.What, e.Why) }

// Kind implements the contract of package outcome.
func (e *InvalidError) Kind() outcome.Kind { return outcome.Usage }

// CheckName returns an InvalidError if a topology of this name could have no
// nodes: a name is one component of a path.
func CheckName(topology string) error {
	if why := badComponent(topology); why != "" {
		return &InvalidError{What: topology, Why: "cannot be the name of a topology: it " + why}
	}
	return nil
}

// CheckRoot returns an InvalidError if nothing could be stored below root.
func CheckRoot(root string) error {
	if root == "/" {
		return &InvalidError{What: root, Why: "cannot be the root of the state: name a node below it, such as /heron"}
	}
	return CheckPath(root)
}

// CheckPath returns an InvalidError if no store takes the path. All stores use
// it, so that a path that works on one works on the others.
func CheckPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return &InvalidError{What: path, Why: `is not an absolute path: it must start with "/"`}
	}
	if path == "/" {
		return nil
	}
	for _, part := range strings.Split(path[1:], "/") {
		if why := badComponent(part); why != "" {
			return &InvalidError{What: path, Why: "is not a valid path: a component " + why}
		}
	}
	return nil
}

// badComponent returns what is wrong with one component of a path, "" if
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

// CheckOps returns a TxError if no store takes one of the operations.
func CheckOps(ops []Op) error {
	for _, op := range ops {
		err := CheckPath(op.Path)
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

// CheckHold returns an InvalidError if no store with this layout could hold the
// node.
func CheckHold(l Layout, path string, data []byte) error {
	err := CheckPath(path)
	switch {
	case err != nil:
		return err
	case Parent(path) != l.Owners() && !l.isLease(path):
		return &InvalidError{What: path, Why: "cannot be held: it is neither in the directory of owners nor a lease of a lock"}
	case len(data) == 0:
		return &InvalidError{What: path, Why: "cannot be held without data"}
	}
	return nil
}

// Parent returns the path above path; that of "/" is "/".
func Parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/"
	}
	return path[:i]
}

// WithParents adds all paths above the given ones, except "/", and sorts them,
// parents first. A path that CheckPath refuses is an InvalidError.
func WithParents(paths ...string) ([]string, error) {
	set := map[string]bool{}
	for _, p := range paths {
		if err := CheckPath(p); err != nil {
			return nil, err
		}
		for ; p != "/"; p = Parent(p) {
			set[p] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b string) int {
		return cmp.Or(strings.Count(a, "/")-strings.Count(b, "/"), strings.Compare(a, b))
	}), nil
}
