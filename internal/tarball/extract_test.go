package tarball

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

func TestExtract(t *testing.T) {
	data := tarred(t,
		dir("./"),
		file("./lib/deep/a.jar", "a"),
		dir("lib/"),
		file("b", "first"),
		file("b", "second"),
		symlink("lib/to-b", "../b"),
		symlink("nowhere", "none"),
		symlink("n", "one"),
		file("n", "now a file"),
		hard("same-b", "./b"),
		hard("b", "b"),
		file("b", "third"),
	)
	want := map[string]string{
		"lib/": "", "lib/deep/": "", "lib/deep/a.jar": "a", "b": "third", "lib/to-b": "-> ../b",
		"nowhere": "-> none", "same-b": "second", "n": "now a file",
	}
	for name, packed := range map[string][]byte{"plain": data, "gzip": testenv.Gzip(t, data), "two gzip members": append(testenv.Gzip(t, data[:700]), testenv.Gzip(t, data[700:])...)} {
		t.Run(name, func(t *testing.T) {
			folder, sum, err := unpackIn(t, packed, Options{})
			if diff := cmp.Diff(want, tree(t, folder)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if sum.Bytes != int64(len("a"+"first"+"second"+"third"+"now a file")) {
				t.Errorf("%d bytes are counted", sum.Bytes)
			}
		})
	}
}

func TestExtractKeepsModesAndTimes(t *testing.T) {
	at := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	data := tarred(t,
		member{name: "d", kind: tar.TypeDir, mode: 0o555, at: at},
		member{name: "d/x", mode: 0o6755, at: at, data: "x"},
		member{name: "d/r", mode: 0o400, at: at, data: "r"},
		member{name: "open", kind: tar.TypeDir, mode: 0o1777, at: at},
		file("implied/f", "f"),
	)
	folder, _, err := unpackIn(t, data, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		"d": os.ModeDir | 0o755, "d/x": 0o755, "d/r": 0o400, "open": os.ModeDir | 0o777,
		"implied": os.ModeDir | 0o755, "implied/f": 0o644,
	} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %s, want %s", name, info.Mode(), want)
		}
		if !strings.HasPrefix(name, "implied") && !info.ModTime().Equal(at) {
			t.Errorf("%s is of %s, want %s", name, info.ModTime(), at)
		}
	}
	private, _, err := unpackIn(t, data, Options{Private: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"d": os.ModeDir | 0o700, "d/x": 0o700, "d/r": 0o600, "implied/f": 0o600} {
		if info, err := os.Stat(filepath.Join(private, name)); err != nil || info.Mode() != want {
			t.Errorf("private %s: %v, %v, want %s", name, info.Mode(), err, want)
		}
	}
}

func TestExtractRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		members []member
		says    string
	}{
		"dots":            {[]member{file("../outside", "x")}, "outside the archive"},
		"dots inside":     {[]member{file("a/../../outside", "x")}, "outside the archive"},
		"dots alone":      {[]member{dir("..")}, "outside the archive"},
		"absolute":        {[]member{file("/tmp/x", "x")}, "outside the archive"},
		"sibling":         {[]member{file("../in-too/x", "x")}, "outside the archive"},
		"link out":        {[]member{symlink("l", "../outside")}, "outside the archive"},
		"absolute link":   {[]member{symlink("l", "/etc")}, "outside the archive"},
		"hard link out":   {[]member{hard("l", "../outside")}, "outside the archive"},
		"hard absolute":   {[]member{hard("l", "/etc/passwd")}, "outside the archive"},
		"hard link first": {[]member{hard("l", "f"), file("f", "")}, "does not come before"},
		"hard link to a link": {
			[]member{symlink("a/b/l", "../../x"), hard("l", "a/b/l")}, "which is no file",
		},
		"hard link to a folder": {[]member{dir("d"), hard("l", "d")}, "which is no file"},
		"link over link": {
			[]member{symlink("a/b/up", "../.."), symlink("l", "a/b/up/../outside")}, "cannot be followed",
		},
		"links in a circle": {[]member{symlink("a", "b"), symlink("b", "a")}, "cannot be followed"},
		"write through a link out": {
			[]member{symlink("a/b/up", "../.."), symlink("l", "a/b/up/.."), file("l/outside", "x")}, "something else before",
		},
		"write through a link inside": {[]member{dir("d"), symlink("l", "d"), file("l/x", "x")}, "something else before"},
		"folder over a link":          {[]member{dir("d"), symlink("l", "d"), dir("l")}, "something else before"},
		"folder over a file":          {[]member{file("f", ""), dir("f")}, "something else before"},
		"below a file":                {[]member{file("f", ""), file("f/x", "")}, "something else before"},
		"file over a folder":          {[]member{dir("d"), file("d", "")}, "is a folder before"},
		"link over a folder":          {[]member{dir("d"), symlink("d", "x")}, "is a folder before"},
		"top as a link":               {[]member{symlink(".", "x")}, "top folder"},
		"character device":            {[]member{{name: "d", kind: tar.TypeChar}}, "neither a file"},
		"block device":                {[]member{{name: "d", kind: tar.TypeBlock}}, "neither a file"},
		"pipe":                        {[]member{{name: "p", kind: tar.TypeFifo}}, "neither a file"},
		"long name":                   {[]member{file(strings.Repeat("x", 200)+strings.Repeat("/"+strings.Repeat("x", 200), 6), "")}, "a name that no file should have"},
		"deep folders":                {[]member{file(strings.Repeat("x/", 70)+"x", "")}, "a name that no file should have"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := unpackIn(t, tarred(t, c.members...), Options{})
			var bad *Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an *Error that says %q", err, c.says)
			}
		})
	}
}

