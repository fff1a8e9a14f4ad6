package topology

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a topology's name. MaxNameLength, in bytes, leaves room for what
// is made from a name as a file name: 255 bytes for all of it, most of them
// taken by the id's UUID, the lock's suffix and escapes. A label of the domain
// name system, and so the name of a service, has at most maxLabel characters.
const (
	MaxNameLength = 128
	maxLabel      = 63
)

// servicePrefix is the beginning of the metrics service's name; "-", the
// topology, "-" and the container's index follow.
const servicePrefix = "metrics-heron-"

// nomadName checks what a Nomad job of the id heron.<cluster>.<name>, a node
// in ZooKeeper and a file can be called. Slashes and dots are refused
// elsewhere.
func nomadName(name, cluster string) []string {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if n := len(name); n > MaxNameLength {
		add("its name has %d bytes: use at most %d", n, MaxNameLength)
	}
	if !utf8.ValidString(name) {
		add("its name is not UTF-8 text: use letters, digits, - and _")
	}
	if strings.Contains(name, " ") {
		add("its name has a space, which the id of a Nomad job may not have: use - or _ in its place")
	}
	if strings.ContainsFunc(name, unsafeRune) {
		add("its name has an invisible or control character: use letters, digits, - and _")
	}
	if strings.Contains(name, "${") {
		add(`its name has "${", which Nomad takes for a variable: leave it out`)
	}
	if strings.ContainsAny(name, "\"'`$\\;&|<>*?(){}[]!#~%") && !strings.Contains(name, "${") {
		add("its name has a character that a shell or an address would read as its own: use letters, digits, - and _")
	}
	if strings.ContainsAny(cluster, " \x00") {
		add("the cluster's name %q has a space, which the id of a Nomad job may not have: rename the cluster", cluster)
	}
	return problems
}

// unsafeRune holds for what one cannot see and for what ZooKeeper refuses in
// the path of a node.
func unsafeRune(r rune) bool {
	switch {
	case r == ' ', r == utf8.RuneError:
		return false
	case unicode.IsControl(r), unicode.IsSpace(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
		return true
	}
	return r >= 0xFFF0 && r <= 0xFFFF
}

// serviceName checks the name of the metrics service of the last container.
// Nomad takes the same names for its own catalog as for Consul's.
func serviceName(d *Definition, maxIndex int) []string {
	if maxIndex == 0 {
		if n, err := d.Stmgrs(); err == nil {
			maxIndex = n
		}
	}
	service := fmt.Sprintf("%s%s-%d", servicePrefix, d.Name(), maxIndex)
	var problems []string
	if n := len(service); n > maxLabel {
		problems = append(problems, fmt.Sprintf(
			"the metrics service %q would have %d characters and Nomad takes %d: make the topology's name at most %d long, or turn off heron.nomad.metrics.service.register",
			service, n, maxLabel, max(maxLabel-(n-len(d.Name())), 0)))
	}
	for _, r := range d.Name() {
		if r != '-' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)) {
			problems = append(problems, fmt.Sprintf(
				"its name has %q, which the name of a metrics service may not have: use letters, digits and -, or turn off heron.nomad.metrics.service.register", r))
			break
		}
	}
	return problems
}
