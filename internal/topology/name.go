package topology

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/lazyregexp"
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

// nomadProblems are about texts that a Nomad job of the id
// heron.<cluster>.<name>, a node in ZooKeeper, a file or an argument of an
// executor cannot have. Slashes and dots in a name are refused elsewhere.
func nomadProblems(d *Definition, cluster string) []string {
	name := d.Name()
	problems := nomadName(name)
	// The id begins with the name. What is wrong with that is said once.
	rest := strings.TrimPrefix(d.ID(), name)
	if name == "" || len(rest) == len(d.ID()) {
		rest = d.ID()
	} else {
		rest = "x" + rest
	}
	if !idForm.MatchString(rest) && d.ID() != "" || strings.Contains(d.ID(), "..") {
		problems = append(problems, fmt.Sprintf("its id %q is not valid: use letters, digits and . _ + @ ~ - only, begin with a letter or digit, and put no two dots in a row", d.ID()))
	}
	if n := len(d.ID()); n > maxIDLength && len(name) <= MaxNameLength {
		problems = append(problems, fmt.Sprintf("its id has %d bytes: use at most %d", n, maxIDLength))
	}
	d.components(func(c *heronpb.Component, _ bool) {
		if strings.Contains(c.GetName(), "${") {
			problems = append(problems, fmt.Sprintf(`the name of component %q has "${", which Nomad takes for a variable: rename it`, c.GetName()))
		}
	})
	if strings.ContainsAny(cluster, " \x00") {
		problems = append(problems, fmt.Sprintf("the cluster's name %q has a space, which the id of a Nomad job may not have: rename the cluster", cluster))
	}
	return problems
}

// idForm is what an id may be made of: it goes into paths, arguments that
// Nomad and shells read, and the executor's flags.
var idForm = lazyregexp.New(`^[\p{L}\p{N}_][\p{L}\p{N}_.+@~-]*$`)

// maxIDLength is the longest id, in bytes: file systems take names of 255.
const maxIDLength = 200

// nomadName checks the name alone.
func nomadName(name string) []string {
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
	if strings.ContainsAny(name, shellRunes) && !strings.Contains(name, "${") {
		add("its name has a character that a shell or an address would read as its own: use letters, digits, - and _")
	}
	if i := strings.IndexFunc(name, otherRune); i >= 0 {
		r, _ := utf8.DecodeRuneInString(name[i:])
		add("its name has %+q, which ids and files made from it may not have: use letters, digits, - and _", r)
	}
	if strings.HasPrefix(name, "-") || strings.HasPrefix(name, "+") || strings.HasPrefix(name, "@") {
		add("its name begins with %q, with which an option or address could begin: use a letter or digit", name[0])
	}
	return problems
}

// shellRunes are read by shells and addresses as their own.
const shellRunes = "\"'`$\\;&|<>*?(){}[]!#~%"

// otherRune holds for what is in no id and has no message of its own.
func otherRune(r rune) bool {
	return r != utf8.RuneError && r != ' ' && !strings.ContainsRune("./_+@-", r) && !unicode.IsLetter(r) && !unicode.IsNumber(r) &&
		!unsafeRune(r) && !strings.ContainsRune(shellRunes, r)
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
