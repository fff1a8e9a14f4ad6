package packing

import (
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/packing/java"
)

// FormatBytes is an amount of bytes as the original prints it, such as
// "ByteAmount{1.5 GB (1610612736 bytes)}": the unit is the largest of which
// there is, rounded, at least one.
func FormatBytes(n int64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}} {
		if v := float64(n) / u.size; java.Round(v) > 0 {
			return fmt.Sprintf("ByteAmount{%s %s (%d bytes)}", java.Fixed(v, 1), u.name, n)
		}
	}
	return fmt.Sprintf("ByteAmount{%d bytes}", n)
}

// Megabytes rounds bytes to MiB, halves up.
func Megabytes(n int64) int64 { return java.Round(float64(n) / (1 << 20)) }

// String is the resource as the original prints it.
func (r Resource) String() string {
	return fmt.Sprintf("{cpu: %s, ram: %s, disk: %s}", java.Fixed(r.CPU, 6), FormatBytes(r.RAM), FormatBytes(r.Disk))
}

// String is the instance as the original prints it.
func (in Instance) String() string {
	return fmt.Sprintf("{component-name: %s, task-id: %d, component-index: %d, instance-resource: %s}",
		in.Component, in.TaskID, in.Index, in.Resource)
}

// String is the container as the original prints it.
func (c Container) String() string {
	text := fmt.Sprintf("{container-id: %d, instances-list: %s, required-resource: %s",
		c.ID, list(c.Instances), c.Required)
	if c.Scheduled != nil {
		text += fmt.Sprintf(", scheduled-resource: %s", c.Scheduled)
	}
	return text + "}"
}

// String is the plan as the original prints it.
func (p *Plan) String() string {
	return fmt.Sprintf("{plan-id: %s, containers-list: %s}", p.ID, list(p.Containers))
}

func list[T fmt.Stringer](items []T) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = item.String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
