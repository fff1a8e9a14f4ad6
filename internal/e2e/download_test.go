package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
)

// downloader is heron under its other name, in a folder of its own.
type downloader struct {
	t *testing.T
	// program is heron-downloader, dir where it is run.
	program, dir string
	env          []string
}

func newDownloader(t *testing.T) *downloader {
	t.Helper()
	top := t.TempDir()
	d := &downloader{t: t, program: filepath.Join(top, "bin", "heron-downloader"), dir: filepath.Join(top, "work")}
	for _, dir := range []string{filepath.Dir(d.program), d.dir} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(bin.heron, d.program); err != nil {
		t.Fatal(err)
	}
	d.env = []string{"HOME=" + top, "PATH=" + os.Getenv("PATH")}
	return d
}

func (d *downloader) command(args ...string) (*exec.Cmd, *lockedBuffer, *lockedBuffer) {
	cmd := exec.CommandContext(d.t.Context(), d.program, args...)
	cmd.Dir, cmd.Env = d.dir, d.env
	var out, errOut lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	return cmd, &out, &errOut
}

func (d *downloader) run(args ...string) result {
	d.t.Helper()
	cmd, out, errOut := d.command(args...)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		d.t.Fatal(err)
	}
	ended := result{code: cmd.ProcessState.ExitCode(), out: out.String(), errOut: errOut.String()}
	ended.checkJSON(d.t, append([]string{"download"}, args...))
	return ended
}

// left are the names in the folder where it is run.
func (d *downloader) left() string {
	d.t.Helper()
	var list []string
	err := filepath.WalkDir(d.dir, func(path string, _ os.DirEntry, err error) error {
		if path != d.dir {
			list = append(list, strings.TrimPrefix(path, d.dir+"/"))
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return strings.Join(list, " ")
}

// aPackage is a package of a topology, on a web server and as a file.
func aPackage(t *testing.T) (data []byte, path, url, digest string) {
	t.Helper()
	data = testenv.Gzip(t, tarred(t, "wc.jar", []byte("jar")))
	path = filepath.Join(t.TempDir(), "topology.tar.gz")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(path))))
	t.Cleanup(server.Close)
	sum := sha256.Sum256(data)
	return data, path, server.URL + "/topology.tar.gz", hex.EncodeToString(sum[:])
}

func TestDownloaderTakesTheOriginalsFlags(t *testing.T) {
	t.Parallel()
	_, path, url, digest := aPackage(t)
	conf := t.TempDir()
	if err := os.WriteFile(filepath.Join(conf, "downloader.yaml"), []byte("heron.downloader.registry: {http: org.example.Mine, file: org.apache.heron.downloader.FileDownloader}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"as a job calls it":      {"-u", "file://" + path, "-f", ".", "-m", "local", "-p", conf, "-d", "./heron-core"},
		"http":                   {"-u", url, "-f", "."},
		"long":                   {"--topology_package_uri", url, "--extract_destination", ".", "--mode", "cluster"},
		"long, with equal signs": {"--topology_package_uri=" + url, "--extract_destination=.", "--mode=local", "--heron_home=x", "--config_path=" + conf},
		"two words":              {url, "."},
		"a word for each pair":   {"-u " + url, "-f .", "-d /heron", "-p " + conf, "-m local"},
		"long pairs":             {"--topology_package_uri " + url, "--extract_destination ."},
		"a path":                 {"-u", path, "-f", "."},
		"with a digest":          {"-u", path, "-f", ".", "--sha256", strings.ToUpper(digest)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDownloader(t)
			r := d.run(args...)
			if r.code != 0 || d.left() != "wc.jar" || !strings.Contains(r.out, "1 files") {
				t.Errorf("%s\nleft: %s", r, d.left())
			}
			mine := strings.Contains(r.errOut, "org.example.Mine")
			if want := strings.Contains(strings.Join(args, " "), conf) && strings.Contains(strings.Join(args, " "), url); mine != want {
				t.Errorf("warned of a class: %v, want %v: %s", mine, want, r)
			}
		})
	}
}

func TestDownloaderRefusesLines(t *testing.T) {
	t.Parallel()
	_, path, _, digest := aPackage(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nothing":               {nil, 2, "give -u URI and -f FOLDER"},
		"one word":              {[]string{path}, 2, "give -u"},
		"three words":           {[]string{path, ".", "x"}, 2, "give -u"},
		"no folder":             {[]string{"-u", path}, 2, "give -u"},
		"a word too many":       {[]string{"-u", path, "-f", ".", "x"}, 2, "give -u"},
		"another mode":          {[]string{"-u", path, "-f", ".", "-m", "yarn"}, 2, "use cluster or local"},
		"local without home":    {[]string{"-u", path, "-f", ".", "-m", "local", "-p", "x"}, 2, "--heron_home"},
		"local without config":  {[]string{"-u", path, "-f", ".", "-m", "local", "-d", "x"}, 2, "--config_path"},
		"unknown flag":          {[]string{"-u", path, "-f", ".", "--what"}, 2, "--what"},
		"limit of nothing":      {[]string{"-u", path, "-f", ".", "--max-bytes", "0"}, 2, "--max-bytes"},
		"a digest that is none": {[]string{"-u", path, "-f", ".", "--sha256", digest[1:]}, 2, "64 hex digits"},
		"hdfs":                  {[]string{"-u", "hdfs://x/y", "-f", "."}, 2, "file, http, https or s3"},
		"no such file":          {[]string{"-u", path + "x", "-f", "."}, 4, "no such file"},
		"no server":             {[]string{"-u", "http://127.0.0.1:1/x", "-f", ".", "--retries", "0"}, 6, "refused"},
		"too large":             {[]string{"-u", path, "-f", ".", "--max-bytes", "100"}, 7, "100 bytes"},
		"out of time":           {[]string{"-u", "http://127.0.0.1:1/x", "-f", ".", "--timeout", "1ms"}, 6, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDownloader(t)
			if r := d.run(c.args...); r.code != c.code || !strings.Contains(r.errOut, c.says) || d.left() != "" {
				t.Errorf("want exit code %d and %q: %s\nleft: %s", c.code, c.says, r, d.left())
			}
		})
	}
	d := newDownloader(t)
	if r := d.run("-h"); r.code != 0 || !strings.Contains(r.out, "--topology_package_uri") {
		t.Errorf("help: %s", r)
	}
}

