package topology

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
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
		parts[i] = escapePart(part)
	}
	return strings.Join(parts, "/") + "/" + escapePart(sha) + ".tar.gz"
}

func escapePart(part string) string {
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
