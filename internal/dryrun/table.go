package dryrun

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/packing/java"
)

// style dresses a title.
type style func(string) string

func plain(s string) string { return s }

func bold(s string) string { return "\x1b[1m" + s + "\x1b[0m" }

func writeTables(out *bytes.Buffer, in SubmitInput, title style) {
	fmt.Fprintf(out, "Total number of containers: %d\n", len(in.Plan.Containers))
	fmt.Fprintf(out, "Using packing class: %s\n", in.PackingClass)
	for i, c := range in.Plan.Containers {
		if i > 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintln(out, title(fmt.Sprintf("Container %d", c.ID)))
		out.WriteString(usage(c.Required))
		writeRows(out, dressed(c.Instances, plain), title)
	}
}

// row is a line of a table: component, task id, cores, MiB of RAM and disk.
type row [5]string

// dressedRow is a row and how its cells look.
type dressedRow struct {
	row
	dress style
}

func dressed(instances []packing.Instance, dress style) []dressedRow {
	rows := make([]dressedRow, len(instances))
	for i, in := range instances {
		rows[i] = dressedRow{row{
			in.Component,
			strconv.Itoa(int(in.TaskID)),
			java.Double(in.Resource.CPU),
			strconv.FormatInt(packing.Megabytes(in.Resource.RAM), 10),
			strconv.FormatInt(packing.Megabytes(in.Resource.Disk), 10),
		}, dress}
	}
	return rows
}

func writeRows(out *bytes.Buffer, rows []dressedRow, title style) {
	head := row{"component", "task ID", "CPU", "RAM (MB)", "disk (MB)"}
	var widths [len(head)]int
	frame := 1
	for i := range widths {
		widths[i] = width(head[i])
		for _, r := range rows {
			widths[i] = max(widths[i], width(r.row[i]))
		}
		frame += widths[i] + 3
	}

	line := func(r row, dress style) {
		for i, cell := range r {
			out.WriteString("| ")
			out.WriteString(dress(strings.Repeat(" ", widths[i]-width(cell)) + cell))
			out.WriteByte(' ')
		}
		out.WriteString("|\n")
	}
	rule := func(with string) {
		out.WriteString(strings.Repeat(with, frame))
		out.WriteByte('\n')
	}
	rule("=")
	line(head, title)
	rule("-")
	for _, r := range rows {
		line(r.row, r.dress)
	}
	rule("=")
}

// width counts as the original does: a character beyond U+FFFF counts twice.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}
