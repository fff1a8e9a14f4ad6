package conf

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// structure is the list or map under a key, nil where it is not set. Text is
// read as YAML, and so as JSON: a caller's properties can only be text. Tokens
// are not replaced in it.
func (r *reader) structure(key, want string) any {
	e, ok := r.raw[key]
	if !ok || e.value == nil {
		return nil
	}
	v := e.value
	if text, isText := v.(string); isText {
		m, err := parseYAML(key, []byte("value: "+strings.TrimSpace(text)+"\n"))
		if err != nil || len(m) != 1 {
			r.wrong(key, "cannot be read as YAML or JSON", "give it "+want)
			return nil
		}
		v = m[0].value
	}
	switch v.(type) {
	case mapping, []any, nil:
		return v
	}
	r.wrong(key, "is "+kindName(v), "give it "+want)
	return nil
}

// rawText is text as it was written, no token replaced.
func (r *reader) rawText(key string) string {
	e, ok := r.raw[key]
	if !ok || e.value == nil {
		return ""
	}
	text, ok := scalarText(e.value)
	if !ok {
		r.wrong(key, "is "+kindName(e.value), "give it text")
	}
	return text
}

// fields is one map in the list under a key.
type fields struct {
	r    *reader
	key  string
	what string
	m    mapping
}

// each reads a list of maps with certain fields.
func (r *reader) each(key, what string, valid []string, read func(fields)) {
	want := "a list of maps with the fields " + strings.Join(valid, ", ")
	v := r.structure(key, want)
	list, ok := v.([]any)
	if !ok {
		if v != nil {
			r.wrong(key, "is "+kindName(v), "give it "+want)
		}
		return
	}
	for i, item := range list {
		f := fields{r: r, key: key, what: fmt.Sprintf("%s %d", what, i+1)}
		if f.m, ok = item.(mapping); !ok {
			f.wrong("is "+kindName(item), "give it a map with the fields "+strings.Join(valid, ", "))
			continue
		}
		for _, p := range f.m {
			name, _ := p.key.(string)
			if !slices.Contains(valid, name) {
				f.wrong("has an unknown field "+javaText(p.key), "use "+strings.Join(valid, ", "))
			}
		}
		read(f)
	}
}

func (f fields) wrong(msg, hint string) { f.r.wrong(f.key, f.what+" "+msg, hint) }

func (f fields) text(name string) string {
	v, ok := f.m.get(name)
	if !ok || v == nil {
		return ""
	}
	text, ok := scalarText(v)
	if !ok {
		f.wrong(name+" is "+kindName(v), "give it text")
	}
	return text
}

func (f fields) number(name string, fallback, least, most int) int {
	v, ok := f.m.get(name)
	if !ok || v == nil {
		return fallback
	}
	return f.within(name, v, least, most)
}

func (f fields) within(name string, v any, least, most int) int {
	n, ok := wholeNumber(v)
	if !ok || n < int64(least) || n > int64(most) {
		f.wrong(name+" is not such a number", rangeText(least, most))
		return least
	}
	return int(n)
}

func rangeText(least, most int) string {
	if most == math.MaxInt32 {
		return fmt.Sprintf("use a whole number of at least %d", least)
	}
	return fmt.Sprintf("use a whole number from %d to %d", least, most)
}
