package conf

import (
	"strings"
	"testing"
)

// resolved loads a cluster directory of these files.
func resolved(t *testing.T, files map[string]string, properties ...string) *Loaded {
	t.Helper()
	l, err := load(t, files, properties...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func load(t *testing.T, files map[string]string, properties ...string) (*Loaded, error) {
	t.Helper()
	dir := t.TempDir()
	texts := map[string]*string{}
	for name, text := range files {
		texts[name] = &text
	}
	writeFiles(t, dir, texts)
	return Load(Options{
		Home: heronHome, Dir: dir, Properties: properties,
		Cluster: "nomad", Role: "ads", Environ: "prod", User: "alice",
		UserHome: "/home/alice", JavaHome: "/jdk",
	})
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]string{
		"${HOME}/x":                            "/home/alice/x",
		"~/x":                                  "/home/alice/x",
		"x~/~x":                                "x~/~x",
		"/a/${ROLE}/${ENVIRON}/":               "/a/ads/prod",
		"a${ROLE}/${ROLE}b":                    "a${ROLE}/${ROLE}b",
		"file://${HERON_DIST}/c.tar.gz":        "file:///opt/heron/dist/c.tar.gz",
		"http://h:80/${CLUSTER}":               "http://h:80/nomad",
		"/":                                    "/",
		"///":                                  "/",
		"file:///":                             "file:///",
		"${JAVA_HOME}/bin":                     "/jdk/bin",
		"$JAVA_HOME":                           "$JAVA_HOME",
		"${USE_CORE_PACKAGE_URI}/${STMGR_RAM}": "true/1073741824",
		"${NOBODY}/${CLUSTER}":                 "${NOBODY}/nomad",
		"${TOPOLOGY}/${TOPOLOGY_ID}":           "${TOPOLOGY}/${TOPOLOGY_ID}",
		"${COMPONENT_JVM_OPTS_IN_BASE64}/${CLUSTER}": "${COMPONENT_JVM_OPTS_IN_BASE64}/nomad",
	} {
		c, err := resolved(t, map[string]string{"client.yaml": "my.key: '" + text + "'\n"}).Local()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, _, _ := c.String("my.key"); got != want {
			t.Errorf("%s gives %s, want %s", text, got, want)
		}
	}
}

func TestTokensOfATopology(t *testing.T) {
	l := resolved(t, map[string]string{"client.yaml": "my.key: ${TOPOLOGY}/${TOPOLOGY_ID}\n"})
	c, err := l.ForTopology(Topology{Name: "wc", ID: "wc-1"}).Local()
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := c.String("my.key"); got != "wc/wc-1" {
		t.Errorf("my.key is %s", got)
	}
	if c, _ = l.Local(); c != nil {
		if _, ok, _ := c.String("heron.topology.name"); ok {
			t.Error("the configuration without a topology has its name")
		}
	}
}

func TestTokenForAListIsAnError(t *testing.T) {
	_, err := load(t, map[string]string{"client.yaml": "heron.config.property: [a]\nmy.key: ${CONFIG_PROPERTY}/x\n"})
	wantError(t, "token for a list", err)
	if err != nil && !strings.Contains(err.Error(), "client.yaml:2: my.key") {
		t.Errorf("%v does not say where", err)
	}
}

func TestTokensInACircleEnd(t *testing.T) {
	long := "heron.directory.lib: ${HERON_BIN}/${HERON_BIN}/${HERON_BIN}\nheron.directory.bin: ${HERON_LIB}/${HERON_LIB}/${HERON_LIB}\n"
	for i, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		long += name + ": ${HERON_BIN}" + strings.Repeat("/x", i) + "\n"
	}
	_, err := load(t, map[string]string{"client.yaml": long})
	wantError(t, "circle", err)
	if err != nil && !strings.Contains(err.Error(), "in a circle") {
		t.Errorf("%v does not say why", err)
	}
}
