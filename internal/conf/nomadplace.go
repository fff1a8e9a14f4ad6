package conf

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// operator is one of Nomad's for constraints.
type operator struct {
	name string
	// attribute and value must stand beside it.
	attribute, value bool
	// hard ones are for constraints alone.
	hard bool
}

func operators() []operator {
	var list []operator
	for _, name := range []string{
		"=", "==", "is", "!=", "not", ">", ">=", "<", "<=", "regexp", "version", "semver",
		"set_contains", "set_contains_all", "set_contains_any",
	} {
		list = append(list, operator{name: name, attribute: true, value: true})
	}
	return append(list,
		operator{name: "is_set", attribute: true, hard: true},
		operator{name: "is_not_set", attribute: true, hard: true},
		operator{name: "distinct_hosts", hard: true},
		operator{name: "distinct_property", attribute: true, hard: true},
	)
}

const maxPriority = 100

func (r *reader) nomadPlace() NomadPlace {
	const pool = "heron.nomad.node.pool"
	p := NomadPlace{
		NodePool: r.text(pool, ""),
	}
	if p.NodePool != "" && !nomadName.MatchString(p.NodePool) {
		r.wrong(pool, p.NodePool+" is not the name of a node pool", "use letters, digits, - and _")
	}
	p.Priority, _ = r.number("heron.nomad.priority", 1, maxPriority)
	r.each(keyConstraints, "constraint", []string{"attribute", "operator", "value"}, func(f fields) {
		c := Constraint{f.text("attribute"), f.text("operator"), f.text("value")}
		c.Operator = f.operator(c, true)
		p.Constraints = append(p.Constraints, c)
	})
	r.each(keyAffinities, "affinity", []string{"attribute", "operator", "value", "weight"}, func(f fields) {
		c := Constraint{f.text("attribute"), f.text("operator"), f.text("value")}
		a := Affinity{c.Attribute, f.operator(c, false), c.Value, f.number("weight", 50, -100, 100)}
		if a.Weight == 0 {
			f.wrong("has the weight 0", "use 1 to 100 to prefer nodes, -100 to -1 to avoid them")
		}
		p.Affinities = append(p.Affinities, a)
	})
	r.each(keySpreads, "spread", []string{"attribute", "weight", "targets"}, func(f fields) {
		s := Spread{Attribute: f.text("attribute"), Weight: f.number("weight", 50, 1, 100), Targets: f.targets()}
		if s.Attribute == "" {
			f.wrong("has no attribute", `name one, such as "${node.datacenter}"`)
		}
		p.Spreads = append(p.Spreads, s)
	})
	return p
}

// operator checks what stands beside an operator and returns it.
func (f fields) operator(c Constraint, hard bool) string {
	name := cmp.Or(c.Operator, "=")
	var names []string
	var o operator
	for _, known := range operators() {
		if known.name == name {
			o = known
		}
		if hard || !known.hard {
			names = append(names, known.name)
		}
	}
	switch {
	case !slices.Contains(names, name):
		f.wrong("has the operator "+name, "use one of "+strings.Join(names, " "))
	case o.attribute && c.Attribute == "":
		f.wrong("has no attribute", `name one in quotes, such as "${attr.cpu.arch}"`)
	case o.value && c.Value == "":
		f.wrong("has no value", "say what the attribute is compared with")
	case name == "regexp":
		if _, err := regexp.Compile(c.Value); err != nil {
			f.wrong("has a value that is no regular expression", err.Error())
		}
	}
	return name
}

// targets are shares of 100 percent at most.
func (f fields) targets() []SpreadTarget {
	v, _ := f.m.get("targets")
	if v == nil {
		return nil
	}
	m, ok := v.(mapping)
	if !ok {
		f.wrong("targets is "+kindName(v), "give it a map of values and percents")
		return nil
	}
	var list []SpreadTarget
	sum := 0
	for _, p := range m {
		value, ok := scalarText(p.key)
		if !ok {
			f.wrong("has a target that is "+kindName(p.key), "give it text")
			continue
		}
		t := SpreadTarget{Value: value, Percent: f.within("the percent of "+value, p.value, 0, 100)}
		list, sum = append(list, t), sum+t.Percent
	}
	if sum > 100 {
		f.wrong("has targets of more than 100 percent", "")
	}
	slices.SortFunc(list, func(a, b SpreadTarget) int { return strings.Compare(a.Value, b.Value) })
	return list
}
