package conf

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// What the engine reads in heron_internals.yaml is a whole number of 32 bits
// but for these keys.
const (
	keyLogFolder    = "heron.logging.directory"
	keyBindAll      = "heron.tmanager.metrics.network.bindallinterfaces"
	keySampleWeight = "heron.instance.tuning.current.sample.weight"
)

// checkInternals refuses a heron_internals.yaml with which the engine would
// not start: a key is missing or has a value of another type.
func (l *Loaded) checkInternals() error {
	var missing []string
	for _, key := range internalsKeys {
		e := l.engineValue(l.internalsPath, l.internals, key)
		if e == nil || e.value == nil {
			missing = append(missing, key)
			continue
		}
		if msg, hint := engineMistake(key, e); msg != "" {
			return e.wrong(key, msg+", and the engine does not start with it", hint)
		}
	}
	if len(missing) == 0 || len(l.internals) == 0 {
		return nil
	}
	return &Error{
		Source: fileSource(l.internalsPath, 0), Key: missing[0], Msg: "missing, and the engine does not start without it",
		Hint: "copy its line from Heron's conf/nomad; missing in all: " + strings.Join(missing, ", "),
	}
}

// engineValue is a key's value for the engine: that of the overrides, else
// that of a file.
func (l *Loaded) engineValue(path string, m mapping, key string) *entry {
	if e, ok := l.override(key); ok {
		return e
	}
	for _, p := range m {
		if name, ok := p.key.(string); ok && name == key {
			return &entry{value: p.value, text: p.text, source: fileSource(path, p.line)}
		}
	}
	return nil
}

// engineMistake says why the engine cannot read a value of
// heron_internals.yaml.
func engineMistake(key string, e *entry) (msg, hint string) {
	switch key {
	case keyLogFolder:
		if s, ok := e.value.(string); !ok || strings.TrimSpace(s) == "" {
			return e.shown() + " is not the name of a folder", "such as log-files"
		}
	case keyBindAll:
		s, isText := e.value.(string)
		// As text nothing but these is a boolean to the engine.
		if _, ok := e.value.(bool); !ok && (!isText || s != "true" && s != "false") {
			return e.shown() + " is not a boolean", "use true or false"
		}
	case keySampleWeight:
		n, _, err := (&Config{values: map[string]*entry{key: e}}).Float64(key)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return e.shown() + " is not a number", "such as 0.8"
		}
	default:
		return wholeMistake(e)
	}
	return "", ""
}

// wholeMistake says why a value is not a whole number to the engine.
func wholeMistake(e *entry) (msg, hint string) {
	n, ok := wholeNumber(e.value)
	if s, isText := e.value.(string); isText && s != strings.TrimSpace(s) {
		ok = false // the engine takes no blanks off
	}
	if !ok || n < 0 || n > math.MaxInt32 {
		return e.shown() + " is not a whole number from 0 to " + strconv.Itoa(math.MaxInt32), "write it without a unit"
	}
	return "", ""
}

// statefulPrefix begins the keys of stateful.yaml that are whole numbers.
const statefulPrefix = "heron.ckptmgr.network."

// checkStateful refuses numbers that a checkpoint manager cannot read.
func (l *Loaded) checkStateful() error {
	for _, key := range sortedKeys(l.values) {
		if e := l.values[key]; strings.HasPrefix(key, statefulPrefix) && e.value != nil {
			if msg, hint := wholeMistake(e); msg != "" {
				return e.wrong(key, msg+", and checkpoint managers do not start with it", hint)
			}
		}
	}
	return nil
}

// CheckEngine refuses a cluster directory with whose files the engine would
// not start, though what is made of it can be shown: heron_internals.yaml or
// the sinks of metrics are missing.
func (l *Loaded) CheckEngine() error {
	if len(l.internals) == 0 {
		return &Error{
			Source: fileSource(l.internalsPath, 0), Msg: "missing or empty, and the engine does not start without it",
			Hint: "copy the file of that name from Heron's conf/nomad",
		}
	}
	return l.checkSinks()
}

// checkSinks refuses sinks without which metrics managers do not start.
func (l *Loaded) checkSinks() error {
	sinks := l.engineValue(l.metricsPath, l.sinks, "sinks")
	if sinks == nil {
		return &Error{
			Source: fileSource(l.metricsPath, 0), Key: "sinks", Msg: "missing, and metrics managers do not start without it",
			Hint: "copy the file of that name from Heron's conf/nomad, or set sinks: []",
		}
	}
	names, ok := sinks.value.([]any)
	if !ok {
		return sinks.wrong("sinks", "is "+kindName(sinks.value), "give it a list of names")
	}
	for _, n := range names {
		name, ok := n.(string)
		if !ok {
			return sinks.wrong("sinks", "holds "+kindName(n), "give it a list of names, in quotes if they are not words")
		}
		sink := l.engineValue(l.metricsPath, l.sinks, name)
		if sink == nil {
			return sinks.wrong("sinks", "names "+name+", which is not set, and metrics managers do not start without it", "give "+name+" a map with a class, or take it out of the list")
		}
		m, _ := sink.value.(mapping)
		class, _ := m.get("class")
		if text, ok := class.(string); !ok || strings.TrimSpace(text) == "" {
			return sink.wrong(name, "has no class, and metrics managers do not start without it", "a sink is a map with a class")
		}
	}
	return nil
}

// capitalToken is what executors take for a token.
var capitalToken = lazyregexp.New(`\$\{[A-Z_]+\}`)

// forExecutors is statemgr.yaml as executors can read it. They refuse the file
// for a token that they do not know in any of its values, also in those of
// keys that only this program reads: these are left out, and other tokens get
// the values that they have in a container.
func (l *Loaded) forExecutors(path string, m mapping) (mapping, error) {
	cluster, err := l.Cluster()
	if err != nil {
		return nil, err
	}
	m = slices.DeleteFunc(m, func(p pair) bool {
		key, _ := p.key.(string)
		return slices.Contains(zooKeeperKeys[:], key)
	})
	for i, p := range m {
		key, _ := p.key.(string)
		text, isText := p.value.(string)
		if !isText || executorsResolve(text) {
			continue
		}
		e, ok := cluster.values[key]
		if !ok || !executorsResolve(e.text) {
			return nil, &Error{
				Source: fileSource(path, p.line), Key: key, Msg: "executors cannot replace " + capitalToken.FindString(text) + ", and stop at it",
				Hint: "use ~, ${HOME}, ${CLUSTER} or ${JAVA_HOME}, or write the value out",
			}
		}
		m[i].value, m[i].text = e.value, e.text
	}
	return m, nil
}

// executorsResolve says whether executors know all tokens of a text.
func executorsResolve(text string) bool {
	return !slices.ContainsFunc(capitalToken.FindAllString(text, -1), func(token string) bool { return !executorTokens[token] })
}
