package sshconfig

import (
	"errors"
	"strings"
)

var errQuote = errors.New("a quote is not closed")

// split cuts options into words as a shell does, without expanding anything:
// blanks separate words, quotes and backslashes keep them together.
func split(line string) ([]string, error) {
	var (
		words  []string
		word   strings.Builder
		inWord bool
		quoted rune
		escape bool
	)
	for _, c := range line {
		switch {
		case escape:
			// Between double quotes a backslash escapes only these.
			if quoted == '"' && !strings.ContainsRune("\"\\$`", c) {
				word.WriteRune('\\')
			}
			word.WriteRune(c)
			escape = false
		case c == '\\' && quoted != '\'':
			escape, inWord = true, true
		case quoted != 0:
			if c == quoted {
				quoted = 0
			} else {
				word.WriteRune(c)
			}
		case c == '"' || c == '\'':
			quoted, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quoted != 0 || escape {
		return nil, errQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// Quote makes a text one word, for a POSIX shell and for Options.Args.
func Quote(text string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("@%+=:,./-_", c)
	}
	if text != "" && strings.IndexFunc(text, func(c rune) bool { return !plain(c) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
