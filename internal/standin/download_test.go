package standin

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packageOf is a topology package with a file in a directory.
func packageOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	out := tar.NewWriter(zipped)
	for _, name := range names {
		h := &tar.Header{Name: name, Mode: 0o644, Size: 4, Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		if err := out.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := out.Write([]byte("text")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDownloader(t *testing.T) {
	conf, to := t.TempDir(), t.TempDir()
	registry := "heron.downloader.registry: {http: H, file: F}\n"
	if err := os.WriteFile(filepath.Join(conf, "downloader.yaml"), []byte(registry), 0o644); err != nil {
		t.Fatal(err)
	}
	good := packageOf(t, "./", "wc.jar", "./heron-conf/", "./heron-conf/override.yaml")
	file := filepath.Join(t.TempDir(), "p.tar.gz")
	if err := os.WriteFile(file, good, 0o644); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			_, _ = w.Write(good)
		case "/evil":
			_, _ = w.Write(packageOf(t, "../evil"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer web.Close()
	for _, test := range []struct {
		uri, args, err string
	}{
		{uri: "file://" + file},
		{uri: web.URL + "/good"},
		{uri: web.URL + "/gone", err: "404"},
		{uri: web.URL + "/evil", err: "evil"},
		{uri: "s3://b/k", err: "unsupported uri"},
		{uri: "file:///absent", err: "no such file"},
		{uri: "file://" + file, args: "-x y", err: `bad argument "-x"`},
	} {
		t.Run(test.uri, func(t *testing.T) {
			dir, err := os.MkdirTemp(to, "")
			if err != nil {
				t.Fatal(err)
			}
			args := append([]string{"-u", test.uri, "-f", dir, "-m", "local", "-p", conf, "-d", "./heron-core"}, strings.Fields(test.args)...)
			err = downloaderMain(args)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"wc.jar", "heron-conf/override.yaml"} {
				if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != "text" {
					t.Errorf("%s: %q, %v", name, data, err)
				}
			}
		})
	}
}
