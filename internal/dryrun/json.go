package dryrun

import (
	"bytes"
	"fmt"

	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/packing/java"
)

// writeJSON prints the document by hand: scripts compare it as text, and a
// whole number of cores is "4.0" in it.
func writeJSON(out *bytes.Buffer, in SubmitInput) {
	out.WriteString(`{"packingClass":`)
	writeString(out, in.PackingClass)
	out.WriteString(`,"topology":`)
	writeString(out, in.Topology)
	out.WriteString(`,"containers":[`)
	for i, c := range in.Plan.Containers {
		separate(out, i)
		fmt.Fprintf(out, `{"id":%d,`, c.ID)
		writeResource(out, c.Required)
		out.WriteString(`,"components":[`)
		for j, instance := range c.Instances {
			separate(out, j)
			out.WriteString(`{"component":`)
			writeString(out, instance.Component)
			fmt.Fprintf(out, `,"id":%d,"index":%d,`, instance.TaskID, instance.Index)
			writeResource(out, instance.Resource)
			out.WriteByte('}')
		}
		out.WriteString("]}")
	}
	out.WriteString("]}")
}

func separate(out *bytes.Buffer, i int) {
	if i > 0 {
		out.WriteByte(',')
	}
}

func writeResource(out *bytes.Buffer, r packing.Resource) {
	fmt.Fprintf(out, `"resources":{"cpu":%s,"ram":%d,"disk":%d}`, java.Double(r.CPU), r.RAM, r.Disk)
}

// writeString escapes what JSON asks for and nothing else.
func writeString(out *bytes.Buffer, s string) {
	out.WriteByte('"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case '\b':
			out.WriteString(`\b`)
		case '\f':
			out.WriteString(`\f`)
		case '\n':
			out.WriteString(`\n`)
		case '\r':
			out.WriteString(`\r`)
		case '\t':
			out.WriteString(`\t`)
		default:
			if r < ' ' {
				fmt.Fprintf(out, `\u%04X`, r)
				continue
			}
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
}
