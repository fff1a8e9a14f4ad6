package sshconfig

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// expandPercent replaces %X by the text for X.
func expandPercent(text string, tokens map[byte]string) (string, error) {
	return expand(text, tokens, nil)
}

// expandEnv replaces ${NAME} by the value of an environment variable.
func expandEnv(text string, getenv func(string) string) (string, error) {
	return expand(text, nil, getenv)
}

// expand replaces tokens and environment variables in one go; without tokens
// or getenv the text of that kind stays.
func expand(text string, tokens map[byte]string, getenv func(string) string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case getenv != nil && strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return "", fmt.Errorf("%s: a ${ has no }", text)
			}
			name := text[i+2 : i+end]
			value := getenv(name)
			if value == "" {
				return "", fmt.Errorf("%s: the environment variable %q is not set", text, name)
			}
			b.WriteString(value)
			i += end
		case tokens != nil && text[i] == '%':
			if i++; i == len(text) {
				return "", fmt.Errorf("%s: a token is missing behind %%; write %%%% for %%", text)
			}
			value, ok := tokens[text[i]]
			if text[i] == '%' {
				value, ok = "%", true
			}
			if !ok {
				return "", fmt.Errorf("%s: the token %%%c is not known here", text, text[i])
			}
			b.WriteString(value)
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), nil
}

// checkAgent refuses what names no socket and no environment variable.
func checkAgent(value string, getenv func(string) string) error {
	if _, err := expandEnv(value, getenv); err != nil {
		return err
	}
	name, variable := strings.CutPrefix(value, "$")
	if variable && !strings.HasPrefix(name, "{") && (name == "" || strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})) {
		return fmt.Errorf("%s is not the name of an environment variable", value)
	}
	return nil
}

// tilde replaces ~ and ~user at the beginning of a path.
func (r *reader) tilde(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path, nil
	}
	name, rest, _ := strings.Cut(rest, "/")
	home := r.home
	if name != "" {
		var err error
		if home, err = r.account(name); err != nil {
			return "", fmt.Errorf("%s: there is no user %s", path, name)
		}
	}
	return strings.TrimSuffix(home, "/") + "/" + strings.TrimLeft(rest, "/"), nil
}

// homeOf is the home of a user of this machine.
func homeOf(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.HomeDir, nil
}

// tokens are the replacements that most values may contain.
func (h *Host) tokens(o Options, local string) (map[byte]string, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, errors.New("the name of this machine is not known")
	}
	short, _, _ := strings.Cut(name, ".")
	key := h.Alias
	if h.HostKeyAlias != "" {
		key = h.HostKeyAlias
	}
	hash := sha1.Sum([]byte(name + h.HostName + h.Port + h.User))
	return map[byte]string{
		'C': hex.EncodeToString(hash[:]), 'L': short, 'd': o.Home, 'h': h.HostName, 'i': strconv.Itoa(os.Getuid()),
		'k': key, 'l': name, 'n': h.Alias, 'p': h.Port, 'r': h.User, 'u': local,
	}, nil
}