func TestDownloaderChecksTheDigestOfTheContainer(t *testing.T) {
	t.Parallel()
	_, path, url, digest := aPackage(t)
	wrong := strings.Repeat("0", 64)
	d := newDownloader(t)
	env := d.env
	for _, uri := range []string{path, url} {
		d.env = append(slices.Clone(env), "HERON_TOPOLOGY_PACKAGE_SHA256="+wrong)
		if r := d.run("-u", uri, "-f", "."); r.code != 7 || !strings.Contains(r.errOut, wrong) || !strings.Contains(r.errOut, digest) || d.left() != "" {
			t.Errorf("a wrong digest: %s\nleft: %s", r, d.left())
		}
		if r := d.run("-u", uri, "-f", "flag", "--sha256", digest); r.code != 0 {
			t.Errorf("the flag does not win: %s", r)
		}
		if r := d.run("-u", uri, "-f", "flag", "--sha256", ""); r.code != 0 {
			t.Errorf("an empty flag does not win: %s", r)
		}
		if err := os.RemoveAll(filepath.Join(d.dir, "flag")); err != nil {
			t.Fatal(err)
		}
	}
	d.env = append(slices.Clone(env), "HERON_TOPOLOGY_PACKAGE_SHA256="+digest)
	r := d.run("-u", url+"?token=sesame", "-f", ".", "--output", "json")
	var doc struct {
		URI     string
		SHA256  string
		Checked bool
		Entries int
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || !doc.Checked || doc.SHA256 != digest || doc.Entries != 1 || doc.URI != url+"?…" {
		t.Errorf("%v: %s", err, r)
	}
}

// A signal in the middle leaves the folder as it was.
func TestDownloaderLeavesNothingWhenInterrupted(t *testing.T) {
	t.Parallel()
	data, _, _, _ := aPackage(t)
	begun := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(data[:len(data)/2])
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-r.Context().Done()
	}))
	defer server.Close()
	d := newDownloader(t)
	if err := os.WriteFile(filepath.Join(d.dir, "wc.jar"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, _, errOut := d.command("-u", server.URL, "-f", ".")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	<-begun
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(errOut.String(), "nothing was changed") {
		t.Errorf("exit code %d: %s", code, errOut.String())
	}
	if left := d.left(); left != "wc.jar" || !bytes.Equal(readFile(t, filepath.Join(d.dir, "wc.jar")), []byte("old")) {
		t.Errorf("left: %s", left)
	}
}

// The stand-in for heron-core passes the default limits, unpacked as the
// system's tar does it.
func TestDownloadUnpacksAsTarDoes(t *testing.T) {
	t.Parallel()
	d := newDownloader(t)
	if r := d.run("-u", bin.core, "-f", "ours"); r.code != 0 {
		t.Fatal(r)
	}
	theirs := filepath.Join(d.dir, "theirs")
	if err := os.Mkdir(theirs, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range [][]string{
		{"tar", "-xzof", bin.core, "-C", theirs},
		{"diff", "-r", "--no-dereference", "ours", "theirs"},
	} {
		c := exec.CommandContext(t.Context(), cmd[0], cmd[1:]...)
		c.Dir = d.dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	for _, name := range strings.Fields(d.left()) {
		rel, isOurs := strings.CutPrefix(name, "ours/")
		if !isOurs {
			continue
		}
		a, errA := os.Lstat(filepath.Join(d.dir, "ours", rel))
		b, errB := os.Lstat(filepath.Join(d.dir, "theirs", rel))
		if errA != nil || errB != nil || a.Mode() != b.Mode() || !a.ModTime().Equal(b.ModTime()) && a.Mode().IsRegular() {
			t.Errorf("%s: %v %v, with tar %v %v", rel, a.Mode(), a.ModTime(), b.Mode(), b.ModTime())
		}
	}
}

// Authorities and proxies are those of the environment.
func TestDownloadHeedsTheEnvironment(t *testing.T) {
	t.Parallel()
	data, _, _, _ := aPackage(t)
	var asked string
	give := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = w.Write(data)
	})
	secure := httptest.NewUnstartedServer(give)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	d := newDownloader(t)
	env := d.env
	if r := d.run("-u", secure.URL, "-f", "tls"); r.code != 6 || !strings.Contains(r.errOut, "certificate") {
		t.Errorf("a server of an unknown authority: %s", r)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	d.env = append(slices.Clone(env), "SSL_CERT_FILE="+writeFile(t, "authority.pem", authority, 0o600))
	if r := d.run("-u", secure.URL, "-f", "tls"); r.code != 0 || d.left() != "tls tls/wc.jar" {
		t.Errorf("a server of a known authority: %s", r)
	}
	proxy := httptest.NewServer(give)
	defer proxy.Close()
	d.env = append(slices.Clone(env), "HTTP_PROXY="+proxy.URL)
	if r := d.run("-u", "http://packages.invalid/p", "-f", "proxy"); r.code != 0 || asked != "http://packages.invalid/p" {
		t.Errorf("by a proxy, which was asked for %q: %s", asked, r)
	}
}
