package doctor

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Status is what came of a check. Its text is stable: machines read it.
type Status string

// What can come of a check.
const (
	// OK: it is as it should be.
	OK Status = "ok"
	// Warning: it works, and may cause trouble; or it could not be checked.
	Warning Status = "warning"
	// Problem: something does not work, or does not fit.
	Problem Status = "problem"
)

// Check is one thing that was looked at.
type Check struct {
	// Name is what kind of thing it is: one of the names below.
	Name string `json:"check"`
	// About is which one, such as a topology or a node; "" where there is one.
	About  string `json:"about,omitempty"`
	Status Status `json:"status"`
	// Text is a sentence for a person.
	Text string `json:"text"`
	// Advice says in words what puts it right, "" where Remedy does or nothing
	// is wrong.
	Advice string `json:"advice,omitempty"`
	// Remedy is the command that puts it right; nil where none does.
	Remedy *outcome.Remedy `json:"-"`
	// Err is the failure behind the text; nil where something answered that does
	// not fit.
	Err error `json:"-"`
}

// The names of checks, in the order of a report.
const (
	Configuration = "configuration"
	NomadServer   = "nomad"
	Clock         = "clock"
	Token         = "token"
	Nodes         = "nodes"
	Consul        = "consul"
	State         = "state"
	Directories   = "directories"
	Uploader      = "uploader"
	Packages      = "packages"
	Java          = "java"
	Python        = "python"
	Topology      = "topology"
	Claim         = "claim"
	Containers    = "containers"
	TManager      = "tmanager"
	Node          = "node"
)

func order() []string {
	return []string{
		Configuration, NomadServer, Clock, Token, Nodes, Consul, State, Directories, Uploader, Packages, Java, Python,
		Topology, Claim, Containers, TManager, Node,
	}
}

// Report is what was looked at.
type Report struct {
	Checks   []Check `json:"checks"`
	Problems int     `json:"problems"`
	Warnings int     `json:"warnings"`
}

// newReport sorts and counts.
func newReport(checks []Check) *Report {
	names := order()
	slices.SortStableFunc(checks, func(a, b Check) int {
		// The checks of one topology stay together.
		if topological(a.Name) && topological(b.Name) {
			return cmp.Or(cmp.Compare(a.About, b.About), cmp.Compare(slices.Index(names, a.Name), slices.Index(names, b.Name)))
		}
		return cmp.Or(cmp.Compare(slices.Index(names, a.Name), slices.Index(names, b.Name)), cmp.Compare(a.About, b.About))
	})
	r := &Report{Checks: checks}
	for _, c := range checks {
		switch c.Status {
		case Problem:
			r.Problems++
		case Warning:
			r.Warnings++
		}
	}
	return r
}

// NewReport makes a report of checks that were made elsewhere.
func NewReport(checks []Check) *Report { return newReport(checks) }

func topological(name string) bool {
	return name == Topology || name == Claim || name == Containers || name == TManager
}

// Err is nil where there is no problem. Otherwise its kind is Unreachable where a
// server could not be asked, and Differs where everything answers and something
// does not fit.
func (r *Report) Err() error {
	if r.Problems == 0 {
		return nil
	}
	kind := outcome.Differs
	for _, c := range r.Checks {
		if c.Status == Problem && outcome.KindOf(c.Err) == outcome.Unreachable {
			kind = outcome.Unreachable
		}
	}
	text := "1 problem"
	if r.Problems > 1 {
		text = fmt.Sprintf("%d problems", r.Problems)
	}
	return outcome.Errorf(kind, "%s found", text)
}

// failed is a check that could not be made, or failed with an error.
func failed(name, about string, err error, advice string) Check {
	return Check{Name: name, About: about, Status: Problem, Text: err.Error(), Err: err, Advice: advice}
}

func ok(name, about, format string, args ...any) Check {
	return Check{Name: name, About: about, Status: OK, Text: fmt.Sprintf(format, args...)}
}

func warning(name, about, advice, format string, args ...any) Check {
	return Check{Name: name, About: about, Status: Warning, Text: fmt.Sprintf(format, args...), Advice: advice}
}

func problem(name, about, advice, format string, args ...any) Check {
	return Check{Name: name, About: about, Status: Problem, Text: fmt.Sprintf(format, args...), Advice: advice}
}
