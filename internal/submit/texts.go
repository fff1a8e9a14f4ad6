package submit

import (
	"regexp"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/topology"
)

// idLimit is the longest id, in bytes: file systems take names of 255.
const idLimit = 200

// checkID refuses an id that could not be part of paths, of arguments that
// Nomad and shells read, and of the executor's flags.
func checkID(id string) error {
	form := regexp.MustCompile(`^[\p{L}\p{N}_][\p{L}\p{N}_.+@~-]*$`)
	switch {
	case !form.MatchString(id) || strings.Contains(id, ".."):
		return outcome.Errorf(outcome.Usage, "topology id %q: use letters, digits and . _ + @ ~ - only, starting with a letter or digit", id)
	case len(id) > idLimit:
		return outcome.Errorf(outcome.Usage, "topology id %q: it has %d bytes, at most %d are allowed", id, len(id), idLimit)
	}
	return nil
}

// checkTexts refuses the user's texts that Nomad, a shell or a file system
// would take for something else.
func checkTexts(def *topology.Definition, binary string) error {
	if err := checkID(def.ID()); err != nil {
		return err
	}
	if strings.Contains(binary, "${") {
		return outcome.Errorf(outcome.Usage, "topology file %q: Nomad would take ${ for a variable; rename the file", binary)
	}
	components, err := def.Components()
	if err != nil {
		return err
	}
	for _, c := range components {
		if strings.Contains(c.Name, "${") {
			return outcome.Errorf(outcome.Usage, "component %q: Nomad would take ${ for a variable; rename the component", c.Name)
		}
	}
	return nil
}
