package sshconfig

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// This file checks the values of keywords that have no effect here, because
// OpenSSH refuses a whole file for one bad value.

// checkOther checks a value that is one word.
func checkOther(form, value string) error {
	ok := true
	switch form {
	case "escape":
		ok = value == "none" || len(value) == 1 || len(value) == 2 && value[0] == '^' && value[1] >= 64 && value[1] < 128
	case "mask":
		n, err := strconv.ParseInt(value, 8, 32)
		ok = err == nil && n >= 0 && n <= 0o777
	case "device":
		local, remote, both := strings.Cut(value, ":")
		ok = tunnelUnit(local) && (!both || tunnelUnit(remote))
	case "persist":
		if value != "no" && value != "false" && value != "yes" && value != "true" {
			_, err := readTime(value)
			ok = err == nil
		}
	}
	if !ok {
		return fmt.Errorf("%s is not a value of this keyword", value)
	}
	return nil
}

func tunnelUnit(text string) bool {
	n, err := strconv.ParseInt(text, 10, 32)
	return lower(text) == "any" || err == nil && n >= 0 && n <= 0x7fffffff-2
}

// readOther checks values of one or two words.
func (k keyword) readOther(left *words) error {
	first, err := left.take()
	if err != nil {
		return err
	}
	second := ""
	if len(*left) > 0 {
		second = (*left)[0]
		*left = (*left)[1:]
	}
	switch k.form {
	case "qos":
		if !qos(first) || second != "" && !qos(second) {
			return fmt.Errorf("%s is not a class of service", strings.TrimSpace(first+" "+second))
		}
	case "rekey":
		if first != "default" {
			if err := checkSize(first); err != nil {
				return err
			}
		}
		if second != "" && second != "none" {
			_, err = readTime(second)
		}
	case "addkeys":
		choice, cerr := choose(first, []string{"yes", "no", "true", "false", "ask", "confirm"})
		switch {
		case cerr == nil && choice == "confirm" && second != "":
			_, err = readTime(second)
		case second != "":
			err = errExtra
		case cerr != nil:
			_, err = readTime(first)
		}
	}
	return err
}

func qos(text string) bool {
	switch text = lower(text); text {
	case "none", "ef", "le", "lowdelay", "throughput", "reliability":
		return true
	}
	if len(text) == 3 && strings.HasPrefix(text, "cs") {
		return text[2] >= '0' && text[2] <= '7'
	}
	if len(text) == 4 && strings.HasPrefix(text, "af") {
		return text[2] >= '1' && text[2] <= '4' && text[3] >= '1' && text[3] <= '3'
	}
	n, err := strconv.ParseInt(text, 0, 32)
	return err == nil && n >= 0 && n <= 255
}

// checkSize checks a number of bytes such as 512M for RekeyLimit.
func checkSize(text string) error {
	bad := fmt.Errorf("%s is not a size of at least 16 bytes; write a number, with K, M or G behind it", text)
	number := strings.TrimRight(text, "KMGTPEBkmgtpeb")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || len(text)-len(number) > 1 || strings.Trim(number, "+-.0123456789") != "" {
		return bad
	}
	if n < 0 || number == text && n != 0 && n < 16 {
		return bad
	}
	return nil
}

// checkOpen checks a rule of PermitRemoteOpen.
func checkOpen(word string, words int) error {
	if low := lower(word); low == "any" || low == "none" {
		if words > 1 {
			return errors.New(low + " must stand alone")
		}
		return nil
	}
	host, port, err := cutPort(word)
	if err == nil && port != "*" {
		_, err = readPort(port)
	}
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("%s must be HOST:PORT", word)
	}
	return nil
}

// checkForward checks what LocalForward, RemoteForward and DynamicForward say.
func checkForward(k keyword, left *words, getenv func(string) string) error {
	spec, err := left.take()
	if err != nil {
		return err
	}
	remote := k.key == "remoteforward"
	listenOnly := k.form == "listen"
	if !listenOnly {
		target, err := left.take()
		switch {
		case err == nil:
			spec += ":" + target
		case remote:
			listenOnly = true
		default:
			return err
		}
	}
	if len(*left) > 0 {
		return errExtra
	}
	spec, err = expandEnv(spec, getenv)
	if err != nil {
		return err
	}
	fields, ok := forwardFields(strings.TrimLeft(spec, " \t"))
	if !ok || !goodForward(fields, listenOnly, remote) {
		return fmt.Errorf("%s is not a forwarding", spec)
	}
	return nil
}

// forwardFields cuts at colons outside of brackets.
func forwardFields(text string) ([]string, bool) {
	var fields []string
	rest := text
	for rest != "" && len(fields) < 4 {
		field := ""
		if strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if end < 0 || end+1 < len(rest) && rest[end+1] != ':' {
				return nil, false
			}
			field, rest = rest[1:end], strings.TrimPrefix(rest[end+1:], ":")
		} else {
			field, rest, _ = strings.Cut(rest, ":")
		}
		fields = append(fields, field)
	}
	return fields, rest == ""
}

// goodForward says whether ports and paths stand where they belong.
func goodForward(f []string, listenOnly, remote bool) bool {
	path := func(i int) bool { return strings.Contains(f[i], "/") }
	listen := func(i int) bool {
		port, err := readPort(f[i])
		return err == nil && (port > 0 || remote)
	}
	connect := func(i int) bool {
		port, err := readPort(f[i])
		return err == nil && port > 0
	}
	switch {
	case listenOnly && len(f) == 1:
		return path(0) || listen(0)
	case listenOnly && len(f) == 2:
		return listen(1)
	case listenOnly:
		return false
	case len(f) == 2:
		return path(1) && (path(0) || listen(0))
	case len(f) == 3 && path(0):
		return connect(2)
	case len(f) == 3 && path(2):
		return listen(1)
	case len(f) == 3:
		return listen(0) && connect(2)
	}
	return len(f) == 4 && listen(1) && connect(3)
}
