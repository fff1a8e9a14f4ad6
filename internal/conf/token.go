package conf

import (
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// Tokens are replaced in string values, path component by path component: a
// component that is wholly ${NAME} gives way to the value of the key of that
// name. A value that looks like a URL keeps what stands before its last "://".
var (
	urlForm   = lazyregexp.New(`^([^\n\r\x{85}\x{2028}\x{2029}]+)://([^\n\r\x{85}\x{2028}\x{2029}]+)$`)
	tokenForm = lazyregexp.New(`^\$\{([A-Z_]+)\}$`)
)

const (
	// maxPasses and maxLength stop tokens that refer to each other in a circle
	// and grow with every pass.
	maxPasses = 100
	maxLength = 1 << 16
)

// tokens knows what the tokens of one configuration stand for.
type tokens struct {
	userHome, javaHome string
	values             map[string]*entry
}

// expand replaces the tokens of all values, over and over, until the number
// of values that still have one stays the same.
func expand(values map[string]*entry, userHome, javaHome string) (map[string]*entry, error) {
	before, keys := 0, sortedKeys(values)
	for range maxPasses {
		t := tokens{userHome, javaHome, values}
		next := make(map[string]*entry, len(values))
		left := 0
		for _, k := range keys {
			e := values[k]
			s, ok := e.value.(string)
			if !ok {
				next[k] = e
				continue
			}
			s, err := t.replace(k, e, s)
			if err != nil {
				return nil, err
			}
			if strings.Contains(s, "${") {
				left++
			}
			next[k] = &entry{value: s, text: s, source: e.source}
		}
		values = next
		if left == before {
			return values, nil
		}
		before = left
	}
	return nil, &Error{Msg: "tokens refer to each other in a circle", Hint: "look for keys whose values name each other with ${...}"}
}

// replace goes over one value once.
func (t tokens) replace(key string, e *entry, s string) (string, error) {
	s = trimSpace(s)
	if !strings.ContainsAny(s, "/~$") { // as most have not
		return s, nil
	}
	if strings.Contains(s, "://") { // few have it, and the form costs more
		if m := urlForm.FindStringSubmatch(s); m != nil {
			rest, err := t.replace(key, e, m[2])
			return m[1] + "://" + rest, err
		}
	}
	parts := strings.Split(s, "/")
	for len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 1 && parts[0] == "" && s != "" {
		return "/", nil
	}
	length := 0
	for i, part := range parts {
		text, err := t.component(key, e, part)
		if err != nil {
			return "", err
		}
		if length += len(text); length > maxLength && text != part {
			return "", e.wrong(key, "its tokens refer to each other in a circle", "")
		}
		parts[i] = text
	}
	return joinPath(parts), nil
}

func (t tokens) component(key string, e *entry, part string) (string, error) {
	switch part {
	case "~", "${HOME}":
		if t.userHome != "" {
			return t.userHome, nil
		}
		return part, nil
	case "${JAVA_HOME}":
		if t.javaHome != "" {
			return t.javaHome, nil
		}
		return part, nil
	}
	if !strings.HasPrefix(part, "${") {
		return part, nil
	}
	m := tokenForm.FindStringSubmatch(part)
	if m == nil {
		return part, nil
	}
	named, ok := keyNamed(m[1])
	if !ok {
		return part, nil
	}
	found, ok := t.values[named]
	if !ok || found.value == nil {
		return part, nil
	}
	if _, ok := scalarText(found.value); !ok {
		return "", e.wrong(key, part+" stands for "+named+", which is "+kindName(found.value), "a token can stand for text only")
	}
	return found.text, nil
}

// trimSpace takes off spaces and control characters.
func trimSpace(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// joinPath puts components together as a file path: repeated slashes and one
// at the end vanish, dots stay.
func joinPath(parts []string) string {
	path := cleanSlashes(parts[0])
	for i, part := range parts[1:] {
		child := cleanSlashes(part)
		parent := path
		if i == 0 && parent == "" {
			parent = "/"
		}
		switch {
		case child == "":
			path = parent
		case parent == "/" && strings.HasPrefix(child, "/"):
			path = child
		case parent == "/" || strings.HasPrefix(child, "/"):
			path = parent + child
		default:
			path = parent + "/" + child
		}
	}
	return path
}

func cleanSlashes(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	if len(s) > 1 {
		s = strings.TrimSuffix(s, "/")
	}
	return s
}
