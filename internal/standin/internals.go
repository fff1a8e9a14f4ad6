package standin

import (
	_ "embed"
	"fmt"
	"strings"
)

// internalsKeys are the keys that the real TManager and stream manager do
// not start without, one a line.
//
//go:embed internals_keys.txt
var internalsKeys string

// checkInternals demands every key of heron_internals.yaml, from the file or
// from override.yaml.
func checkInternals(file string, config map[string]any) error {
	var missing []string
	for _, key := range strings.Fields(internalsKeys) {
		if config[key] == nil {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: missing %s", file, strings.Join(missing, ", "))
	}
	return nil
}
