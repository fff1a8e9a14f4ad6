package apiserver

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/apiserver/files"
)

// FuzzSubmission reads forms of any bytes: it has to end, with an error or a
// submission whose files lie in its own folder, and leaves nothing behind.
func FuzzSubmission(f *testing.F) {
	contentType, body := form(part{"name", "", "words"}, part{"definition", "w.defn", "x"}, part{"topology", "../w.jar", "x"})
	_, boundary, _ := strings.Cut(contentType, "boundary=")
	text := strings.ReplaceAll(body.String(), boundary, "B")
	f.Add(text)
	f.Add(strings.ReplaceAll(text, "\r\n", "\n"))
	f.Add(text[:len(text)/2])
	f.Add("--B\r\nContent-Disposition: form-data; name=\"topology\"; filename=\"a/../../b\"\r\n\r\nx\r\n--B--")
	f.Add("--B\r\nContent-Type: x\r\n\r\n\r\n--B--")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		store, err := files.Open(filepath.Join(dir, "store"), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		s := &Server{opts: Options{Store: store, Limits: Limits{Upload: 1 << 20}}}
		r := httptest.NewRequest("POST", "/", strings.NewReader(text))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=B")
		got, err := s.readSubmission(t.Context(), r)
		if err == nil {
			for _, path := range []string{got.definition, got.topology} {
				if path != "" && !strings.HasPrefix(path, got.dir+string(filepath.Separator)) {
					t.Errorf("%s is outside of %s", path, got.dir)
				}
			}
			got.remove()
		}
		entries, err := os.ReadDir(store.Dir())
		if err != nil || len(entries) != 1 { // the key
			t.Errorf("left: %v (%v)", entries, err)
		}
		if outside, err := os.ReadDir(dir); err != nil || len(outside) != 1 {
			t.Errorf("outside: %v (%v)", outside, err)
		}
	})
}
