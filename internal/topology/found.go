package topology

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Found is a definition and the file that it was read from.
type Found struct {
	Definition *Definition
	File       string
}

// errUnreadable goes with files that hold no definition.
var errUnreadable = errors.New("no topology definition")

// ReadDefinitionFile reads a definition that a program wrote earlier and runs
// nothing. A file that is missing or holds none is an *InputError. Validate
// is for the caller.
func ReadDefinitionFile(file string) (*Found, error) {
	found, err := readFound(file)
	if err != nil {
		return nil, inputError(err, "read topology definition %q", file)
	}
	return found, nil
}

func readFound(file string) (*Found, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", errUnreadable)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: the file is empty", errUnreadable)
	}
	d, err := Decode(data)
	if err != nil {
		return nil, err
	}
	return &Found{Definition: d, File: file}, nil
}

// readFolder reads all definitions of a folder, sorted by name. None, an
// unreadable one or two of one name are errors.
func readFolder(dir string) ([]*Found, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []*Found
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".defn") {
			continue
		}
		found, err := readFound(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("it wrote %s, which cannot be read: %w", name, err)
		}
		list = append(list, found)
	}
	if len(list) == 0 {
		return nil, errors.New("it ended well, but wrote no topology definition: have it submit a topology through Heron's API")
	}
	slices.SortFunc(list, func(a, b *Found) int { return cmp.Compare(a.Definition.Name(), b.Definition.Name()) })
	for i := 1; i < len(list); i++ {
		if name := list[i].Definition.Name(); name == list[i-1].Definition.Name() {
			return nil, fmt.Errorf("it wrote two topologies called %q (%s and %s): rename one",
				name, filepath.Base(list[i-1].File), filepath.Base(list[i].File))
		}
	}
	return list, nil
}
