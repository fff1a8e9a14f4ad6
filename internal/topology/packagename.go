package topology

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// maxPart is the longest part of a package's name in bytes; file systems take
// 255.
const maxPart = 200

// PackageName is the name under which a topology's package is stored:
// <cluster>/<role>/<environ>/<topology>/<topology id>/<sha256>.tar.gz. Only
// letters, digits, ".", "_" and "-" stand for themselves; "~" and two hex
// digits stand for any other byte, and for the first dot of a part, "~" alone
// for an empty part. So different parts give different names, each safe in
// file systems and, unescaped, in addresses. The end of an overlong part is
// replaced with "~~" and a digest of the whole.
func PackageName(cluster, role, environ, topology, id, sha string) string {
	parts := []string{cluster, role, environ, topology, id}
	for i, part := range parts {
		parts[i] = EscapePart(part)
	}
	return strings.Join(parts, "/") + "/" + EscapePart(sha) + ".tar.gz"
}

// NameParts are the parts of a package's name, as EscapePart writes them.
type NameParts struct{ Cluster, Role, Environ, Topology, ID, SHA256 string }

var nameForm = lazyregexp.New(`^([^/]+)/([^/]+)/([^/]+)/([^/]+)/([^/]+)/([0-9a-f]{64})\.tar\.gz$`)

// escapedForm is what EscapePart gives.
var escapedForm = lazyregexp.New(`^(~|([A-Za-z0-9_-]|~[0-9a-f]{2})([A-Za-z0-9_.-]|~[0-9a-f]{2})*(~~[0-9a-f]{64})?)$`)

// ParsePackageName takes a name apart that PackageName could have made; ok is
// false for any other.
func ParsePackageName(name string) (parts NameParts, ok bool) {
	m := nameForm.FindStringSubmatch(name)
	if m == nil {
		return NameParts{}, false
	}
	for _, part := range m[1:6] {
		if len(part) > maxPart || !escapedForm.MatchString(part) {
			return NameParts{}, false
		}
	}
	return NameParts{Cluster: m[1], Role: m[2], Environ: m[3], Topology: m[4], ID: m[5], SHA256: m[6]}, true
}

// EscapePart is how a part stands in a package's name.
func EscapePart(part string) string {
	if part == "" {
		return "~"
	}
	var b strings.Builder
	for i := range len(part) {
		switch c := part[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "~%02x", c)
		}
	}
	escaped := b.String()
	if len(escaped) <= maxPart {
		return escaped
	}
	sum := sha256.Sum256([]byte(part))
	tail := "~~" + hex.EncodeToString(sum[:])
	return escaped[:maxPart-len(tail)] + tail
}

// UnescapePart is the text that EscapePart made a part of; ok is false where
// the text was too long to be in the part.
func UnescapePart(part string) (text string, ok bool) {
	if part == "~" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(part); i++ {
		if part[i] != '~' {
			b.WriteByte(part[i])
			continue
		}
		if i+2 >= len(part) {
			return "", false
		}
		c, err := hex.DecodeString(part[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), true
}
