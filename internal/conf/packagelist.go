package conf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// list finds what may be packed below a folder; above are the folders that
// lead there, to notice links that go round.
func (p *packer) list(prefix string, above []os.FileInfo) error {
	entries, err := os.ReadDir(filepath.Join(p.dir, prefix))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := prefix + e.Name()
		// A link to nowhere is nobody's file.
		info, err := os.Stat(filepath.Join(p.dir, name))
		if err != nil || leftBehind(e.Name()) || name == overrideName {
			continue
		}
		same := func(other os.FileInfo) bool { return os.SameFile(info, other) }
		switch {
		case info.IsDir() && !slices.ContainsFunc(above, same):
			if err := p.list(name+"/", append(slices.Clip(above), info)); err != nil {
				return err
			}
		case info.Mode().IsRegular() && !slices.ContainsFunc(p.secret, same):
			p.names = append(p.names, name)
		}
	}
	return nil
}

// leftBehind says whether a file is hidden, or left by an editor or a tool
// for versions: none of these is meant for a container.
func leftBehind(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") {
		return true
	}
	for _, ending := range []string{".orig", ".bak", ".rej", ".swp", ".swo", ".swn", ".tmp", ".old", ".save", ".new", ".dpkg-old", ".dpkg-dist", ".rpmnew", ".rpmsave", ".rpmorig", ".patch", ".diff"} {
		if strings.HasSuffix(lower, ending) {
			return true
		}
	}
	return false
}

// below is the name of a path in the folder, "" for one outside of it.
func (p *packer) below(path string) string {
	abs, err := filepath.Abs(path)
	if path == "" || err != nil {
		return ""
	}
	name, err := filepath.Rel(p.dir, abs)
	if err != nil || !filepath.IsLocal(name) {
		return ""
	}
	return filepath.ToSlash(name)
}
