package sshconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	systemFolder = "/etc/ssh"
	maxIncludes  = 16
)

// reader collects what configuration files say about one target, as OpenSSH
// reads them: every line is checked, and those in blocks that match count.
type reader struct {
	keywords map[string]keyword
	settings *settings
	// alias is the host as it was asked for, host the name that it has now:
	// the same in the first pass, the resolved one in the final pass.
	alias, host string
	final       bool
	// wantFinal: a Match line asks for the final pass.
	wantFinal bool
	where     string // the line that is being read
	// user is the local one.
	user   string
	home   string
	system string // the folder that has ssh_config
	getenv func(string) string
	// account says where another user's home is.
	account func(user string) (string, error)
}

// block is what the last Host or Match line says about the lines below it.
type block struct {
	applies bool
	// doubt, unless nil, is why it is unknown whether the block applies.
	doubt error
}

// source is a file that is read.
type source struct {
	from  origin
	depth int
	// never: it is included where no block of it can apply.
	never bool
	// doubt is that of the block that includes it.
	doubt error
}

// readAll reads the user's file and the system's, or the one that is named.
func (r *reader) readAll(named string) error {
	user := source{from: fromUser}
	if lower(named) == "none" {
		return nil
	}
	if named != "" {
		file, err := r.tilde(named)
		if err != nil {
			return &InputError{What: "SSH configuration", Value: named, Reason: err.Error()}
		}
		return r.readFile(file, user, &block{applies: true}, true, false)
	}
	if err := r.readFile(filepath.Join(r.home, ".ssh", "config"), user, &block{applies: true}, false, true); err != nil {
		return err
	}
	return r.readFile(filepath.Join(r.system, "ssh_config"), source{}, &block{applies: true}, false, false)
}

// readFile reads one file. A file that must be there is an error if it cannot
// be read; others are left out then. A checked file must be safe from others.
func (r *reader) readFile(file string, src source, b *block, must, checked bool) error {
	bad := func(reason string) error {
		return &InputError{What: "SSH configuration", Value: file, Reason: reason}
	}
	if src.depth > maxIncludes {
		return bad("files include each other, or too many levels deep")
	}
	f, err := os.Open(file)
	if err != nil {
		if must {
			return bad(FileReason(err))
		}
		return nil
	}
	info, err := f.Stat()
	_ = f.Close()
	if err != nil {
		return bad(FileReason(err))
	}
	if checked && !private(info, 0o022) {
		return bad("others may write to it, so OpenSSH refuses it; it must belong to you or root: chmod go-w " + Quote(file))
	}
	if info.IsDir() {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return bad(FileReason(err))
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		r.where = fmt.Sprintf("%s:%d", file, number)
		if err := r.readLine(line, src, b); err != nil {
			var inner *InputError
			if errors.As(err, &inner) {
				return err
			}
			return &InputError{What: "SSH configuration", Value: r.where, Reason: err.Error()}
		}
	}
	return nil
}

// private says whether a file is the user's own or root's, and whether others
// have none of the rights in mask.
func private(info os.FileInfo, mask os.FileMode) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && int(stat.Uid) != os.Getuid() {
		return false
	}
	return info.Mode()&mask == 0
}

// readLine takes one line. Errors without a type are about its text.
func (r *reader) readLine(line string, src source, b *block) error {
	line, _, _ = strings.Cut(line, "\x00")
	if line == "" {
		return nil
	}
	line = line[:1] + strings.TrimRight(line[1:], blanks+"\f")
	c := cursor{rest: line}
	name, ok := c.next()
	if ok && name == "" {
		name, ok = c.next()
	}
	if !ok || name == "" || name[0] == '#' || name[0] == '\n' {
		return nil
	}
	rest := strings.TrimLeft(c.rest, blanks)
	if c.end || rest == "" {
		return fmt.Errorf("%s has no value", name)
	}
	args, err := arguments(rest)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	k, known := r.keywords[lower(name)]
	if !known {
		if matchList(lower(name), lower(r.settings.get("ignoreunknown"))) {
			return nil
		}
		return fmt.Errorf("%s is not a keyword of OpenSSH; IgnoreUnknown lets it pass", name)
	}
	err = r.take(k, args, rest, src, b)
	var input *InputError
	if err == nil || errors.As(err, &input) {
		return err
	}
	return fmt.Errorf("%s: %w", k.name, err)
}

// take does what a keyword says, in a block that may apply or not.
func (r *reader) take(k keyword, args []string, rest string, src source, b *block) error {
	switch k.form {
	case "host":
		return r.hostLine(args, src, b)
	case "match":
		return r.matchLine(rest, src, b)
	case "include":
		return r.include(args, src, *b)
	case "jump":
		j, err := parseJump(strings.TrimLeft(rest, blanks+"="))
		if err != nil || !b.applies || !r.settings.putJump(j) {
			return err
		}
		return b.doubt
	}
	values, err := k.read(args, rest, r.getenv)
	if err != nil || !k.counts || !b.applies || len(values) == 0 {
		return err
	}
	if r.settings.put(k.key, values, src.from) && b.doubt != nil {
		return b.doubt
	}
	if n := max(len(r.settings.identities), len(r.settings.certificates)); n > maxKeyFiles {
		return fmt.Errorf("there are more than %d files", maxKeyFiles)
	}
	return nil
}

// hostLine begins a block for the names that its patterns match.
func (r *reader) hostLine(patterns []string, src source, b *block) error {
	*b = block{doubt: src.doubt}
	for _, pattern := range patterns {
		if pattern == "" {
			return errNoValue
		}
		if src.never {
			return nil
		}
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !matchPattern(r.host, pattern) {
			continue
		}
		if negated {
			b.applies = false
			return nil
		}
		b.applies = true
	}
	return nil
}

// include reads the files that patterns name, each in the block of the line.
func (r *reader) include(patterns []string, src source, b block) error {
	inner := source{from: src.from, depth: src.depth + 1, never: !b.applies, doubt: b.doubt}
	for _, pattern := range patterns {
		switch {
		case pattern == "":
			return errNoValue
		case strings.HasPrefix(pattern, "~"):
			if src.from == fromSystem {
				return fmt.Errorf("the system's configuration must not include files of a home: %s", pattern)
			}
			expanded, err := r.tilde(pattern)
			if err != nil {
				continue // as a pattern that matches nothing
			}
			pattern = expanded
		case !strings.HasPrefix(pattern, "/") && src.from == fromSystem:
			pattern = r.system + "/" + pattern
		case !strings.HasPrefix(pattern, "/"):
			pattern = filepath.Join(r.home, ".ssh") + "/" + pattern
		}
		for _, file := range glob(pattern) {
			own := b
			must := !errors.Is(existing(file), os.ErrNotExist)
			if err := r.readFile(file, inner, &own, must, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func existing(file string) error {
	_, err := os.Stat(file)
	return err
}
