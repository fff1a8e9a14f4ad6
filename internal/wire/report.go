package wire

import (
	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Report is what the doctor found: a doctor.Report.
type Report struct {
	Checks   []Check `json:"checks"`
	Problems int     `json:"problems"`
	Warnings int     `json:"warnings"`
}

// Check is a doctor.Check.
type Check struct {
	doctor.Check
	// Kind is that of the failure behind the check, "" for none.
	Kind   outcome.Kind `json:"kind,omitempty"`
	Remedy *Remedy      `json:"remedy,omitempty"`
}

// NewReport is a report on the wire.
func NewReport(r *doctor.Report) *Report {
	doc := &Report{Checks: []Check{}, Problems: r.Problems, Warnings: r.Warnings}
	for _, c := range r.Checks {
		d := Check{Check: c, Remedy: NewRemedy(c.Remedy)}
		if c.Err != nil {
			d.Kind = outcome.KindOf(c.Err)
		}
		doc.Checks = append(doc.Checks, d)
	}
	return doc
}

// Outcome are the checks themselves.
func (r *Report) Outcome() []doctor.Check {
	checks := []doctor.Check{}
	for _, d := range r.Checks {
		c := d.Check
		c.Remedy = d.Remedy.Outcome()
		if d.Kind != "" {
			c.Err = outcome.New(d.Kind, c.Text)
		}
		checks = append(checks, c)
	}
	return checks
}
