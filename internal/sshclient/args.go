package sshclient

import (
	"strconv"
	"strings"
)

// args are options of a command line, read.
type args struct {
	// values are those of keywords of a configuration file.
	values values
	// config is the file that is to be read instead of the usual ones.
	config string
}

// Letters of ssh and scp that take no value and change nothing here: about
// terminals, forwarding, verbosity, compression and the like.
const noEffect = "12 aABCfkKnNqrTtvxXy"

// parseArgs reads options of ssh or of scp. Two letters differ between them:
// -p is a port for one and keeps times for the other, -l a user or a rate.
func parseArgs(line string) (*args, error) {
	words, err := split(line)
	if err != nil {
		return nil, &InputError{What: "SSH options", Value: line, Reason: err.Error()}
	}
	a := &args{values: values{}}
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		if len(word) < 2 || word[0] != '-' || word == "--" {
			return nil, &InputError{What: "SSH options", Value: line, Reason: word + " is no option; the host goes into the connection"}
		}
		// Letters without a value may stand together.
		for rest := word[1:]; rest != ""; {
			letter := rest[:1]
			rest = rest[1:]
			keyword := valueLetter(letter)
			if letter == "p" && !startsNumber(rest, words) {
				continue
			}
			if keyword == "" {
				if !a.flag(letter) {
					return nil, &InputError{What: "SSH option", Value: "-" + letter, Reason: "not known here; -i, -p, -P, -l, -F, -J, -c and -o are"}
				}
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
			if err := a.set(letter, keyword, value); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// valueLetter is the keyword whose value an option's letter takes, "" for a
// letter without a value.
func valueLetter(letter string) string {
	switch letter {
	case "i":
		return "identityfile"
	case "p", "P":
		return "port"
	case "l":
		return "user"
	case "J":
		return "proxyjump"
	case "c":
		return "ciphers"
	case "F", "o":
		return letter
	}
	return ""
}

func startsNumber(rest string, words []string) bool {
	if rest == "" && len(words) > 0 {
		rest = words[0]
	}
	_, err := strconv.Atoi(rest)
	return err == nil
}

// flag takes a letter without a value.
func (a *args) flag(letter string) bool {
	switch letter {
	case "4":
		a.values.put("addressfamily", "inet")
	case "6":
		a.values.put("addressfamily", "inet6")
	default:
		return letter != " " && strings.Contains(noEffect, letter)
	}
	return true
}

func (a *args) set(letter, keyword, value string) error {
	switch letter {
	case "F":
		a.config = value
		return nil
	case "l":
		if _, err := strconv.Atoi(value); err == nil {
			return &InputError{What: "SSH option", Value: "-l " + value, Reason: "a rate is not taken here; for a user of that name write -o User=" + value}
		}
	case "o":
		return a.keyword(value)
	}
	a.values.put(keyword, value)
	return nil
}

// keyword takes "Key=Value" or "Key Value".
func (a *args) keyword(text string) error {
	at := strings.IndexAny(text, "= \t")
	if at <= 0 {
		return &InputError{What: "SSH option", Value: "-o " + text, Reason: "must be a keyword and its value: -o Key=Value"}
	}
	key := strings.ToLower(text[:at])
	value := strings.TrimLeft(text[at:], " \t")
	value = strings.TrimLeft(strings.TrimPrefix(value, "="), " \t")
	if !isList(key) {
		value = unquoted(value)
	}
	if value == "" {
		return &InputError{What: "SSH option", Value: "-o " + text, Reason: "the value is missing"}
	}
	switch {
	case understood(key):
		a.values.put(key, value)
	case !withoutEffect(key):
		return &InputError{What: "SSH option", Value: "-o " + text, Reason: "not known here"}
	}
	return nil
}

// understood are the keywords that a login is made of.
func understood(key string) bool {
	switch key {
	case "addressfamily", "certificatefile", "ciphers", "connecttimeout", "globalknownhostsfile", "hashknownhosts",
		"hostkeyalgorithms", "hostkeyalias", "hostname", "identitiesonly", "identityagent", "identityfile", "kexalgorithms",
		"macs", "port", "proxycommand", "proxyjump", "revokedhostkeys", "serveralivecountmax", "serveraliveinterval",
		"stricthostkeychecking", "user", "userknownhostsfile":
		return true
	}
	return false
}

// withoutEffect are keywords of OpenSSH that change nothing for a client that
// asks nobody and forwards nothing by itself, or make checks weaker that stay
// on here.
func withoutEffect(key string) bool {
	for _, prefix := range []string{"gssapi", "hostbased", "forward", "control", "canonical", "permit", "kbdinteractive", "challengeresponse"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	switch key {
	case "addkeystoagent", "batchmode", "checkhostip", "clearallforwardings", "compression", "compressionlevel",
		"connectionattempts", "enableescapecommandline", "escapechar", "exitonforwardfailure", "fingerprinthash", "ipqos",
		"loglevel", "nohostauthenticationforlocalhost", "numberofpasswordprompts", "passwordauthentication",
		"preferredauthentications", "protocol", "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes",
		"pubkeyauthentication", "rekeylimit", "requesttty", "sendenv", "setenv", "tcpkeepalive", "updatehostkeys",
		"verifyhostkeydns", "visualhostkey":
		return true
	}
	return false
}
