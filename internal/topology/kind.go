package topology

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// kind is how a topology file is run.
type kind int

const (
	kindJar kind = iota + 1
	kindTar
	kindPex
	kindLibrary
	kindNative
)

// suffixes of topology files, and what they are. Case matters, as with the
// original: on a node, class paths are built from the name.
var suffixes = []struct {
	suffix string
	kind   kind
}{
	{".jar", kindJar},
	{".tar", kindTar},
	{".tar.gz", kindTar},
	{".pex", kindPex},
	{".so", kindLibrary},
	{".dylib", kindLibrary},
}

const validFiles = ".jar, .tar, .tar.gz, .pex, .so or .dylib, or an executable without such an ending"

// PackageType is the type that the executor is told for a topology file: jar,
// tar, pex, so or dylib. The name's ending decides, in any case of letters. A
// file without a known ending is looked into: a Python zip that runs by itself
// is a pex, a Mach-O program a dylib; another executable (ELF or a script)
// counts as so, which is what the executor gives to heron-cpp-instance.
func PackageType(file string) (string, error) {
	name := strings.ToLower(filepath.Base(file))
	switch ext := strings.TrimPrefix(filepath.Ext(name), "."); {
	case ext == "jar", ext == "tar", ext == "pex", ext == "so", ext == "dylib":
		return ext, nil
	case strings.HasSuffix(name, ".tar.gz"):
		return "tar", nil
	}
	if kind, packageType := executableKind(file); kind != 0 {
		return packageType, nil
	}
	return "", inputError(nil, "unknown type of topology file %q: use %s", file, validFiles)
}

func kindOf(file string) (kind, error) {
	for _, s := range suffixes {
		if strings.HasSuffix(file, s.suffix) {
			return s.kind, nil
		}
	}
	for _, s := range suffixes {
		if strings.HasSuffix(strings.ToLower(file), s.suffix) {
			return 0, inputError(nil, "unknown type of topology file %q: write its ending in small letters, %s", file, s.suffix)
		}
	}
	if kind, _ := executableKind(file); kind != 0 {
		return kind, nil
	}
	return 0, inputError(nil, "unknown type of topology file %q: use %s", file, validFiles)
}

// Beginnings of executables: ELF, and Mach-O in both widths and orders of
// bytes and as a universal file.
var (
	elfMagic   = []byte("\x7fELF")
	machMagics = [][]byte{
		{0xfe, 0xed, 0xfa, 0xce}, {0xce, 0xfa, 0xed, 0xfe},
		{0xfe, 0xed, 0xfa, 0xcf}, {0xcf, 0xfa, 0xed, 0xfe},
		{0xca, 0xfe, 0xba, 0xbe},
	}
)

// executableKind looks into a file; 0 if it is not a program.
func executableKind(file string) (kind, string) {
	head := fileHead(file)
	switch {
	case bytes.HasPrefix(head, elfMagic):
		return kindNative, "so"
	case bytes.HasPrefix(head, []byte("#!")):
		if isZip(file) {
			return kindPex, "pex"
		}
		return kindNative, "so"
	}
	for _, magic := range machMagics {
		if bytes.HasPrefix(head, magic) {
			return kindNative, "dylib"
		}
	}
	return 0, ""
}

// fileHead is the first bytes of a regular file, nothing where it cannot be
// read.
func fileHead(file string) []byte {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, 256)
	n, _ := io.ReadFull(f, head)
	return head[:n]
}

func isZip(file string) bool {
	r, err := zip.OpenReader(file)
	if err != nil {
		return false
	}
	return r.Close() == nil
}

// hasPexInfo says whether a zip was made by the pex tool: only such a file
// heeds PEX_INTERPRETER.
func hasPexInfo(file string) bool {
	r, err := zip.OpenReader(file)
	if err != nil {
		return false
	}
	defer r.Close()
	for _, f := range r.File {
		if f.Name == "PEX-INFO" {
			return true
		}
	}
	return false
}

// interpreter is the command of a file's "#!" line, Python's where it has
// none.
func interpreter(file string) []string {
	line, _, _ := bytes.Cut(fileHead(file), []byte("\n"))
	if words := strings.Fields(strings.TrimPrefix(string(line), "#!")); bytes.HasPrefix(line, []byte("#!")) && len(words) > 0 {
		return words
	}
	return []string{"python3"}
}

// scheme is how a URI begins; a drive letter is not one.
var scheme = lazyregexp.New(`^[A-Za-z][A-Za-z0-9+.-]+:`)

// checkFile says why a topology file cannot be used, whatever its type.
func checkFile(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil && scheme.MatchString(file):
		return inputError(nil, "topology file %q is a URI, and topologies are only read from files here: download it first and give its path", file)
	case os.IsNotExist(err):
		return inputError(nil, "topology file %q does not exist", file)
	case err != nil:
		return inputError(err, "read topology file %q", file)
	case !info.Mode().IsRegular():
		return inputError(nil, "topology file %q is not a regular file: give a file, %s", file, validFiles)
	}
	return nil
}

func isExecutable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
