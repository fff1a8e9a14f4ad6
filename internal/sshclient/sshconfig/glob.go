package sshconfig

import (
	"os"
	"path"
	"slices"
	"strings"
)

// glob returns the files that a pattern names, sorted, as the glob of a POSIX
// system does: unlike that of Go, * and ? do not match a dot that begins a
// name, and a bracket that is not closed stands for itself.
func glob(pattern string) []string {
	found := []string{""}
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		var next []string
		for _, folder := range found {
			for _, name := range globPart(folder, part) {
				next = append(next, folder+name)
			}
		}
		if i < len(parts)-1 {
			for j := range next {
				next[j] += "/"
			}
		}
		found = next
	}
	found = slices.DeleteFunc(found, func(file string) bool {
		_, err := os.Lstat(file)
		return err != nil
	})
	slices.Sort(found)
	return found
}

// globPart returns the names in a folder that one part of a pattern matches.
func globPart(folder, part string) []string {
	expression := globExpression(part)
	if !strings.ContainsAny(part, "*?[") || expression == "" {
		return []string{strings.ReplaceAll(part, `\`, "")}
	}
	if folder == "" {
		folder = "."
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if name[0] == '.' && part[0] != '.' {
			continue
		}
		if ok, err := path.Match(expression, name); err == nil && ok {
			names = append(names, name)
		}
	}
	return names
}

// globExpression is a pattern for path.Match, which writes [^a] for [!a] and
// takes no bracket that is not closed.
func globExpression(part string) string {
	var b strings.Builder
	for i := 0; i < len(part); i++ {
		switch {
		case part[i] == '\\' && i+1 < len(part):
			i++
			b.WriteByte('\\')
			b.WriteByte(part[i])
		case part[i] == '[':
			end := i + 1
			if end < len(part) && (part[end] == '!' || part[end] == '^') {
				end++
			}
			length := strings.IndexByte(part[min(end+1, len(part)):], ']')
			if length < 0 {
				b.WriteString(`\[`)
				continue
			}
			set := part[i+1 : end+1+length]
			if strings.HasPrefix(set, "!") {
				set = "^" + set[1:]
			}
			b.WriteString("[" + strings.ReplaceAll(set, "]", `\]`) + "]")
			i = end + 1 + length
		default:
			b.WriteByte(part[i])
		}
	}
	return b.String()
}
