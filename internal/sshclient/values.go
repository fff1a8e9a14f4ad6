package sshclient

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// values are those of keywords in lower case. The first one that is put for a
// keyword counts, except for those that collect.
type values map[string][]string

func (v values) put(key, value string) {
	switch key {
	case "identityfile", "certificatefile":
		v[key] = append(v[key], value)
		return
	case "proxyjump", "proxycommand":
		// The two compete: the first of either kind counts.
		if len(v["proxyjump"])+len(v["proxycommand"]) > 0 {
			return
		}
	}
	if len(v[key]) == 0 {
		v[key] = []string{value}
	}
}

// get is the value of a keyword, "" where it has none.
func (v values) get(key string) string {
	if len(v[key]) == 0 {
		return ""
	}
	return v[key][0]
}

// A configReader collects what configuration files say about one target.
type configReader struct {
	alias, user string // as asked for
	localUser   string
	home        string
	values      values
}

const (
	systemConfig = "/etc/ssh/ssh_config"
	maxIncludes  = 16
)

// Files are read by the library, but it takes Include and Match otherwise than
// ssh does: these lines are given other keywords, which it hands through.
const (
	includeLine = "x-include"
	matchLine   = "x-match"
)

// readAll reads the user's file and the system's, or the one that is named.
func (r *configReader) readAll(named string) error {
	switch named {
	case "none":
		return nil
	case "":
	default:
		return r.read(expandHome(named, r.home), true, true, 0)
	}
	if err := r.read(filepath.Join(r.home, ".ssh", "config"), false, true, 0); err != nil {
		return err
	}
	return r.read(systemConfig, false, true, 0)
}

// read takes what is for the target; a file that is included where a block
// does not apply says nothing.
func (r *configReader) read(file string, must, active bool, depth int) error {
	if depth > maxIncludes {
		return &InputError{What: "SSH configuration", Value: file, Reason: "files include each other"}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		if !must && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
			return nil
		}
		return &InputError{What: "SSH configuration", Value: file, Reason: plainReason(err)}
	}
	parsed, err := ssh_config.DecodeBytes(disguise(text))
	if err != nil {
		return &InputError{What: "SSH configuration", Value: file, Reason: err.Error()}
	}
	for _, block := range parsed.Hosts {
		applies := active && block.Matches(r.alias)
		for _, node := range block.Nodes {
			kv, ok := node.(*ssh_config.KV)
			if !ok {
				continue
			}
			where := fmt.Sprintf("%s:%d", file, kv.Pos().Line)
			switch key := strings.ToLower(kv.Key); {
			case key == matchLine:
				matches, err := r.match(kv.Value)
				if err != nil {
					return &InputError{What: "SSH configuration", Value: where, Reason: err.Error()}
				}
				applies = active && matches
			case key == includeLine && applies:
				if err := r.include(file, where, kv.Value, depth); err != nil {
					return err
				}
			case applies && understood(key):
				if kv.Value == "" {
					return &InputError{What: "SSH configuration", Value: where, Reason: kv.Key + " has no value"}
				}
				value := kv.Value
				if isList(key) && strings.Contains(kv.String(), `"`+value+`"`) {
					// The library took the quotes off that keep it together.
					value = `"` + value + `"`
				}
				r.values.put(key, value)
			}
		}
	}
	return nil
}

// include reads the files of an Include line.
func (r *configReader) include(file, where, line string, depth int) error {
	words, err := split(line)
	if err != nil {
		return &InputError{What: "SSH configuration", Value: where, Reason: err.Error()}
	}
	folder := filepath.Join(r.home, ".ssh")
	if strings.HasPrefix(file, "/etc/ssh/") {
		folder = "/etc/ssh"
	}
	for _, word := range words {
		pattern := expandHome(word, r.home)
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(folder, pattern)
		}
		files, err := filepath.Glob(pattern)
		if err != nil {
			return &InputError{What: "SSH configuration", Value: where, Reason: word + ": " + err.Error()}
		}
		for _, f := range files {
			if err := r.read(f, true, true, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// disguise gives Include and Match lines the keywords that the library does
// not know, and takes from Host lines what it does not: tabs and quotes.
func disguise(text []byte) []byte {
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r"), "\t", " ")
		bare := strings.TrimLeft(line, " ")
		end := strings.IndexAny(bare, " =")
		if end > 0 {
			switch rest := bare[end:]; strings.ToLower(bare[:end]) {
			case "include":
				line = includeLine + rest
			case "match":
				line = matchLine + rest
			case "host":
				line = "Host" + strings.ReplaceAll(rest, `"`, "")
			}
		}
		lines[i] = line
	}
	return []byte(strings.Join(lines, "\n"))
}

// match evaluates the criteria of a Match line; all must hold.
func (r *configReader) match(line string) (bool, error) {
	words, err := split(line)
	if err != nil {
		return false, err
	}
	if len(words) == 0 {
		return false, errors.New("a Match line needs a criterion")
	}
	matches := true
	for len(words) > 0 {
		criterion, negated := strings.CutPrefix(strings.ToLower(words[0]), "!")
		words = words[1:]
		var subject string
		switch criterion {
		case "all":
			continue
		case "canonical":
			// Names are not canonicalised.
			matches = matches && negated
			continue
		case "host":
			if subject = r.values.get("hostname"); subject == "" {
				subject = r.alias
			}
		case "originalhost":
			subject = r.alias
		case "user":
			if subject = r.user; subject == "" {
				subject = r.values.get("user")
			}
			if subject == "" {
				subject = r.localUser
			}
		case "localuser":
			subject = r.localUser
		default:
			if !matches {
				// Whatever it says, the block does not apply.
				return false, nil
			}
			return false, fmt.Errorf("the criterion %s of a Match line is not understood; all, host, originalhost, user and localuser are; another file can be named with -F", criterion)
		}
		if len(words) == 0 {
			return false, fmt.Errorf("the criterion %s of a Match line needs a pattern", criterion)
		}
		matches = matches && matchList(words[0], subject) != negated
		words = words[1:]
	}
	return matches, nil
}

// matchList says whether a list of patterns, separated by commas, takes a
// name: one of them does, and none with a "!" does.
func matchList(list, name string) bool {
	found := false
	for pattern := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		// Names have no slashes, so this is as in ssh but for brackets.
		pattern = strings.NewReplacer(`\`, `\\`, "[", `\[`).Replace(strings.ToLower(pattern))
		if ok, err := path.Match(pattern, strings.ToLower(name)); err != nil || !ok {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

func expandHome(file, home string) string {
	if file == "~" {
		return home
	}
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return file
}

// isList says whether a keyword's value is a list of words.
func isList(key string) bool {
	return key == "userknownhostsfile" || key == "globalknownhostsfile"
}

// unquoted takes the double quotes off a value.
func unquoted(value string) string {
	value = strings.TrimSpace(value)
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}

// plainReason is a file error without the file's name.
func plainReason(err error) string {
	var in *fs.PathError
	if errors.As(err, &in) {
		return in.Err.Error()
	}
	return err.Error()
}
