package packing

import (
	"fmt"
	"slices"
	"strings"
)

func unknownComponent(stage Stage, name string, counts []count) error {
	names := make([]string, len(counts))
	for i, c := range counts {
		names[i] = c.component
	}
	slices.Sort(names)
	return &Error{
		Stage: stage, Kind: ErrComponent,
		Statement: fmt.Sprintf("Invalid component name in update request: %s. Valid components include: [%s]",
			name, strings.Join(names, ", ")),
	}
}
