package conf

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// from writes what a source says: "address=x token=y". The values say where
// they come from.
func from(source, text string) nomadSaid {
	var s nomadSaid
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		*s.field(name) = said{value: value, from: Source{Name: source}}
	}
	return s
}

func (s *nomadSaid) field(name string) *said {
	return map[string]*said{
		"address": &s.address, "region": &s.region, "namespace": &s.namespace, "token": &s.token, "tokenfile": &s.tokenFile,
		"ca": &s.caCert, "capath": &s.caPath, "cert": &s.clientCert, "key": &s.clientKey, "name": &s.serverName, "skip": &s.skipVerify,
	}[name]
}

func TestResolveNomad(t *testing.T) {
	for name, c := range map[string]struct {
		flags, environ, file string
		want                 string
		ignored              int
	}{
		"nothing": {"", "", "", "", 0},
		"address: flag over file over environment":      {"address=a", "address=b", "address=c", "address=a", 0},
		"address: file over environment":                {"", "address=b", "address=c", "address=c", 0},
		"address: environment":                          {"", "address=b", "", "address=b", 0},
		"region and namespace go as the address does":   {"region=a", "namespace=b region=b", "region=c namespace=c", "region=a namespace=c", 0},
		"namespace: environment":                        {"", "namespace=b", "", "namespace=b", 0},
		"token: flag over environment over file":        {"tokenfile=a", "token=b", "token=c", "tokenfile=a", 0},
		"token: environment over file":                  {"", "token=b", "tokenfile=c", "token=b", 0},
		"token: file":                                   {"", "", "tokenfile=c", "tokenfile=c", 0},
		"TLS: flag over environment over file":          {"ca=a", "ca=b name=b", "ca=c name=c skip=c", "ca=a name=b skip=c", 0},
		"certificate and key come together":             {"cert=a", "cert=b key=b", "key=c", "cert=a", 0},
		"authority as file or folder, from one source":  {"", "capath=b", "ca=c", "capath=b", 0},
		"environment of the server in the file":         {"", "address=http://H:4646/ token=b", "address=http://h:4646", "address=http://h:4646 token=b", 0},
		"environment of another server than the file's": {"", "address=http://x token=b ca=b namespace=b", "address=http://h:4646", "address=http://h:4646", 3},
		"the file's token for the file's server":        {"", "address=http://x token=b", "address=http://h token=c", "address=http://h token=c", 1},
		"another scheme is another server":              {"", "address=https://h:4646 token=b", "address=http://h:4646", "address=http://h:4646", 1},
		"another path is another server":                {"", "address=http://h:4646/a token=b", "address=http://h:4646/b", "address=http://h:4646/b", 1},
		"the port of a scheme":                          {"", "address=https://h token=b", "address=https://h:443", "address=https://h:443 token=b", 0},
		"an address on the line is meant":               {"address=http://y", "address=http://x token=b", "address=http://h", "address=http://y token=b", 0},
		"a token without NOMAD_ADDR":                    {"", "token=b", "address=http://h", "address=http://h token=b", 0},
		"a token by flag goes anywhere":                 {"tokenfile=a", "address=http://x", "address=http://h", "address=http://h tokenfile=a", 0},
	} {
		got, ignored := resolveNomad(from("flag", c.flags), from("environment", c.environ), from("file", c.file))
		var text []string
		for _, field := range []string{"address", "region", "namespace", "token", "tokenfile", "ca", "capath", "cert", "key", "name", "skip"} {
			if s := got.field(field); s.set() {
				text = append(text, field+"="+s.value)
			}
		}
		want := strings.Fields(c.want)
		slices.Sort(want)
		slices.Sort(text)
		if diff := cmp.Diff(want, text); diff != "" && len(want)+len(text) > 0 || len(ignored) != c.ignored {
			t.Errorf("%s (-want +got):\n%s ignored %v, want %d", name, diff, ignored, c.ignored)
		}
	}
}

// access reads settings with flags and an environment.
func access(t *testing.T, files map[string]string, overrides NomadOverrides, env map[string]string, properties ...string) (*Settings, error) {
	t.Helper()
	l := resolved(t, with(files), properties...)
	l.opts.Nomad = overrides
	l.opts.Getenv = func(name string) string { return env[name] }
	return l.Settings()
}

