package conf

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zooKeeperSettings loads the minimal files with lines added to statemgr.yaml.
func zooKeeperSettings(t *testing.T, lines string, environ map[string]string) (*Settings, error) {
	t.Helper()
	l := resolved(t, with(map[string]string{"statemgr.yaml": minimal["statemgr.yaml"] + lines}))
	l.opts.Getenv = func(name string) string { return environ[name] }
	return l.Settings()
}

// secretFile is a file outside any cluster directory.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestZooKeeperCredentials(t *testing.T) {
	file := secretFile(t, "ann:in a file: yes\r\n")
	line := "heron.statemgr.zookeeper.auth.digest.file: " + file + "\n"
	for _, c := range []struct {
		what, lines, variable string
		digest, from          string
	}{
		{"none", "", "", "", ""},
		{"the file", line, "", "ann:in a file: yes", file},
		{"the environment", "", "bob:in the environment", "bob:in the environment", VarZooKeeperAuth},
		{"the environment over the file", line, "bob:in the environment", "bob:in the environment", VarZooKeeperAuth},
	} {
		s, err := zooKeeperSettings(t, c.lines, map[string]string{VarZooKeeperAuth: c.variable})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		a := s.State.ZooKeeper
		if string(a.Digest) != c.digest || a.DigestFrom != c.from {
			t.Errorf("%s: %q from %s", c.what, string(a.Digest), a.DigestFrom)
		}
		encoded, err := json.Marshal(s)
		if shown := fmt.Sprintf("%v %+v %#v %s", s, s.State, a, encoded); err != nil || c.digest != "" && strings.Contains(shown, c.digest) {
			t.Errorf("%s: shown in %s, %v", c.what, shown, err)
		}
	}
}

