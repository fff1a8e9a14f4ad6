package conf

import (
	"strings"
	"testing"
)

func TestOverrideYAML(t *testing.T) {
	const class = "heron.class.state.manager: org.apache.heron.statemgr.zookeeper.curator.CuratorStateManager\n"
	statemgr := class + "heron.statemgr.connection.string: zk:1\nheron.statemgr.root.path: ${HOME}/heron\n"
	for what, c := range map[string]struct {
		statemgr, client, override string
		properties                 []string
		want                       string
	}{
		"nothing":                         {statemgr, "", "", nil, "{}\n"},
		"file":                            {statemgr, "", "b: 5\na: 'yes'\nc: {d: [1, x]}\n", nil, "a: 'yes'\nb: 5\nc:\n  d:\n    - 1\n    - x\n"},
		"properties":                      {statemgr, "", "b: 5\n", []string{"b=12", "a=TRUE", "c=False", "d="}, "a: true\nb: '12'\nc: false\nd: ''\n"},
		"no secrets":                      {statemgr, "", "my.password: x\nkeep: {token: y, z: 1}\nurl: http://u:p@h/\n", []string{"heron.uploader.s3.secret_key=s"}, "keep:\n  z: 1\n"},
		"a query of the uploader's":       {statemgr, "", "heron.uploader.http.uri: http://h/up?key=sesame\nother: http://h/up?a=b\n", nil, "other: http://h/up?a=b\n"},
		"no query of the uploader's":      {statemgr, "", "heron.uploader.http.uri: http://h/up\n", nil, "heron.uploader.http.uri: http://h/up\n"},
		"short name of the state manager": {strings.Replace(statemgr, class, "heron.class.state.manager: zookeeper\n", 1), "", "", nil, class},
		"state from a file that executors do not read": {class + "heron.statemgr.connection.string: zk:1\n", "heron.statemgr.root.path: ${HOME}/${CLUSTER}\n", "", nil,
			"heron.statemgr.root.path: /home/alice/nomad\n"},
		"tokens in an override": {statemgr, "", "", []string{"heron.statemgr.root.path=${HOME}/r"}, "heron.statemgr.root.path: /home/alice/r\n"},
	} {
		l := resolved(t, with(map[string]string{"statemgr.yaml": c.statemgr, "client.yaml": c.client, "override.yaml": c.override}), c.properties...)
		got, err := l.OverrideYAML()
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q (%v), want %q", what, got, err, c.want)
		}
	}
}

func TestIsSecret(t *testing.T) {
	for _, key := range []string{
		"heron.uploader.s3.access_key", "heron.uploader.s3.secret_key", "heron.uploader.s3.proxy_uri", "my.password", "DB_PASSWORD", "nomad.token",
		"apiKey", "clientSecret", "tls.private.key", "x.credentials.file", "sasl.jaas.config",
	} {
		if !IsSecret(key) {
			t.Errorf("%s is not secret", key)
		}
	}
	secret := map[string]bool{
		"heron.uploader.s3.access_key": true, "heron.uploader.s3.secret_key": true, "heron.uploader.s3.proxy_uri": true,
		"heron.uploader.gcs.credentials_path": true,
		"heron.nomad.token":                   true,
		"heron.nomad.docker.auth.password":    true,
		"heron.uploader.http.token":           true,
	}
	for key := range knownKeys() {
		if strings.HasPrefix(key, "heron.statemgr.") {
			continue
		}
		if IsSecret(key) != secret[key] {
			t.Errorf("%s: secret is %v", key, IsSecret(key))
		}
	}
	for _, key := range []string{"heron.topology.name", "keyboard", "tokenizer.class", "monkey", "heron.nomad.driver"} {
		if IsSecret(key) {
			t.Errorf("%s is secret", key)
		}
	}
}

func TestMetricsPortFile(t *testing.T) {
	const prom = "class: org.apache.heron.metricsmgr.sink.PrometheusSink"
	for what, c := range map[string]struct{ sinks, override, want string }{
		"no file":                 {"", "", ""},
		"listed sink":             {"sinks: [f, p]\nf: {class: x.File}\np: {" + prom + ", port-file: pf}\n", "", "pf"},
		"sink that is not listed": {"sinks: [f]\nf: {class: x.File}\np: {" + prom + ", port-file: pf}\n", "", ""},
		"listed without a map":    {"sinks: [f, p]\np: {" + prom + ", port-file: pf}\n", "", "pf"},
		"no port file":            {"sinks: [p]\np: {" + prom + "}\n", "", ""},
		"sink overridden":         {"sinks: [p]\np: {" + prom + ", port-file: pf}\n", "p: {" + prom + ", port-file: other}\n", "other"},
		"list overridden":         {"sinks: [p]\np: {" + prom + ", port-file: pf}\n", "sinks: []\n", ""},
		"only in the override":    {"", "sinks: [q]\nq: {" + prom + ", port-file: 7}\n", "7"},
	} {
		s, err := resolved(t, with(map[string]string{"metrics_sinks.yaml": c.sinks, "override.yaml": c.override})).Settings()
		if err != nil || s.Executor.MetricsPortFile != c.want {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	for _, bad := range []string{"sinks: p\n", "sinks: [[p]]\n", "sinks: [p]\np: text\n", "sinks: [p]\np: {" + prom + ", port-file: []}\n"} {
		_, err := resolved(t, with(map[string]string{"metrics_sinks.yaml": bad})).Settings()
		wantError(t, bad, err)
	}
}
