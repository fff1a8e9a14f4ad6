package cluster

import (
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/outcome"
)

// placePart is what a part of a place is made of: it becomes the name of a
// folder, the value of a token and an argument of the executor.
var placePart = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$`)

// CheckPart refuses a text that cannot be the cluster, role or environ of a
// topology; what names which.
func CheckPart(what, value string) error {
	if !placePart.MatchString(value) || strings.Contains(value, "..") {
		return outcome.Errorf(outcome.Usage, "%s %q: use letters, digits and . _ @ + - only, starting with a letter or digit", what, value)
	}
	return nil
}
