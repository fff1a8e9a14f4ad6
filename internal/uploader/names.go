package uploader

import (
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckName accepts relative slash-separated paths that stay below their root
// and can stand in a URI as they are. What it refuses is a *ConfigError.
func CheckName(name string) error {
	reason := ""
	switch {
	case name == "" || name == ".":
		reason = "empty"
	case path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../"):
		reason = "must be a relative path without empty, \".\" or \"..\" parts"
	default:
		reason = Unfit(name)
		if _, temporary := TempOf(name); temporary {
			reason = "is the name of a temporary file"
		}
	}
	if reason != "" {
		return &ConfigError{What: "package name", Value: name, Reason: reason}
	}
	return nil
}

// Unfit says what keeps a path from standing in a file URI unescaped, such
// that a shell script that cuts off "file://" and a program that parses the
// URI find the same file, and that Nomad passes it on unchanged. "" means that nothing does.
func Unfit(p string) string {
	if !utf8.ValidString(p) {
		return "must be UTF-8"
	}
	for _, r := range p {
		switch {
		case unicode.IsControl(r):
			return fmt.Sprintf("must not contain the control character %q", r)
		case strings.ContainsRune("%?#", r):
			return fmt.Sprintf("must not contain %q, which has a meaning of its own in a URI", r)
		}
	}
	if strings.Contains(p, "${") {
		return "must not contain \"${\", which Nomad would replace"
	}
	return ""
}

// CheckSource rejects a source that no upload could satisfy.
func CheckSource(src Source) error {
	if err := CheckName(src.Name); err != nil {
		return err
	}
	if sum, err := hex.DecodeString(src.SHA256); err != nil || len(sum) != 32 || strings.ToLower(src.SHA256) != src.SHA256 {
		return &ConfigError{What: "package digest", Value: src.SHA256, Reason: "must be a SHA-256 in 64 lower-case hex digits"}
	}
	if src.Size < 0 {
		return &ConfigError{What: "package size", Value: fmt.Sprint(src.Size), Reason: "must not be negative"}
	}
	return nil
}
