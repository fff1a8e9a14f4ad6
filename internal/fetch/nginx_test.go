package fetch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/testenv"
)

// What a web server as people run it does: passwords, ranges, redirects,
// packing for the way.
func TestFetchFromNginx(t *testing.T) {
	dir, data := t.TempDir(), noise(4<<20)
	text := []byte(strings.Repeat("text that packs well\n", 1000))
	for name, content := range map[string][]byte{
		"p.tar.gz": data, "text": text, "password": []byte("ann:{PLAIN}sesame\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	locations := fmt.Sprintf(`root %[1]s;
    gzip on; gzip_types *; gzip_min_length 1;
    location /closed/ { alias %[1]s/; auth_basic "packages"; auth_basic_user_file %[1]s/password; }
    location /noranges/ { alias %[1]s/; max_ranges 0; }
    location /moved/ { return 302 /p.tar.gz; }
`, dir)
	server := testenv.RunNginx(t, testenv.NginxOptions{Server: locations})
	readable(t, dir)
	opts := quick()
	opts.Retries = 1
	mustGet(t, server.Addr+"/p.tar.gz", opts, data)
	mustGet(t, server.Addr+"/moved/x", opts, data)
	mustGet(t, server.Addr+"/text", opts, text)
	mustGet(t, strings.Replace(server.Addr, "//", "//ann:sesame@", 1)+"/closed/p.tar.gz", opts, data)
	mustFail(t, server.Addr+"/closed/p.tar.gz", opts, ErrDenied, outcome.Denied, "401")
	mustFail(t, strings.Replace(server.Addr, "//", "//ann:sesame-wrong@", 1)+"/closed/p.tar.gz", opts, ErrDenied, outcome.Denied, "401")
	mustFail(t, server.Addr+"/gone", opts, ErrNotFound, outcome.NotFound, "404")
	mustFail(t, server.Addr+"/", opts, ErrDenied, outcome.Denied, "403")

	proxy := testenv.Proxy(t, server.Addr)
	proxy.CutAfter(3 << 19)
	waits := 0
	opts.SHA256 = digestOf(data)
	opts.Progress = func(progress.Event) { waits++ }
	mustGet(t, "http://"+proxy.Addr+"/p.tar.gz", opts, data)
	if waits != 2 {
		t.Errorf("tried again %d times, want two for three parts", waits)
	}
	log, err := os.ReadFile(filepath.Join(server.Dir, "access.log"))
	if err != nil || strings.Count(string(log), `" 206 `) != 2 {
		t.Errorf("%v; the rest was not asked for:\n%s", err, log)
	}
	opts.Progress = func(progress.Event) { proxy.Up() }
	mustGet(t, "http://"+proxy.Addr+"/noranges/p.tar.gz", opts, data)
}

// readable lets a server that runs as another user into a folder of a test.
func readable(t *testing.T, dir string) {
	t.Helper()
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