func TestAccessFromEverywhere(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pem, token := file("x.pem", "x"), file("token", "  from-file\n")
	yaml := map[string]string{"scheduler.yaml": fmt.Sprintf("heron.class.scheduler: nomad\nheron.nomad.scheduler.uri: https://h:4646\nheron.nomad.token.file: %s\n"+
		"heron.nomad.tls.ca.cert: %s\nheron.nomad.tls.skip.verify: yes\nheron.nomad.region: eu\nheron.nomad.namespace: ads\n", token, pem)}
	s, err := access(t, yaml, NomadOverrides{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := s.Nomad.Access
	if s.Nomad.Address != "https://h:4646" || s.Nomad.Region != "eu" || s.Nomad.Namespace != "ads" ||
		a.Token != "from-file" || a.CACert != pem || !a.SkipVerify {
		t.Errorf("%s %s %s %+v", s.Nomad.Address, s.Nomad.Region, s.Nomad.Namespace, a)
	}
	if from := a.Origins[0].From; from != s.Nomad.AddressFrom || from.Key != "heron.nomad.scheduler.uri" || !strings.HasSuffix(from.String(), "scheduler.yaml:2") {
		t.Errorf("the address is from %q", from)
	}

	s, err = access(t, yaml, NomadOverrides{Namespace: "mine", SkipVerify: "false"}, map[string]string{"NOMAD_TOKEN": "from-environment", "NOMAD_NAMESPACE": "x", "NOMAD_SKIP_VERIFY": "1"},
		"heron.nomad.region=typed")
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Nomad.Access; a.Token != "from-environment" || s.Nomad.Namespace != "mine" || s.Nomad.Region != "typed" || a.SkipVerify {
		t.Errorf("%s %s %+v", s.Nomad.Region, s.Nomad.Namespace, a)
	}
	if s, err = access(t, nil, NomadOverrides{}, map[string]string{"NOMAD_ADDR": "http://h:4646/"}); err != nil || s.Nomad.Address != "http://h:4646" {
		t.Errorf("%s, %v", s.Nomad.Address, err)
	}
	for _, address := range []string{"http://h:4646/nomad", "https://[::1]:4646", "unix:///run/nomad.sock"} {
		if s, err = access(t, nil, NomadOverrides{Address: address + "/"}, nil); err != nil || s.Nomad.Address != address {
			t.Errorf("%s: %s, %v", address, s.Nomad.Address, err)
		}
	}
	for _, address := range []string{"unix:///run/nomad.sock", "https://proxy/nomad"} {
		s, err = access(t, nil, NomadOverrides{}, map[string]string{"NOMAD_ADDR": address, "NOMAD_HTTP_AUTH": "ann:open:sesame"})
		if err != nil || s.Nomad.Address != address || s.Nomad.Access.HTTPUser != "ann" || s.Nomad.Access.HTTPPassword != "open:sesame" {
			t.Errorf("%s: %+v, %v", address, s, err)
		}
		if text := fmt.Sprintf("%v %+v", s.Nomad.Access, s.Nomad.Access); strings.Contains(text, "sesame") || !strings.Contains(text, "NOMAD_HTTP_AUTH") {
			t.Errorf("shown as %s", text)
		}
	}
	s, err = access(t, map[string]string{"override.yaml": "heron.nomad.scheduler.uri: http://other:4646\n"}, NomadOverrides{},
		map[string]string{"NOMAD_ADDR": "http://h:4646", "NOMAD_HTTP_AUTH": "ann:sesame"})
	if err != nil || s.Nomad.Access.HTTPUser != "" || !slices.Contains(s.Nomad.Access.Ignored, "NOMAD_HTTP_AUTH") {
		t.Errorf("another server gets the account: %+v, %v", s, err)
	}
	// Files of TLS do not matter without it.
	if s, err = access(t, nil, NomadOverrides{CACert: "/no/such.pem"}, nil); err != nil || s.Nomad.Access.CACert != "" {
		t.Errorf("over http: %+v, %v", s, err)
	}
}

func TestAccessRefuses(t *testing.T) {
	dir := t.TempDir()
	two := filepath.Join(dir, "two")
	if err := os.WriteFile(two, []byte("one two"), 0o600); err != nil {
		t.Fatal(err)
	}
	https := map[string]string{"NOMAD_ADDR": "https://h:4646"}
	for name, c := range map[string]struct {
		yaml      string
		overrides NomadOverrides
		env       map[string]string
		more      []string
		want      string
	}{
		"address by flag":         {overrides: NomadOverrides{Address: "h:4646"}, want: `configuration the overrides: heron.nomad.scheduler.uri: "h:4646" is not the address`},
		"address by variable":     {env: map[string]string{"NOMAD_ADDR": "ftp://x"}, want: `configuration NOMAD_ADDR: "ftp://x" is not the address`},
		"address of a socket":     {yaml: "heron.nomad.scheduler.uri: unix://x", want: "override.yaml:1: heron.nomad.scheduler.uri: \"unix://x\" is not the address"},
		"address with a query":    {yaml: "heron.nomad.scheduler.uri: http://h:1/a?b=c", want: "override.yaml:1: heron.nomad.scheduler.uri: \"http://h:1/a?b=c\" has a query"},
		"address with a fragment": {yaml: "heron.nomad.scheduler.uri: 'http://h:1/#x'", want: "has a query or fragment"},
		"address without port":    {yaml: "heron.nomad.scheduler.uri: 'http://h:'", want: "override.yaml:1: heron.nomad.scheduler.uri: \"http://h:\" has no port"},
		"address of a high port":  {yaml: "heron.nomad.scheduler.uri: http://h:70000", want: "has no port from 1 to 65535"},
		"address without a host":  {yaml: "heron.nomad.scheduler.uri: http://:4646", want: "is not the address"},
		"address with a password": {yaml: "heron.nomad.scheduler.uri: http://u:sesame@h", want: "override.yaml:1: heron.nomad.scheduler.uri: has a user or password"},
		"namespace":               {overrides: NomadOverrides{Namespace: "a b"}, want: "configuration the overrides: heron.nomad.namespace: a b is not the name"},
		"region":                  {yaml: "heron.nomad.region: a/b", want: "override.yaml:1: heron.nomad.region: a/b is not the name"},
		"no token file":           {overrides: NomadOverrides{TokenFile: filepath.Join(dir, "none")}, want: "configuration the overrides: heron.nomad.token.file: cannot be read: open "},
		"token file of two words": {yaml: "heron.nomad.token.file: " + two, want: "heron.nomad.token.file: is not a token"},
		"relative token file":     {yaml: "heron.nomad.token.file: token", want: "token is not an absolute path"},
		"two tokens":              {yaml: "heron.nomad.token.file: " + two + "\nheron.nomad.token: sesame", want: "heron.nomad.token.file: heron.nomad.token is set too"},
		"token on the line":       {more: []string{"heron.nomad.token=sesame"}, want: "the properties: heron.nomad.token: is a secret, and others could read it there"},
		"token that is none":      {env: map[string]string{"NOMAD_TOKEN": "sesame open"}, want: "configuration NOMAD_TOKEN: is not a token"},
		"no CA file":              {env: https, overrides: NomadOverrides{CACert: filepath.Join(dir, "none")}, want: "configuration the overrides: heron.nomad.tls.ca.cert: cannot be read"},
		"no key":                  {env: https, overrides: NomadOverrides{ClientCert: two}, want: "configuration the overrides: heron.nomad.tls.client.cert: is a certificate without its key"},
		"no certificate":          {env: https, yaml: "heron.nomad.tls.client.key: " + two, want: "heron.nomad.tls.client.key: is a key without its certificate"},
		"skip verify":             {env: map[string]string{"NOMAD_ADDR": "https://h", "NOMAD_SKIP_VERIFY": "maybe"}, want: `configuration NOMAD_SKIP_VERIFY: "maybe" is not a boolean`},
		"docker password alone":   {yaml: "heron.nomad.docker.auth.password: sesame", want: "heron.nomad.docker.auth.password: is set, but no user"},
		"docker user alone":       {yaml: "heron.nomad.docker.auth.username: ann", want: "heron.nomad.docker.auth.username: is set, but no password"},
		"docker password typed":   {more: []string{"heron.nomad.docker.auth.password=sesame"}, want: "is a secret, and others could read it there"},
	} {
		_, err := access(t, map[string]string{"override.yaml": c.yaml + "\n"}, c.overrides, c.env, c.more...)
		wantError(t, name, err)
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s shows a secret: %v", name, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	s, err := access(t, map[string]string{"override.yaml": "heron.nomad.token: sesame\nheron.nomad.docker.auth: {}\nheron.nomad.docker.auth.username: ann\nheron.nomad.docker.auth.password: sesame\n"}, NomadOverrides{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Nomad.Access.Token) != "sesame" || string(s.Nomad.DockerAuth.Password) != "sesame" {
		t.Error("secrets are lost")
	}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(data), fmt.Sprint(s.Nomad), fmt.Sprintf("%+v", s.Nomad.Access), fmt.Sprintf("%#v", s.Nomad.Access), fmt.Sprintf("%q", s.Nomad.DockerAuth.Password)} {
		if strings.Contains(text, "sesame") {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}
