package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSecretFilesAreReadAlike goes over what files of secrets look like, for
// every setting that such a file gives.
func TestSecretFilesAreReadAlike(t *testing.T) {
	large := strings.Repeat("x", maxSecret+1)
	readers := map[string]struct {
		files func(path string) map[string]string
		get   func(*Settings) Secret
		// text is a secret of the right form.
		text string
	}{
		keyNomadTokenFile: {
			func(path string) map[string]string {
				return map[string]string{"override.yaml": keyNomadTokenFile + ": " + path + "\n"}
			},
			func(s *Settings) Secret { return s.Nomad.Access.Token }, "sesame",
		},
		keyHTTPTokenFile: {
			func(path string) map[string]string {
				return map[string]string{"uploader.yaml": "heron.class.uploader: http\nheron.uploader.http.uri: http://h/\n" + keyHTTPTokenFile + ": " + path + "\n"}
			},
			func(s *Settings) Secret { return s.Upload.HTTP.Token }, "sesame",
		},
		keyZooKeeperDigest: {
			func(path string) map[string]string {
				return map[string]string{"override.yaml": keyZooKeeperDigest + ": " + path + "\n"}
			},
			func(s *Settings) Secret { return s.State.ZooKeeper.Digest }, "ann:sesame",
		},
		keyDockerPasswordFile: {
			func(path string) map[string]string {
				return map[string]string{"override.yaml": "heron.nomad.docker.auth.username: ann\n" + keyDockerPasswordFile + ": " + path + "\n"}
			},
			func(s *Settings) Secret { return s.Nomad.DockerAuth.Password }, "sesame",
		},
	}
	for key, r := range readers {
		for _, c := range []struct {
			what, content string
			mode          os.FileMode
			fails, warns  string
		}{
			{"bare", r.text, 0o600, "", ""},
			{"a line feed", r.text + "\n", 0o600, "", ""},
			{"a line of Windows", r.text + "\r\n", 0o600, "", ""},
			{"blanks around it", " \t" + r.text + " \n\n", 0o600, "", ""},
			{"a byte order mark", "\ufeff" + r.text + "\n", 0o600, "", ""},
			{"readable by others", r.text, 0o644, "", "its mode is 0644; run chmod 600"},
			{"readable by the group", r.text, 0o640, "", "its mode is 0640"},
			{"empty", "", 0o600, "is empty", ""},
			{"blank", " \n\t\n", 0o600, "is empty", ""},
			{"a mark alone", "\ufeff\n", 0o600, "is empty", ""},
			{"two lines", r.text + "\nbob:sesame\n", 0o600, "holds more than one line", ""},
			{"a control character", r.text + "\x00x", 0o600, "holds a control character", ""},
			{"UTF-16", "\xff\xfes\x00e\x00s\x00a\x00m\x00e\x00", 0o600, "is in UTF-16", ""},
			{"another encoding", r.text + "\xe9", 0o600, "is not in UTF-8", ""},
			{"too large", r.text + large, 0o600, "has more than 65536 bytes", ""},
		} {
			path := secretFile(t, c.content)
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			what := key + ", " + c.what
			s, err := resolved(t, with(r.files(path))).Settings()
			if c.fails != "" {
				wantError(t, what, err)
				if err != nil && (!strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), path)) || strings.Contains(fmt.Sprint(err), "sesame") {
					t.Errorf("%s: %v, want %q in it", what, err, c.fails)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			if got := r.get(s); string(got) != r.text {
				t.Errorf("%s: %q, want %q", what, string(got), r.text)
			}
			var warnings []string
			for _, w := range s.Warnings {
				warnings = append(warnings, w.Error())
			}
			if text := strings.Join(warnings, "\n"); !strings.Contains(text, c.warns) || (c.warns == "") != (text == "") {
				t.Errorf("%s: warnings %q, want %q", what, text, c.warns)
			}
		}
		_, err := resolved(t, with(r.files("/no/such/file"))).Settings()
		wantError(t, key+" without a file", err)
		_, err = resolved(t, with(r.files(t.TempDir()))).Settings()
		wantError(t, key+" with a folder", err)
	}
}

