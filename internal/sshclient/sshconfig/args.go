package sshconfig

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Letters of ssh and scp that take no value and make no difference here: they
// are about terminals, forwarding, verbosity, compression and the like.
const noEffect = "12aABCfkKnNqrTtvxXy"

// Letters that take a value.
const withValue = "bBcFiJlmopP"

// args are the options of a command line.
type args struct {
	letters []option
	// config is the file to read instead of the usual ones.
	config string
}

// option is one letter and its value, in the order in which they were given.
type option struct{ letter, value string }

// parseArgs reads options of ssh or scp. Two letters differ between these: -p
// is a port for one and keeps times for the other, -l is a user or a rate.
func parseArgs(line string) (*args, error) {
	words, err := split(line)
	if err != nil {
		return nil, &InputError{What: "SSH options", Value: line, Reason: err.Error()}
	}
	a := &args{}
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		if len(word) < 2 || word[0] != '-' || word == "--" {
			return nil, &InputError{What: "SSH options", Value: line, Reason: word + " is not an option; the host is configured apart from them"}
		}
		// Letters without a value may stand together.
		for rest := word[1:]; rest != ""; {
			letter := rest[:1]
			rest = rest[1:]
			if letter == "p" && !startsNumber(rest, words) {
				continue
			}
			if !strings.Contains(withValue, letter) {
				if letter != "4" && letter != "6" && !strings.Contains(noEffect, letter) {
					return nil, &InputError{What: "SSH option", Value: "-" + letter, Reason: "is not known here; these are: -4 -6 -b -B -c -F -i -J -l -m -o -p -P"}
				}
				a.letters = append(a.letters, option{letter, ""})
				continue
			}
			value := rest
			rest = ""
			if value == "" {
				if len(words) == 0 {
					return nil, &InputError{What: "SSH option", Value: "-" + letter, Reason: "needs a value"}
				}
				value, words = words[0], words[1:]
			}
			if letter == "F" {
				a.config = value
			}
			a.letters = append(a.letters, option{letter, value})
		}
	}
	return a, nil
}

func startsNumber(rest string, words []string) bool {
	if rest == "" && len(words) > 0 {
		rest = words[0]
	}
	_, err := strconv.Atoi(rest)
	return err == nil
}

// apply puts the options into the settings, as ssh does before it reads files.
func (a *args) apply(r *reader) error {
	for _, o := range a.letters {
		if err := r.option(o); err != nil {
			var input *InputError
			if errors.As(err, &input) {
				return err
			}
			return &InputError{What: "SSH option", Value: strings.TrimSpace("-" + o.letter + " " + o.value), Reason: err.Error()}
		}
	}
	return nil
}

// option applies one option. Some overrule what came before, as in ssh.
func (r *reader) option(o option) error {
	s := r.settings
	// A word of the command line is one word of a file, whatever it holds.
	word := func(key string) ([]string, error) {
		return r.keywords[key].read([]string{o.value}, o.value, r.getenv)
	}
	switch o.letter {
	case "4", "6":
		s.override("addressfamily", map[string]string{"4": "inet", "6": "inet6"}[o.letter])
	case "b":
		s.override("bindaddress", o.value)
	case "B":
		s.override("bindinterface", o.value)
	case "c", "m":
		key := map[string]string{"c": "ciphers", "m": "macs"}[o.letter]
		if _, err := word(key); err != nil {
			return err
		}
		s.override(key, o.value)
	case "i":
		file, err := r.tilde(o.value)
		if err != nil {
			return err
		}
		if _, err := os.Stat(file); err != nil {
			s.missing = append(s.missing, file+": "+FileReason(err))
			return nil
		}
		add(&s.identities, keyFile{file, fromOption})
	case "J":
		j, err := parseJump(o.value)
		if err != nil {
			return err
		}
		if s.jump != nil || s.has("proxycommand") {
			return errors.New("only one -J is allowed, and no ProxyCommand beside it; separate jump hosts by commas")
		}
		s.jump = j
	case "l":
		if _, err := strconv.Atoi(o.value); err == nil {
			return errors.New("a rate cannot be given here; for a user of that name write -o User=" + o.value)
		}
		s.put("user", []string{o.value}, fromUser)
	case "p", "P":
		values, err := word("port")
		if err != nil {
			return err
		}
		s.put("port", values, fromUser)
	case "o":
		return r.keywordOption(o.value)
	}
	return nil
}

// keywordOption takes "Key=Value" or "Key Value", a line of a file.
func (r *reader) keywordOption(line string) error {
	c := cursor{rest: line}
	name, _ := c.next()
	if k := r.keywords[lower(name)]; k.form == "host" || k.form == "match" || k.form == "include" {
		return fmt.Errorf("%s is only for configuration files", k.name)
	}
	if _, known := r.keywords[lower(name)]; !known && !c.end {
		return fmt.Errorf("%s is not a keyword of OpenSSH", name)
	}
	return r.readLine(line, source{from: fromUser}, &block{applies: true})
}