func TestExtractWhatIsDamaged(t *testing.T) {
	whole := tarred(t, file("a", strings.Repeat("a", 5000)), file("zeros", string(make([]byte, 4096))))
	packed := testenv.Gzip(t, whole)
	wrong := bytes.Clone(packed)
	wrong[len(wrong)-6] ^= 1
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"nothing":                {nil, "cut off"},
		"text":                   {[]byte(strings.Repeat("no archive ", 100)), "not a tar file"},
		"cut in a file":          {whole[:2000], "cut off"},
		"cut between files":      {whole[:512+5120], "cut off"},
		"cut before the end":     {whole[:len(whole)-1024], "cut off"},
		"cut gzip":               {packed[:len(packed)-20], "cut off"},
		"cut before the digest":  {packed[:len(packed)-8], "cut off"},
		"cut in the gzip header": {packed[:5], "cut off"},
		"wrong digest of gzip":   {wrong, "checksum"},
		"more behind gzip":       {append(bytes.Clone(packed), "more"...), "behind its last member"},
		"more behind tar":        {append(bytes.Clone(whole), "more"...), "something follows"},
		"another tar behind":     {append(bytes.Clone(whole), whole...), "something follows"},
		"xz":                     {[]byte("\xfd7zXZ\x00"), "use gzip"},
		"zstd":                   {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0}, "use gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := unpackIn(t, c.data, Options{})
			var bad *Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an *Error that says %q", err, c.says)
			}
		})
	}
	for name, data := range map[string][]byte{
		"padding of a tape": append(bytes.Clone(whole), make([]byte, 10240)...),
		"one zero block":    whole[:len(whole)-512],
	} {
		if _, _, err := unpackIn(t, data, Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sparse is a tar file of one file that is nothing but a hole.
func sparse(t *testing.T, size int64) []byte {
	t.Helper()
	top := t.TempDir()
	f, err := os.Create(filepath.Join(top, "hole"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	return systemTar(t, top, "--sparse", "hole")
}

func TestExtractLimits(t *testing.T) {
	zeros := testenv.Gzip(t, tarred(t, file("zeros", string(make([]byte, 80<<20)))))
	var many []member
	for i := range 100 {
		many = append(many, file(strings.Repeat("d/", i%50)+"f", ""))
	}
	for name, c := range map[string]struct {
		data   []byte
		limits Limits
		says   string
	}{
		"ratio":               {zeros, Limits{}, "200 times"},
		"ratio of a hole":     {sparse(t, 100<<20), Limits{}, "200 times"},
		"size":                {zeros, Limits{Bytes: 79 << 20, Ratio: 1e6}, "82837504 bytes"},
		"size of a hole":      {sparse(t, 1<<40), Limits{}, "8589934592 bytes"},
		"size of small files": {tarred(t, file("a", strings.Repeat("x", 600)), file("b", strings.Repeat("x", 600))), Limits{Bytes: 1000}, "1000 bytes"},
		"headers alone":       {testenv.Gzip(t, tarred(t, many...)), Limits{Bytes: 20000}, "20000 bytes"},
		"entries":             {tarred(t, many...), Limits{Entries: 99}, "at most 99"},
		"implied folders":     {tarred(t, file(strings.Repeat("d/", 20)+"f", "")), Limits{Entries: 20}, "at most 20"},
	} {
		t.Run(name, func(t *testing.T) {
			_, sum, err := unpackIn(t, c.data, Options{Limits: c.limits})
			var bad *Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an *Error that says %q", err, c.says)
			}
			if sum.Bytes > 81<<20 {
				t.Errorf("%d bytes were written before it ended", sum.Bytes)
			}
		})
	}
	if _, _, err := unpackIn(t, zeros, Options{Limits: Limits{Ratio: 2000}}); err != nil {
		t.Errorf("with a limit of its own: %v", err)
	}
	if _, _, err := unpackIn(t, sparse(t, 10<<20), Options{}); err != nil {
		t.Errorf("a small sparse file: %v", err)
	}
}

// An error of the source is no fault of the archive, and neither is the end of
// the context.
func TestExtractErrorsThatAreNotTheArchives(t *testing.T) {
	data := tarred(t, file("a", strings.Repeat("abc", 100_000)))
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	broken := errors.New("the disk is broken")
	var bad *Error
	_, err = Extract(t.Context(), io.MultiReader(bytes.NewReader(data[:500]), failing{broken}), root, Options{})
	if !errors.Is(err, broken) || errors.As(err, &bad) {
		t.Errorf("got %v, want the reader's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Extract(ctx, io.MultiReader(bytes.NewReader(data[:500]), cancelling(cancel), bytes.NewReader(data[500:])), root, Options{})
	if !errors.Is(err, context.Canceled) || errors.As(err, &bad) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type cancelling context.CancelFunc

func (c cancelling) Read([]byte) (int, error) {
	c()
	return 0, io.EOF
}
