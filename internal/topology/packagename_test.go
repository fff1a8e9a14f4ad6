package topology

import (
	"strings"
	"testing"
)

func TestPackageNamesAreTakenApartAgain(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 4)
	for _, part := range []string{"words", "a.b", ".hidden", "a/b", "ä~", "", "x y", strings.Repeat("long", 80)} {
		name := PackageName(part, part, part, part, part, sum)
		got, ok := ParsePackageName(name)
		want := EscapePart(part)
		if !ok || got != (NameParts{want, want, want, want, want, sum}) {
			t.Errorf("%q: %+v, %v", name, got, ok)
		}
		text, ok := UnescapePart(want)
		if long := len(part) > maxPart; ok == long || ok && text != part {
			t.Errorf("%q is unescaped to %q, %v", want, text, ok)
		}
	}
	good := PackageName("c", "r", "e", "t", "i", sum)
	for _, bad := range []string{
		"", "x", good + ".part", "x/" + good, strings.TrimPrefix(good, "c/"), strings.Replace(good, "/t/", "/../", 1),
		strings.Replace(good, "/t/", "/a b/", 1), strings.Replace(good, "/t/", "/~zz/", 1), strings.Replace(good, "/t/", "//", 1),
		strings.ToUpper(good), strings.Replace(good, "0", "", 1), strings.Replace(good, "/t/", "/.t/", 1), "/" + good, good + "\n",
		strings.Replace(good, "/t/", "/"+strings.Repeat("x", maxPart+1)+"/", 1),
	} {
		if parts, ok := ParsePackageName(bad); ok {
			t.Errorf("%q is taken for a package: %+v", bad, parts)
		}
	}
}
