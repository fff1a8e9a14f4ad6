package tarball

import (
	"archive/tar"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// systemTar makes an archive with the tar of this machine.
func systemTar(t testing.TB, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("tar", append([]string{"-c", "-f", "-", "-C", dir}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tar: %v", err)
	}
	return out
}

// What an archive holds, and how its members are called: nothing comes out
// beside the folder, and nothing but files, folders and links in it. Every
// three bytes of the recipe are a member.
func FuzzExtractStaysInside(f *testing.F) {
	names := []string{
		"a", "a/b", "a/b/c", "../outside", "/outside", ".", "..", "a/..", "a/../..", "a/../../outside", "./a", "b", "b/outside",
		"../in/x", "a//b", "c/", "", "a/b/../../..", "outside", "../../x",
	}
	kinds := []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo, tar.TypeChar}
	f.Add([]byte{2, 2, 17, 2, 11, 8, 0, 12, 0})
	f.Add([]byte{1, 0, 0, 2, 11, 6, 0, 12, 0})
	f.Add([]byte{2, 0, 5, 3, 11, 0, 0, 11, 0, 2, 1, 17})
	f.Add([]byte{0, 0, 0, 3, 11, 0, 1, 0, 0, 0, 12, 0})
	f.Add([]byte{2, 1, 8, 2, 2, 6, 3, 11, 1})
	f.Fuzz(func(t *testing.T, recipe []byte) {
		var members []member
		for ; len(recipe) >= 3 && len(members) < 50; recipe = recipe[3:] {
			members = append(members, member{
				kind: kinds[int(recipe[0])%len(kinds)],
				name: names[int(recipe[1])%len(names)],
				link: names[int(recipe[2])%len(names)],
			})
		}
		for i := range members {
			if members[i].kind == tar.TypeReg {
				members[i].data = "inside"
			}
			// Writers of tar files keep the slash for folders.
			if members[i].kind != tar.TypeDir {
				members[i].name = strings.TrimRight(members[i].name, "/")
			}
		}
		check(t, tarred(t, members...))
	})
}

// Any bytes at all.
func FuzzExtractBytes(f *testing.F) {
	f.Add(tarred(f, dir("d"), file("d/f", "x"), symlink("l", "d/f"), hard("h", "d/f")))
	f.Add(testenv.Gzip(f, tarred(f, file("f", "x"))))
	f.Add([]byte("BZh9"))
	f.Fuzz(check)
}

// check unpacks and looks at what is there: unpackIn at what is outside.
func check(t *testing.T, data []byte) {
	folder, _, err := unpackIn(t, data, Options{Limits: Limits{Bytes: 1 << 20, Entries: 1000}})
	for name, what := range tree(t, folder) {
		target, isLink := strings.CutPrefix(what, "-> ")
		switch {
		case isLink && err == nil:
			end, failed := filepath.EvalSymlinks(filepath.Join(folder, name))
			if failed == nil && end != folder && !strings.HasPrefix(end, folder+"/") {
				t.Errorf("the link %s to %s leads to %s", name, target, end)
			}
		case strings.HasSuffix(name, "outside") && what == "outside":
			t.Errorf("%s is the file outside", name)
		case len(what) == 10 && strings.HasSuffix(what, "---------"):
			t.Errorf("%s is of type %s", name, what)
		}
	}
	var bad *Error
	if err != nil && !errors.As(err, &bad) {
		t.Errorf("%v is not an *Error", err)
	}
}
