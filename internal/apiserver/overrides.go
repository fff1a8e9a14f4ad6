package apiserver

import (
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// allowList says which configuration keys clients may set.
type allowList []string

// dangerousWords are words of keys that choose code, places or rights. A pattern
// does not cover them; only the key itself, or "*", does.
func dangerousWords() []string {
	return []string{
		"class", "classpath", "uri", "url", "uris", "host", "hostname", "address", "connection", "server", "tunnel",
		"path", "dir", "directory", "file", "files", "binary", "command", "script", "template", "shell", "jvm", "opts", "options",
		"image", "volumes", "privileged", "auth", "token", "password", "secret", "key", "cert", "env",
	}
}

// check refuses the first key, in order, that clients may not set.
func (a allowList) check(keys []string) error {
	for _, key := range keys {
		if !a.allows(key) {
			return &httpError{
				status: http.StatusForbidden, kind: "denied",
				msg: "this server does not let clients set " + key + "; its operator can allow it with --allow-override " + key,
			}
		}
	}
	return nil
}

func (a allowList) allows(key string) bool {
	for _, pattern := range a {
		prefix, open := strings.CutSuffix(pattern, "*")
		switch {
		case pattern == "*", pattern == key:
			return true
		case open && strings.HasPrefix(key, prefix) && !isDangerous(key):
			return true
		}
	}
	return false
}

func isDangerous(key string) bool {
	words := strings.FieldsFunc(strings.ToLower(key), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(dangerousWords(), w) })
}
