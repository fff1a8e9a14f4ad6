package apiserver

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// packageName finds names of packages as the store makes them.
var packageName = lazyregexp.New(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[A-Za-z0-9._+-]+`)

// redacted is a text for the log without names of packages: who knows one can
// fetch it, while many read logs.
func redacted(text string) string { return packageName.ReplaceAllStringFunc(text, fileTag) }

// fileTag stands for a file's name in the log: the same for the same one.
func fileTag(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "{file-" + hex.EncodeToString(sum[:4]) + "}"
}

// loggedPath is the path of a request for the log.
func loggedPath(r *http.Request) slog.Attr {
	at := r.URL.Path
	if name := r.PathValue("file"); name != "" {
		at = strings.TrimSuffix(at, name) + fileTag(name)
	}
	return slog.String("path", redacted(at))
}
