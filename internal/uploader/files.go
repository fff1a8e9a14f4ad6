package uploader

import (
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"path"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// What uploaders that store packages as files have in common.
const (
	// FolderMode and FileMode are the modes of what is made: the user that
	// containers run as has to read it.
	FolderMode fs.FileMode = 0o755
	FileMode   fs.FileMode = 0o644
	// FileScheme and an absolute path, nothing escaped, are the URI of a
	// file: a start script cuts the scheme off and has the path.
	FileScheme = "file://"
)

// TempName is a new name beside name for a file that is being written.
func TempName(name string) string {
	random := make([]byte, 8)
	// rand.Read never fails.
	_, _ = rand.Read(random)
	return path.Join(path.Dir(name), "."+path.Base(name)+"."+hex.EncodeToString(random)+".part")
}

// tempName is the base name of a file that TempName named.
var tempName = lazyregexp.New(`^\.(.+)\.[0-9a-f]{16}\.part$`)

// TempOf is the reverse of TempName: the name of the package that a file is a
// part of. ok is false for other files.
func TempOf(file string) (name string, ok bool) {
	m := tempName.FindStringSubmatch(path.Base(file))
	if m == nil {
		return "", false
	}
	return path.Join(path.Dir(file), m[1]), true
}
