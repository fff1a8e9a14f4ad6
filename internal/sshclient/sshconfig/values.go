package sshconfig

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
)

var (
	errNoValue = errors.New("the value is missing")
	errExtra   = errors.New("there is more on the line than this keyword takes; quote a value with blanks")
)

// words are the words of a value, to be taken one after the other.
type words []string

// take returns the next word, which must not be empty.
func (w *words) take() (string, error) {
	if len(*w) == 0 || (*w)[0] == "" {
		return "", errNoValue
	}
	word := (*w)[0]
	*w = (*w)[1:]
	return word, nil
}

// read checks the value of a keyword and returns its words, none for a value
// that changes nothing. rest is the value as it is written. Where OpenSSH
// refuses a value, so does read.
func (k keyword) read(args []string, rest string, getenv func(string) string) ([]string, error) {
	left := words(args)
	var values []string
	var err error
	switch k.form {
	case "any", "host", "include", "match":
		return args, nil
	case "command":
		return []string{strings.TrimLeft(rest, blanks+"=")}, nil
	case "files", "domains", "aliases", "names", "settings", "opens":
		return k.readList(args)
	case "forward", "listen":
		return nil, checkForward(k, &left, getenv)
	case "addkeys", "rekey", "qos":
		err = k.readOther(&left)
	default:
		var value string
		if value, err = left.take(); err == nil {
			value, err = k.readOne(value, getenv)
			values = []string{value}
		}
		if k.form == "time" && value == "none" {
			values = nil // as if the line were not there
		}
	}
	if err == nil && len(left) > 0 {
		err = errExtra
	}
	return values, err
}

// readOne checks a value that is one word.
func (k keyword) readOne(value string, getenv func(string) string) (string, error) {
	switch k.form {
	case "choice":
		return choose(value, k.choices)
	case "number":
		n, err := strconv.ParseInt(strings.TrimLeft(value, blanks+"\f\v"), 10, 32)
		if err != nil || n < 0 {
			return "", fmt.Errorf("%s must be a whole number from 0 to %d", value, math.MaxInt32)
		}
		return strconv.FormatInt(n, 10), nil
	case "time":
		if value == "none" {
			return value, nil
		}
		seconds, err := readTime(value)
		return strconv.Itoa(seconds), err
	case "port":
		port, err := readPort(value)
		if err == nil && port == 0 {
			err = errors.New("0 is not a port")
		}
		return strconv.Itoa(port), err
	case "ciphers", "macs", "kex", "keys":
		return value, checkAlgorithms(k.form, value)
	case "agent":
		return value, checkAgent(value, getenv)
	case "agentflag":
		if slices.Contains([]string{"yes", "no", "true", "false"}, lower(value)) {
			return value, nil
		}
		return value, checkAgent(value, getenv)
	}
	return value, checkOther(k.form, value)
}

// choose returns the choice that a value is; true and false are yes and no.
func choose(value string, choices []string) (string, error) {
	value = lower(value)
	if !slices.Contains(choices, value) {
		return "", fmt.Errorf("%s is not a choice; these are: %s", value, strings.Join(choices, ", "))
	}
	switch value {
	case "true":
		return "yes", nil
	case "false":
		return "no", nil
	}
	return value, nil
}

// readList checks a value that is a list of words.
func (k keyword) readList(args []string) ([]string, error) {
	var values []string
	for _, word := range args {
		var err error
		switch k.form {
		case "files", "domains":
			if word == "" {
				return nil, errNoValue
			}
			if lower(word) == "none" && len(args) > 1 {
				return nil, errors.New("none must stand alone")
			}
			if k.form == "domains" {
				word, err = domain(word)
			}
		case "aliases":
			word, err = readAlias(word, len(args))
		case "names":
			if word == "" || strings.Contains(word, "=") {
				err = fmt.Errorf("%q is not the name of an environment variable", word)
			}
		case "settings":
			if !strings.Contains(word, "=") {
				err = fmt.Errorf("%s must be NAME=VALUE", word)
			}
		case "opens":
			err = checkOpen(word, len(args))
		}
		if err != nil {
			return nil, err
		}
		values = append(values, word)
	}
	if k.form == "opens" && len(args) == 0 {
		return nil, errNoValue
	}
	return values, nil
}

// readAlias checks a rule of CanonicalizePermittedCNAMEs.
func readAlias(word string, words int) (string, error) {
	if lower(word) == "none" {
		if words > 1 {
			return "", errors.New("none must stand alone")
		}
		return "none", nil
	}
	if word == "*" {
		return "*:*", nil
	}
	if from, to, _ := strings.Cut(word, ":"); to == "" {
		return "", fmt.Errorf("%s must be NAMES:NAMES", from)
	}
	return lower(word), nil
}

// domain checks a domain name and returns it in lower case, without the dot
// at its end.
func domain(name string) (string, error) {
	name = lower(name)
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_' && c != '.') {
			return "", fmt.Errorf("%s is not a domain name", name)
		}
	}
	if name == "" || strings.Contains(name, "..") {
		return "", fmt.Errorf("%q is not a domain name", name)
	}
	return strings.TrimSuffix(name, "."), nil
}

// readPort reads a port or the name of a service.
func readPort(text string) (int, error) {
	if n, err := strconv.ParseInt(strings.TrimLeft(text, blanks+"\f\v"), 10, 64); err == nil && n >= 0 && n <= 65535 {
		return int(n), nil
	}
	if text != "" && strings.Trim(text, "+-0123456789") != "" {
		//nolint:noctx // names of services are in a file
		if n, err := net.LookupPort("tcp", text); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s is not a port; a port is a number from 1 to 65535", text)
}

// readTime reads a time such as 90, 10m or 1h30m, in seconds.
func readTime(text string) (int, error) {
	bad := fmt.Errorf("%s is not a time; write seconds, or a time such as 10m or 1h30m", text)
	total := int64(0)
	for rest := text; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil {
			return 0, bad
		}
		rest = rest[digits:]
		unit := int64(1)
		if rest != "" {
			switch rest[0] {
			case 's', 'S':
			case 'm', 'M':
				unit = 60
			case 'h', 'H':
				unit = 3600
			case 'd', 'D':
				unit = 86400
			case 'w', 'W':
				unit = 7 * 86400
			default:
				return 0, bad
			}
			rest = rest[1:]
		}
		if total += n * unit; total > math.MaxInt32 {
			return 0, bad
		}
	}
	return int(total), nil
}
