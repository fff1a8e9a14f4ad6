package topology

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newPackage is a package with all that one can have in it.
func newPackage(t *testing.T) (*Package, string) {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "words.jar")
	if err := os.WriteFile(binary, []byte("binary"), 0o644); err != nil {
		t.Fatal(err)
	}
	return &Package{
		Binary:     binary,
		Definition: FromProto(sample("words")),
		Conf: []ConfFile{
			{Name: "client.yaml", Data: []byte("a: 1\n"), Private: true},
			{Name: "lib/deep/x.jar", Data: []byte("x")},
			{Name: "lib/y.jar", Data: []byte("y")},
			{Name: "release.yaml", Data: []byte("heron.build.version: 1\n")},
			{Name: "override.yaml", Data: []byte("key: value\n")},
		},
	}, dir
}

type packed struct {
	Name string
	Mode int64
	Data string
}

func unpack(t *testing.T, data []byte) []packed {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var list []packed
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" {
			t.Errorf("%s has an owner: %d:%d %q:%q", h.Name, h.Uid, h.Gid, h.Uname, h.Gname)
		}
		if want := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); !h.ModTime.Equal(want) {
			t.Errorf("%s is of %s", h.Name, h.ModTime)
		}
		list = append(list, packed{h.Name, h.Mode, string(content)})
	}
}

