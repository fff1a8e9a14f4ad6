package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases may expand a file to.
const maxNodes = 100_000

// readFile reads a YAML file whose document is a map. A file that is missing,
// empty, or a directory gives an empty map.
func readFile(path string) (mapping, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		info, statErr := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || statErr == nil && info.IsDir() {
			return nil, nil
		}
		return nil, &Error{Source: fileSource(path, 0), Msg: "cannot be read", Err: err, Hint: "make it readable or remove it"}
	}
	return parseYAML(path, data)
}

// parseYAML reads one document, a map or nothing.
func parseYAML(file string, data []byte) (mapping, error) {
	text, msg := plainText(data)
	if msg != "" {
		return nil, &Error{Source: fileSource(file, lineOf(data)), Msg: msg + ", and Heron's processes read UTF-8 only", Hint: "save it as UTF-8"}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, syntaxError(file, text, err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, &Error{Source: fileSource(file, second.Line), Msg: "a second document begins here", Hint: "one file holds one YAML map"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(file, text, err)
	}
	r := &yamlReader{file: file}
	v, err := r.value(doc.Content[0])
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case mapping:
		return v, nil
	}
	line := doc.Content[0].Line
	if err := noBlank(file, text, line, line+strings.Count(doc.Content[0].Value, "\n")); err != nil {
		return nil, err
	}
	return nil, &Error{Source: fileSource(file, line), Msg: "holds " + kindName(v), Hint: `a configuration file is a map of "key: value" lines`}
}

type yamlReader struct {
	file   string
	nodes  int
	active []*yaml.Node
}

func (r *yamlReader) fail(n *yaml.Node, format string, args ...any) error {
	return &Error{Source: fileSource(r.file, n.Line), Msg: fmt.Sprintf(format, args...)}
}

func (r *yamlReader) value(n *yaml.Node) (any, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, r.fail(n, "too large: aliases expand to more than %d values", maxNodes)
	}
	switch n.Kind {
	case yaml.AliasNode:
		for _, a := range r.active {
			if a == n.Alias {
				return nil, r.fail(n, "alias *%s refers to what contains it", n.Value)
			}
		}
		return r.value(n.Alias)
	case yaml.ScalarNode:
		v, err := parseScalar(scalarTag(n), n.Value)
		if err != nil {
			return nil, &Error{Source: fileSource(r.file, n.Line), Msg: "cannot be read", Err: err, Hint: "quote it to make it a string"}
		}
		return v, nil
	case yaml.SequenceNode:
		if tag := explicitTag(n); tag != "" && tag != "!!seq" {
			return nil, r.fail(n, "tag %s cannot be read", tag)
		}
		return r.list(n)
	case yaml.MappingNode:
		if tag := explicitTag(n); tag != "" && tag != "!!map" && tag != "!!omap" {
			return nil, r.fail(n, "tag %s cannot be read", tag)
		}
		return r.mapping(n)
	}
	return nil, r.fail(n, "cannot be read")
}

func (r *yamlReader) list(n *yaml.Node) (any, error) {
	r.active = append(r.active, n)
	defer func() { r.active = r.active[:len(r.active)-1] }()
	list := make([]any, 0, len(n.Content))
	for _, c := range n.Content {
		v, err := r.value(c)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// mapping reads a map; of a key given twice the later one counts, and stands
// at its place.
func (r *yamlReader) mapping(n *yaml.Node) (any, error) {
	r.active = append(r.active, n)
	defer func() { r.active = r.active[:len(r.active)-1] }()
	var own, merged mapping
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode, valueNode := n.Content[i], n.Content[i+1]
		if isMerge(keyNode) {
			m, err := r.mergeSource(valueNode)
			if err != nil {
				return nil, err
			}
			for _, p := range m {
				// The marker tells the place of merged keys apart from own ones.
				own, merged = append(own, pair{key: mergedKey(len(merged))}), append(merged, p)
			}
			continue
		}
		key, err := r.value(keyNode)
		if err != nil {
			return nil, err
		}
		value, err := r.value(valueNode)
		if err != nil {
			return nil, err
		}
		for j := range own {
			if sameKey(own[j].key, key) {
				own = append(own[:j], own[j+1:]...)
				break
			}
		}
		own = append(own, pair{key: key, value: value, text: nodeText(valueNode), line: keyNode.Line})
	}
	return resolveMerge(own, merged), nil
}

// mergedKey stands for the i-th merged pair until own keys are known.
type mergedKey int

// resolveMerge puts merged pairs in the place of their merge key; own values
// win, and of two merged ones the first.
func resolveMerge(own, merged mapping) mapping {
	if len(merged) == 0 {
		return own
	}
	var out mapping
	for _, p := range own {
		isOwn := true
		if i, ok := p.key.(mergedKey); ok {
			p, isOwn = merged[i], false
		}
		at := -1
		for j := range out {
			if sameKey(out[j].key, p.key) {
				at = j
			}
		}
		switch {
		case at < 0:
			out = append(out, p)
		case isOwn:
			out[at] = p
		}
	}
	return out
}

func (r *yamlReader) mergeSource(n *yaml.Node) (mapping, error) {
	v, err := r.value(n)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case mapping:
		return v, nil
	case []any:
		var all mapping
		for _, item := range v {
			m, ok := item.(mapping)
			if !ok {
				return nil, r.fail(n, "<< takes a map or a list of maps, not %s in a list", kindName(item))
			}
			all = append(all, m...)
		}
		return all, nil
	}
	return nil, r.fail(n, "<< takes a map or a list of maps, not %s", kindName(v))
}

func sameKey(a, b any) bool {
	if s, ok := a.(string); ok {
		t, ok := b.(string)
		return ok && s == t
	}
	return reflect.DeepEqual(a, b)
}

func isMerge(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "<<" && n.Style == 0 || n.Kind == yaml.ScalarNode && explicitTag(n) == "!!merge"
}

func nodeText(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

func explicitTag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 {
		return ""
	}
	return n.ShortTag()
}

func scalarTag(n *yaml.Node) string {
	if tag := explicitTag(n); tag != "" {
		return strings.TrimPrefix(tag, "tag:yaml.org,2002:")
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Tag == "!" {
		return tagString
	}
	return plainTag(n.Value)
}