func TestPrivateKeysThatOthersCanRead(t *testing.T) {
	key, cert := secretFile(t, "key"), secretFile(t, "certificate")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]map[string]string{
		keyNomadClientKey: {"override.yaml": fmt.Sprintf("heron.nomad.scheduler.uri: https://h\n%s: %s\n%s: %s\n", keyNomadClientKey, key, keyNomadClientCert, cert)},
		keyHTTPClientKey: {"uploader.yaml": fmt.Sprintf("heron.class.uploader: http\nheron.uploader.http.uri: https://h/\n%s: %s\n%s: %s\n",
			keyHTTPClientKey, key, keyHTTPClientCert, cert)},
		keyZooKeeperClientKey: {"override.yaml": fmt.Sprintf("%s: true\n%s: %s\n%s: %s\n", keyZooKeeperTLS, keyZooKeeperClientKey, key, keyZooKeeperClientCert, cert)},
	} {
		s, err := resolved(t, with(files)).Settings()
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Warnings) != 1 || s.Warnings[0].Key != name || !strings.Contains(s.Warnings[0].Error(), key) {
			t.Errorf("%s: warnings %v", name, s.Warnings)
		}
	}
}

// harmless are the keys with words of secrets and files that hold neither a
// secret nor the name of a file with one.
var harmless = []string{
	"heron.apiserver.http.file.system.directory", "heron.apiserver.file.override.yaml",
	keyNomadCACert, keyNomadCAPath, keyNomadClientCert, keyHTTPCACert, keyHTTPClientCert,
	keyZooKeeperCACert, keyZooKeeperClientCert,
	"heron.nomad.docker.auth.username", "heron.nomad.docker.auth.server",
	"heron.nomad.logs.max.files", "heron.nomad.logs.max.file.size",
	keyStateRoot, "heron.statemgr.localfs.is.initialize.file.tree",
	keyLocalFSDir, "heron.uploader.s3.path_prefix", "heron.uploader.s3.path.style", "heron.uploader.scp.dir.path",
	"heron.uploader.hdfs.config.directory", "heron.uploader.hdfs.topologies.directory.uri",
	"heron.internals.config.file", "heron.topology.definition.file", "heron.topology.binary.file", "heron.topology.package.file",
	"heron.package.core.directory", "heron.runtime.topology.class.path", "heron.scheduler.local.working.directory",
	"heron.statefulstorage.localfs.root.path", "heron.logging.directory", "heron.logging.maximum.files",
}

// A new key whose name speaks of a file, a key or an account must be put
// where it belongs: among secrets, files of secrets, or the harmless ones.
func TestEveryKeyThatMayNameASecretFileIsPlaced(t *testing.T) {
	suspicious := []string{"file", "files", "path", "dir", "directory", "key", "keys", "cert", "auth", "token", "password", "secret", "credentials", "credential", "identity"}
	for key := range knownKeys() {
		if strings.HasPrefix(key, "heron.config.file.") || strings.HasPrefix(key, "heron.directory.") {
			continue
		}
		if !slices.ContainsFunc(splitWords(key), func(w string) bool { return slices.Contains(suspicious, w) }) {
			continue
		}
		places := 0
		for _, in := range []bool{IsSecret(key) && key != keyGCSCredentials, slices.Contains(secretFileKeys(), key), slices.Contains(harmless, key)} {
			if in {
				places++
			}
		}
		if places != 1 {
			t.Errorf("%s is in %d places: put it into IsSecret, secretFileKeys, or the harmless keys of this test", key, places)
		}
	}
}

func TestSecretFilesAreNeverPacked(t *testing.T) {
	for _, key := range secretFileKeys() {
		for _, form := range []string{"direct", "link to it", "link in the folder", "by token"} {
			l, dir := folder(t, map[string]string{"sub/secret.txt": "ann:sesame", "heron_internals.yaml": "a: 1\n"})
			inside := filepath.Join(dir, "sub", "secret.txt")
			value := inside
			switch form {
			case "link to it":
				value = filepath.Join(t.TempDir(), "link")
				link(t, inside, value)
			case "link in the folder":
				value = secretFile(t, "ann:sesame")
				link(t, value, filepath.Join(dir, "sub", "linked.txt"))
				if err := os.Remove(inside); err != nil {
					t.Fatal(err)
				}
			case "by token":
				value = "${HERON_CONF}/sub/secret.txt"
			}
			// Another key, which the engine reads, names the folder.
			l = reload(t, l, "client.yaml", key+": "+value+"\nmy.files: ./heron-conf/sub\n")
			files, err := l.PackageFiles()
			if err != nil {
				t.Errorf("%s, %s: %v", key, form, err)
			}
			for _, f := range files {
				if strings.Contains(string(f.Data), "sesame") {
					t.Errorf("%s, %s: %s is packed", key, form, f.Name)
				}
			}
		}
	}
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}