func TestPackageMembers(t *testing.T) {
	p, _ := newPackage(t)
	definition, err := p.Definition.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := []packed{
		{"words.jar", 0o644, "binary"},
		{"words.defn", 0o644, string(definition)},
		{"./heron-conf/", 0o755, ""},
		{"./heron-conf/client.yaml", 0o600, "a: 1\n"},
		{"./heron-conf/lib/", 0o755, ""},
		{"./heron-conf/lib/deep/", 0o755, ""},
		{"./heron-conf/lib/deep/x.jar", 0o644, "x"},
		{"./heron-conf/lib/y.jar", 0o644, "y"},
		{"./heron-conf/release.yaml", 0o644, "heron.build.version: 1\n"},
		{"./heron-conf/override.yaml", 0o644, "key: value\n"},
	}
	if diff := cmp.Diff(want, unpack(t, b.Bytes())); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

// What others may not read or run here they may not there either.
func TestPackageKeepsPermissions(t *testing.T) {
	for mode, want := range map[os.FileMode]int64{0o644: 0o644, 0o755: 0o755, 0o600: 0o600, 0o640: 0o600, 0o700: 0o700, 0o750: 0o700, 0o444: 0o644} {
		p, _ := newPackage(t)
		if err := os.Chmod(p.Binary, mode); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
		if got := unpack(t, b.Bytes())[0].Mode; got != want {
			t.Errorf("mode %o becomes %o, want %o", mode, got, want)
		}
	}
}

func TestPackageAlwaysHasOverrides(t *testing.T) {
	p, _ := newPackage(t)
	p.Conf = nil
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	members := unpack(t, b.Bytes())
	want := packed{"./heron-conf/override.yaml", 0o644, "{}\n"}
	if diff := cmp.Diff(want, members[len(members)-1]); diff != "" {
		t.Error(diff)
	}
}

func TestEqualInputGivesEqualPackages(t *testing.T) {
	first, _ := newPackage(t)
	second, dir := newPackage(t)
	// Times and owners' bits differ; content and who may read it do not.
	old := time.Unix(1e9, 0)
	if err := errors.Join(os.Chtimes(second.Binary, old, old), os.Chmod(second.Binary, 0o664)); err != nil {
		t.Fatal(err)
	}
	a, err := first.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b, err := second.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(a.File)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if a.SHA256 != hex.EncodeToString(sum[:]) || a.Size != int64(len(data)) {
		t.Errorf("%+v does not fit %d bytes of digest %x", a, len(data), sum)
	}
	if a.SHA256 != b.SHA256 || a.Size != b.Size {
		t.Errorf("equal input gave %+v and %+v", a, b)
	}
	second.ModTime = old
	if c, err := second.Build(t.Context(), dir); err != nil || c.SHA256 == b.SHA256 {
		t.Errorf("another time gave the same package: %+v, %v", c, err)
	}
}

func TestPackagesThatCannotBe(t *testing.T) {
	for name, test := range map[string]struct {
		change func(p *Package, dir string) error
		want   string
	}{
		"binary missing":  {func(p *Package, dir string) error { p.Binary = dir + "/no.jar"; return nil }, "no such file"},
		"binary a folder": {func(p *Package, dir string) error { p.Binary = dir; return nil }, "not a regular file"},
		"binary a pipe": {func(p *Package, dir string) error {
			p.Binary = dir + "/pipe.jar"
			return syscall.Mkfifo(p.Binary, 0o600)
		}, "not a regular file"},
		"binary like the configuration": {func(p *Package, dir string) error { p.Binary = dir + "/heron-conf"; return nil }, "rename it"},
		"binary like the core":          {func(p *Package, dir string) error { p.Binary = dir + "/heron-core"; return nil }, "rename it"},
		"binary like the definition":    {func(p *Package, dir string) error { p.Binary = dir + "/words.defn"; return nil }, "rename it"},
		"binary with a colon":           {func(p *Package, dir string) error { p.Binary = dir + "/a:b.jar"; return nil }, "splits class paths at colons"},
		"archive with a colon":          {func(p *Package, dir string) error { p.Binary = dir + "/a:b.tar.gz"; return nil }, "splits class paths at colons"},
		"binary like a flag":            {func(p *Package, dir string) error { p.Binary = dir + "/-x.jar"; return nil }, "rename it"},
	} {
		t.Run(name, func(t *testing.T) {
			p, dir := newPackage(t)
			if err := test.change(p, dir); err != nil {
				t.Fatal(err)
			}
			into := t.TempDir()
			if _, err := p.Build(t.Context(), into); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error that says %q", err, test.want)
			}
			if left, err := os.ReadDir(into); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

func TestFileThatChangesWhileItIsPacked(t *testing.T) {
	for _, content := range []string{"1234", "123456"} {
		err := copyExactly(io.Discard, strings.NewReader(content), "x.jar", 5)
		if err == nil || !strings.Contains(err.Error(), "x.jar changed") {
			t.Errorf("%d bytes instead of 5: %v", len(content), err)
		}
	}
	if err := copyExactly(io.Discard, strings.NewReader("12345"), "x.jar", 5); err != nil {
		t.Error(err)
	}
}

// cancelWriter ends a context when it has seen that many bytes.
type cancelWriter struct {
	cancel context.CancelFunc
	after  int
	seen   int
}

func (w *cancelWriter) Write(data []byte) (int, error) {
	w.seen += len(data)
	if w.seen >= w.after {
		w.cancel()
	}
	return len(data), nil
}

func TestPackageIsStreamed(t *testing.T) {
	p, dir := newPackage(t)
	const size = 64 << 20
	f, err := os.Create(p.Binary)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{}), size)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	// Output begins, and a cancelled context ends it, long before the whole
	// file was read.
	ctx, cancel := context.WithCancel(t.Context())
	w := &cancelWriter{cancel: cancel, after: 1 << 20}
	err = p.Write(&digestWriter{ctx: ctx, w: w, hash: sha256.New()})
	if !errors.Is(err, context.Canceled) || w.seen > size/4 {
		t.Errorf("cancelled after %d bytes: %v, %d written", w.after, err, w.seen)
	}
	if _, err := p.Build(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "topology-*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := p.Write(io.Discard); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > size/4 {
		t.Errorf("packing %d bytes allocates %d", size, n)
	}
}

func TestSourceDate(t *testing.T) {
	for value, want := range map[string]time.Time{"": {}, "0": time.Unix(0, 0).UTC(), "1700000000": time.Unix(1700000000, 0).UTC()} {
		if got, err := SourceDate(value); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", value, got, err, want)
		}
	}
	for _, value := range []string{"-1", "1.5", "today", "99999999999999"} {
		var input *InputError
		if got, err := SourceDate(value); !errors.As(err, &input) {
			t.Errorf("%q: %v, %v; want an *InputError", value, got, err)
		}
	}
}

func TestPackageName(t *testing.T) {
	id := "words0c9006ef-b524-42dc-aedd-0fb4cfc9e250"
	for want, parts := range map[string][3]string{
		"nomad/ads/prod/words/" + id + "/abc.tar.gz":               {"ads", "prod", "words"},
		"nomad/~/~/words/" + id + "/abc.tar.gz":                    {"", "", "words"},
		"nomad/~2e./~2e/a~2fb/" + id + "/abc.tar.gz":               {"..", ".", "a/b"},
		"nomad/me~40x/~7e/two~20words~c3~a9/" + id + "/abc.tar.gz": {"me@x", "~", "two wordsé"},
		"nomad/v1.2_x-y/prod/words/" + id + "/abc.tar.gz":          {"v1.2_x-y", "prod", "words"},
	} {
		if got := PackageName("nomad", parts[0], parts[1], parts[2], id, "abc"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	long := strings.Repeat("é", 100)
	a, b := PackageName("c", "r", "e", long+"a", "i", "s"), PackageName("c", "r", "e", long+"b", "i", "s")
	if part := strings.Split(a, "/")[3]; a == b || len(part) > maxPart {
		t.Errorf("overlong names give %s and %s", a, b)
	}
}

func TestFingerprintLeavesTheIDOut(t *testing.T) {
	p, dir := newPackage(t)
	of := func(p *Package) string {
		t.Helper()
		sum, err := p.Fingerprint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	first := of(p)
	other := *p
	other.Definition = p.Definition.WithID("another")
	if of(&other) != first {
		t.Error("another id gives another fingerprint")
	}
	other.Conf = append(slices.Clone(p.Conf[:4]), ConfFile{Name: "override.yaml", Data: []byte("a: b\n")})
	if of(&other) == first {
		t.Error("other overrides give the same fingerprint")
	}
	if err := os.WriteFile(filepath.Join(dir, "words.jar"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if of(p) == first {
		t.Error("another topology file gives the same fingerprint")
	}
	again, err := p.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	adopted := *p
	adopted.Definition = p.Definition.WithID("another").WithID(p.Definition.ID())
	same, err := adopted.Build(t.Context(), t.TempDir())
	if err != nil || same.SHA256 != again.SHA256 {
		t.Errorf("the package of an adopted id differs: %v", err)
	}
}