func TestZooKeeperCredentialsAreRefusedUnseen(t *testing.T) {
	for _, text := range []string{"sesame", ":sesame", "ann:", "ann:sesame\nbob:sesame", "ann:ses\x00ame"} {
		_, err := zooKeeperSettings(t, "", map[string]string{VarZooKeeperAuth: text})
		file := secretFile(t, text)
		_, fileErr := zooKeeperSettings(t, "heron.statemgr.zookeeper.auth.digest.file: "+file+"\n", nil)
		for where, err := range map[string]error{VarZooKeeperAuth: err, file: fileErr} {
			wantError(t, where, err)
			if err != nil && (strings.Contains(err.Error(), "sesame") || !strings.Contains(err.Error(), where)) {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
	for _, key := range []string{keyStateConnection, keyZooKeeperClient} {
		_, err := resolved(t, with(map[string]string{"override.yaml": key + ": ann:sesame@zk1:2181\n"})).Settings()
		wantError(t, key, err)
		if err != nil && (strings.Contains(err.Error(), "sesame") || !strings.Contains(err.Error(), keyZooKeeperDigest)) {
			t.Error(err)
		}
	}
}

func TestZooKeeperTLS(t *testing.T) {
	const enabled = "heron.statemgr.zookeeper.tls.enabled: true\n"
	file := secretFile(t, "x")
	const ca, cert, key = keyZooKeeperCACert + ": ", keyZooKeeperClientCert + ": ", keyZooKeeperClientKey + ": "
	for lines, want := range map[string]*ZooKeeperTLS{
		"": nil,
		"heron.statemgr.zookeeper.tls.enabled: false\n": nil,
		enabled:                    {},
		enabled + ca + file + "\n": {CACert: file},
		enabled + cert + file + "\n" + key + file + "\n":              {ClientCert: file, ClientKey: file},
		enabled + "heron.statemgr.zookeeper.tls.server.name: zk\n":    {ServerName: "zk"},
		enabled + "heron.statemgr.zookeeper.tls.skip.verify: 'yes'\n": {SkipVerify: true},
	} {
		s, err := zooKeeperSettings(t, lines, nil)
		if err != nil {
			t.Errorf("%s: %v", lines, err)
			continue
		}
		if diff := cmp.Diff(want, s.State.ZooKeeper.TLS); diff != "" {
			t.Errorf("%s: %s", lines, diff)
		}
	}
	for lines, want := range map[string]string{
		ca + file + "\n": "TLS is not switched on",
		"heron.statemgr.zookeeper.tls.skip.verify: true\n": "TLS is not switched on",
		enabled + cert + file + "\n":                       "set " + keyZooKeeperClientKey,
		enabled + key + file + "\n":                        "set " + keyZooKeeperClientCert,
		enabled + ca + "/no/such/file\n":                   "cannot be read",
		enabled + ca + "ca.pem\n":                          "not an absolute path",
		enabled + "heron.statemgr.zookeeper.tls.skip.verify: true\n" + ca + file + "\n":          "leave one of them out",
		"heron.statemgr.zookeeper.auth.digest.file: /no/such/file\n":                             "cannot be read",
		"heron.statemgr.zookeeper.client.connection.string: zk1:2281/chroot\n":                   "executors cannot follow",
		"heron.statemgr.zookeeper.client.connection.string: zk1\n":                               "is not a server",
		"heron.statemgr.zookeeper.tls.certificate: x\nheron.statemgr.zookeeper.tls.enabled: 5\n": "use true or false",
	} {
		_, err := zooKeeperSettings(t, lines, nil)
		wantError(t, lines, err)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", lines, err, want)
		}
	}
}

func TestZooKeeperClientHasItsOwnServers(t *testing.T) {
	s, err := zooKeeperSettings(t, "heron.statemgr.zookeeper.client.connection.string: 'zk1:2281, zk3:2281'\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"zk1:2281", "zk3:2281"}, s.State.ClientServers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"zk1:2181", "zk2:2182"}, s.State.Servers); diff != "" || s.State.Connection != "zk1:2181,zk2:2182" {
		t.Errorf("executors are given %s %s", s.State.Connection, diff)
	}
}

func TestZooKeeperServersAreTracedToTheirLine(t *testing.T) {
	for lines, want := range map[string]string{
		"": "/statemgr.yaml:2",
		"# other\nheron.statemgr.zookeeper.client.connection.string: 'zk1:2281'\n": "/statemgr.yaml:5",
	} {
		s, err := zooKeeperSettings(t, lines, nil)
		if err != nil {
			t.Fatal(err)
		}
		key := keyStateConnection
		if lines != "" {
			key = keyZooKeeperClient
		}
		if from := s.State.ServersFrom.String(); !strings.HasPrefix(from, key+" in /") || !strings.HasSuffix(from, want) {
			t.Errorf("%q: from %q, want %s in …%s", lines, from, key, want)
		}
	}
}

func TestZooKeeperRequestLimit(t *testing.T) {
	for value, want := range map[string]int{"": 0, "4194304": 4 << 20, "4MB": 4 << 20, "65536": 65536} {
		lines := ""
		if value != "" {
			lines = keyZooKeeperLimit + ": " + value + "\n"
		}
		if s, err := zooKeeperSettings(t, lines, nil); err != nil || s.State.ZooKeeper.RequestLimit != want {
			t.Errorf("%q: %+v, %v, want %d", value, s, err, want)
		}
	}
	for _, bad := range []string{"0", "-1", "2GB", "large"} {
		_, err := zooKeeperSettings(t, keyZooKeeperLimit+": "+bad+"\n", nil)
		wantError(t, bad, err)
		if err != nil && !strings.Contains(err.Error(), "statemgr.yaml:4: "+keyZooKeeperLimit) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestZooKeeperACL(t *testing.T) {
	for value, want := range map[string]ZooKeeperACL{
		"open":                       {},
		"protected":                  {Protected: true},
		"auth::cdrwa":                {Entries: []ACLEntry{{"auth", "", "cdrwa"}}},
		"['auth::cdrwa', 'auth::r']": {Entries: []ACLEntry{{"auth", "", "cdrwa"}, {"auth", "", "r"}}},
		"auth::awrdc, ip:10.0.0.0/8:cdrw,ip:fe80::1:r,world:anyone:r": {Entries: []ACLEntry{
			{"auth", "", "awrdc"}, {"ip", "10.0.0.0/8", "cdrw"}, {"ip", "fe80::1", "r"}, {"world", "anyone", "r"},
		}},
		"['x509:CN=ann,OU=x:cdrwa', 'sasl:bob@REALM:r']": {Entries: []ACLEntry{{"x509", "CN=ann,OU=x", "cdrwa"}, {"sasl", "bob@REALM", "r"}}},
	} {
		s, err := zooKeeperSettings(t, "heron.statemgr.zookeeper.acl: "+value+"\n", nil)
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if diff := cmp.Diff(want, s.State.ZooKeeper.ACL); diff != "" {
			t.Errorf("%s: %s", value, diff)
		}
	}
	for value, want := range map[string]string{
		"'x509:CN=ann,OU=x:cdrwa'":  "is not a scheme, an id and permissions", // commas separate
		"closed":                    "is not a scheme, an id and permissions",
		"open,protected":            "is not a scheme, an id and permissions",
		"'auth::'":                  "does not end in permissions",
		"auth::xyz":                 "does not end in permissions",
		"auth::rr":                  "a permission twice",
		"auth:ann:cdrwa":            "write auth::cdrwa",
		"world:everyone:cdrwa":      "must be world:anyone",
		"ip:ten:cdrwa":              "does not name an address",
		"digest:ann:c2VjcmV0:cdrwa": "can be guessed",
		"sasl::cdrwa":               "has no id",
		"host:example.com:cdrwa":    "unknown scheme",
		"world:anyone:r,auth::cdrw": "nobody all permissions",
		"[]":                        "nobody all permissions",
		"''":                        "is not a scheme, an id and permissions",
	} {
		_, err := zooKeeperSettings(t, "heron.statemgr.zookeeper.acl: "+value+"\n", nil)
		wantError(t, value, err)
		if err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "statemgr.yaml:4: "+keyZooKeeperACL)) {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
}

func TestAddressOfTheStateIsWhereThisProgramGoes(t *testing.T) {
	for _, c := range []struct {
		state State
		want  string
	}{
		{State{Kind: "zookeeper", Root: "/heron", Connection: "a:2181"}, "a:2181"},
		{State{Kind: "zookeeper", Root: "/heron", Connection: "a:2181", ClientServers: []string{"b:1", "c:2"}}, "b:1,c:2"},
		{State{Kind: "localfs", Root: "/var/heron", Connection: "a:2181"}, "/var/heron"},
	} {
		if got := c.state.Address(); got != c.want {
			t.Errorf("%+v is at %q, want %q", c.state, got, c.want)
		}
	}
}
