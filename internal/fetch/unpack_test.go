package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/tarball"
)

// packed is a gzipped tar of files.
func packed(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// names are the files below a folder, hidden ones included.
func names(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			list = append(list, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func TestUnpack(t *testing.T) {
	data := packed(t, map[string]string{"wc.jar": "jar", "heron-conf/override.yaml": "x"})
	url, _ := answering(t, serve(data))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "core"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	opts := quick()
	opts.SHA256 = digestOf(data)
	got, err := Unpack(t.Context(), url, dir, opts, tarball.Limits{})
	if err != nil || got.SHA256 != digestOf(data) || got.Entries != 3 || got.Bytes != 4 || got.Size != int64(len(data)) {
		t.Errorf("%+v, %v", got, err)
	}
	if left := names(t, dir); left != "core heron-conf heron-conf/override.yaml wc.jar" {
		t.Errorf("the folder has %s", left)
	}
}

func TestUnpackIsAllOrNothing(t *testing.T) {
	good := packed(t, map[string]string{"wc.jar": strings.Repeat("jar", 1000)})
	for name, c := range map[string]struct {
		data []byte
		opts Options
		says string
	}{
		"wrong digest":  {good, Options{SHA256: digestOf(nil)}, "its SHA-256 is " + digestOf(good)},
		"no archive":    {[]byte("hello"), Options{}, "not a tar file"},
		"damaged":       {good[:len(good)-9], Options{}, "cut off"},
		"leads outside": {packed(t, map[string]string{"../x": ""}), Options{}, "outside"},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := answering(t, serve(c.data))
			top := t.TempDir()
			for _, dir := range []string{top, filepath.Join(top, "new", "folder")} {
				_, err := Unpack(t.Context(), url+"/?sesame", dir, c.opts, tarball.Limits{})
				if outcome.KindOf(err) != outcome.Undone || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "sesame") {
					t.Errorf("got %v, want one that failed and left nothing, and that says %q", err, c.says)
				}
				if left := names(t, top); left != "" {
					t.Errorf("left: %s", left)
				}
			}
		})
	}
}

func TestUnpackLeavesNothingWhenCancelled(t *testing.T) {
	data := packed(t, map[string]string{"noise": string(noise(1 << 20))})
	for _, percent := range []int{0, 50, 99, 100} {
		ctx, cancel := context.WithCancel(t.Context())
		url, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(data[:len(data)*percent/100])
			_ = http.NewResponseController(w).Flush()
			cancel()
			if percent < 100 {
				<-r.Context().Done()
			}
		})
		dir := t.TempDir()
		_, err := Unpack(ctx, url, dir, quick(), tarball.Limits{})
		cancel()
		left := names(t, dir)
		// At the end the signal may come too late; then all is there.
		if err == nil && percent == 100 && left == "noise" {
			continue
		}
		if !errors.Is(err, context.Canceled) || left != "" {
			t.Errorf("cancelled at %d %%: %v; left: %s", percent, err, left)
		}
	}
}
