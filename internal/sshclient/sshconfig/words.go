package sshconfig

import "strings"

// blanks are OpenSSH's white space between words.
const blanks = " \t\r\n"

// arguments splits the value of a configuration line the way OpenSSH does:
// single and double quotes keep blanks, a backslash escapes a quote, a
// backslash or a blank, and a word that begins with # starts a comment.
func arguments(s string) ([]string, error) {
	var args []string
	for i := 0; i < len(s); i++ {
		if s[i] == ' ' || s[i] == '\t' {
			continue
		}
		if s[i] == '#' {
			break
		}
		var arg []byte
		quote := byte(0)
	word:
		for ; i < len(s); i++ {
			switch c := s[i]; {
			case c == '\\':
				if i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' ') {
					i++
				}
				arg = append(arg, s[i])
			case quote == 0 && (c == ' ' || c == '\t'):
				break word
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			default:
				arg = append(arg, c)
			}
		}
		if quote != 0 {
			return nil, errQuote
		}
		args = append(args, string(arg))
	}
	return args, nil
}

// cursor reads words the older way, which OpenSSH keeps for keywords and for
// the criteria of Match: one = may stand between two words, and of quotes
// only double ones count.
type cursor struct {
	rest string
	// end: the last word reached the end of the text.
	end bool
}

// next returns the next word; ok is false at the end and for a quote that is
// not closed.
func (c *cursor) next() (word string, ok bool) {
	if c.end {
		return "", false
	}
	at := strings.IndexAny(c.rest, blanks+`"=`)
	if at < 0 {
		c.end = true
		return c.rest, true
	}
	if c.rest[at] == '"' {
		text := c.rest[:at] + c.rest[at+1:]
		length := strings.IndexByte(text[at:], '"')
		if length < 0 {
			c.end = true
			return "", false
		}
		c.rest = strings.TrimLeft(text[at+length+1:], blanks)
		return text[:at+length], true
	}
	word = c.rest[:at]
	equals := c.rest[at] == '='
	c.rest = strings.TrimLeft(c.rest[at+1:], blanks)
	if !equals && strings.HasPrefix(c.rest, "=") {
		c.rest = strings.TrimLeft(c.rest[1:], blanks)
	}
	return word, true
}

// matchPattern says whether a pattern with * and ? matches a text.
func matchPattern(text, pattern string) bool {
	// star is where to continue after a mismatch: one byte further in the text.
	star, from := -1, 0
	t, p := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			t++
			p++
		case star >= 0:
			from++
			t, p = from, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchList says whether a list of patterns, separated by commas, matches a
// text: at least one does, and none that begins with ! does.
func matchList(text, list string) bool {
	found := false
	for pattern := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if pattern == "" || !matchPattern(text, pattern) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

// MatchHost is matchList for host names, whose case does not count.
func MatchHost(name, list string) bool {
	return matchList(lower(name), lower(list))
}

// lower changes the case of ASCII letters only, as OpenSSH does.
func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
