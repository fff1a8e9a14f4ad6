package conf

import (
	"errors"
	"strings"
	"testing"
)

func TestSourcesInWords(t *testing.T) {
	for _, c := range []struct {
		source        Source
		text, message string
	}{
		{Source{Kind: FileSource, Key: "a.key", Name: "/c/x.yaml", Line: 3}, "a.key in /c/x.yaml:3", "configuration /c/x.yaml:3: a.key: is bad; do better"},
		{Source{Kind: FileSource, Name: "/c/x.yaml"}, "/c/x.yaml", "configuration /c/x.yaml: is bad; do better"},
		{Source{Kind: PropertySource, Key: "a.key"}, "a.key in the properties", "configuration the properties: a.key: is bad; do better"},
		{Source{Kind: OverrideSource, Key: "a.key"}, "a.key in the overrides", "configuration the overrides: a.key: is bad; do better"},
		{Source{Kind: EnvironmentSource, Key: "a.key", Name: "A_KEY"}, "A_KEY", "configuration A_KEY: is bad; do better"},
		{Source{Kind: DefaultSource, Key: "a.key", Name: "/c"}, "the default of a.key", "configuration /c: a.key: is bad; do better"},
		{Source{Kind: CallerSource, Key: "a.key"}, "a.key in the request", "configuration the request: a.key: is bad; do better"},
		{Source{Kind: TopologySource, Key: "a.key"}, "a.key in the topology", "configuration the topology: a.key: is bad; do better"},
		{Source{Key: "a.key"}, "a.key", "configuration: a.key: is bad; do better"},
		{Source{}, "", "configuration: is bad; do better"},
	} {
		if got := c.source.String(); got != c.text {
			t.Errorf("%+v: %q, want %q", c.source, got, c.text)
		}
		err := &Error{Source: c.source, Key: c.source.Key, Msg: "is bad", Hint: "do better"}
		if got := err.Error(); got != c.message {
			t.Errorf("%+v: %q, want %q", c.source, got, c.message)
		}
	}
}

func TestAFrontEndWordsSources(t *testing.T) {
	_, err := access(t, nil, NomadOverrides{Region: "a b"}, nil)
	var wrong *Error
	if !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	got := wrong.Text(func(s Source) string { return "the flag for " + s.Key })
	const want = "configuration the flag for heron.nomad.region: a b is not the name of a region or namespace; use letters, digits, - and _"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAddressesKnowWhereTheyAreFrom(t *testing.T) {
	for what, c := range map[string]struct {
		files      map[string]string
		properties []string
		nomad      string
		servers    string
	}{
		"defaults": {nil, nil, "the default of heron.nomad.scheduler.uri", "heron.statemgr.connection.string in CONF/statemgr.yaml:2"},
		"files": {
			map[string]string{
				"scheduler.yaml": "heron.class.scheduler: nomad\n\nheron.nomad.scheduler.uri: http://h:1\n",
				"client.yaml":    "heron.statemgr.zookeeper.client.connection.string: zk:1\n",
			}, nil,
			"heron.nomad.scheduler.uri in CONF/scheduler.yaml:3", "heron.statemgr.zookeeper.client.connection.string in CONF/client.yaml:1",
		},
		"properties": {
			nil, []string{"heron.nomad.scheduler.uri=http://h:1", "heron.statemgr.connection.string=zk:1"},
			"heron.nomad.scheduler.uri in the properties", "heron.statemgr.connection.string in the properties",
		},
	} {
		l := resolved(t, with(c.files), c.properties...)
		s, err := l.Settings()
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range [][2]string{{s.Nomad.AddressFrom.String(), c.nomad}, {s.State.ServersFrom.String(), c.servers}} {
			if got[0] != strings.Replace(got[1], "CONF", l.opts.Dir, 1) {
				t.Errorf("%s: %q, want %q", what, got[0], got[1])
			}
		}
	}
}
