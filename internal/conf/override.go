package conf

import (
	"maps"
	"slices"
	"strings"
)

// OverrideYAML is the text of heron-conf/override.yaml for a package, which
// executors lay over their other files: the cluster's own override.yaml with
// the caller's properties on top, keys in order, no secrets. It is "{}" where
// there is nothing to override; executors insist that the file exists.
func (l *Loaded) OverrideYAML() ([]byte, error) {
	values := map[string]*entry{}
	for _, layer := range l.overrides {
		maps.Copy(values, layer.values)
	}
	state, err := l.stateOverrides()
	if err != nil {
		return nil, err
	}
	maps.Copy(values, state)
	var m mapping
	for _, k := range sortedKeys(values) {
		m = append(m, pair{key: k, value: values[k].value})
	}
	return emit(withoutSecrets(m).(mapping)), nil
}

// ServerOverrides is the override file that an API server makes of its own
// -D properties: every value stays text.
func ServerOverrides(properties map[string]string) []byte {
	return emit(textMapping(properties))
}

// MergeOverrides lays a submission's overrides over an override file.
func MergeOverrides(file string, data []byte, overrides map[string]string) ([]byte, error) {
	m, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	return emit(layOver(m, textMapping(overrides), true)), nil
}

// ReplaceOverridden returns a file with the values of those of its keys that
// an override file has too. Executors read state manager settings from
// statemgr.yaml only, so overrides must be written into it.
func ReplaceOverridden(file string, data []byte, overrideFile string, override []byte) ([]byte, error) {
	m, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	top, err := parseYAML(overrideFile, override)
	if err != nil {
		return nil, err
	}
	return emit(layOver(m, top, false)), nil
}

// layOver gives keys of m the values that top has for them; with add, keys
// that only top has follow.
func layOver(m, top mapping, add bool) mapping {
	out := slices.Clone(m)
	for _, p := range top {
		at := slices.IndexFunc(out, func(q pair) bool { return sameKey(p.key, q.key) })
		switch {
		case at >= 0:
			out[at].value = p.value
		case add:
			out = append(out, p)
		}
	}
	return out
}

func textMapping(values map[string]string) mapping {
	m := make(mapping, 0, len(values))
	for k, v := range values {
		m = append(m, pair{key: k, value: v, text: v})
	}
	slices.SortFunc(m, func(a, b pair) int { return strings.Compare(a.key.(string), b.key.(string)) })
	return m
}
