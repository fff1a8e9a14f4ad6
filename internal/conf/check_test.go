package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// internals is the shipped heron_internals.yaml.
func internals(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shippedDir(), "heron_internals.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCheckNamesUnknownKeys(t *testing.T) {
	for file, want := range map[string]string{
		"scheduler.yaml": "scheduler.yaml:2: heron.nomad.drivr: unknown key; did you mean heron.nomad.driver?",
		"override.yaml":  "override.yaml:2: heron.nomad.drivr: unknown key; did you mean heron.nomad.driver?",
	} {
		files := map[string]string{"heron_internals.yaml": internals(t), file: "a: 1\nheron.nomad.drivr: docker\n"}
		err := resolved(t, files).Check()
		wantError(t, file, err)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	err := resolved(t, map[string]string{"heron_internals.yaml": internals(t)}, "heron.statemgr.rot.path=/x").Check()
	if err == nil || !strings.Contains(err.Error(), "the properties: heron.statemgr.rot.path: unknown key; did you mean heron.statemgr.root.path?") {
		t.Errorf("property: %v", err)
	}
	err = resolved(t, map[string]string{"heron_internals.yaml": internals(t) + "heron.streammgr.cache.drane.size.mb: 1\n"}).Check()
	if err == nil || !strings.Contains(err.Error(), "did you mean heron.streammgr.cache.drain.size.mb?") {
		t.Errorf("internals: %v", err)
	}
}

func TestCheckLetsUsersAndEnginesKeysPass(t *testing.T) {
	l := resolved(t, map[string]string{
		"heron_internals.yaml": internals(t),
		"client.yaml":          "mine.own: 1\nhealth.policies: []\nheron.healthmgr.anything: x\n",
		"statemgr.yaml":        "heron.statemgr.tunnel.retry.interval.ms: 5\nheron.scheduler.tunnel.connection.retryCount.count: 5\n",
		"override.yaml":        "heron.instance.ack.batch.time.ms: 1\nheron.topology.healthmgr.mode: disabled\n",
	}, "anything=else")
	if err := l.Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckRefusesAnEngineFileThatDoesNotStart(t *testing.T) {
	without := strings.Replace(internals(t), "heron.tmanager.establish.retry.times: 30\n", "", 1)
	for what, c := range map[string]struct{ text, override, want string }{
		"one key missing":       {without, "", "heron.tmanager.establish.retry.times: missing"},
		"a key without a value": {internals(t), "heron.logging.directory: ~\n", "heron.logging.directory: missing"},
		"given by an override":  {without, "heron.tmanager.establish.retry.times: 3\n", ""},
	} {
		err := resolved(t, map[string]string{"heron_internals.yaml": c.text, "override.yaml": c.override}).Check()
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		wantError(t, what, err)
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", what, err, c.want)
		}
	}
}

func TestAMissingEngineFileCanBeShownButNotRun(t *testing.T) {
	l := resolved(t, map[string]string{"override.yaml": "heron.config.note: of a user\n"})
	if err := l.Check(); err != nil {
		t.Errorf("check: %v", err)
	}
	wantError(t, "engine", l.CheckEngine())
	wantError(t, "sinks", resolved(t, map[string]string{"heron_internals.yaml": internals(t)}).CheckEngine())
	if err := resolved(t, map[string]string{"heron_internals.yaml": internals(t), "metrics_sinks.yaml": "sinks: []\n"}).CheckEngine(); err != nil {
		t.Errorf("with the file: %v", err)
	}
}

func TestKeysThatAreNotStringsAreRefused(t *testing.T) {
	l := resolvedOrError(t, "on: 1\n")
	if l == nil || !strings.Contains(l.Error(), "client.yaml:1: (Boolean)true: this key is not a string; put it in quotes") {
		t.Errorf("%v", l)
	}
}

func resolvedOrError(t *testing.T, client string) error {
	t.Helper()
	l, err := load(t, map[string]string{"client.yaml": client})
	if err != nil {
		return err
	}
	_, err = l.Local()
	return err
}

func TestEngineFilesMustBeYAML(t *testing.T) {
	for _, file := range []string{"metrics_sinks.yaml", "heron_internals.yaml"} {
		_, err := load(t, map[string]string{file: "a: 1\nb: [\n"})
		wantError(t, file, err)
		if err != nil && !strings.Contains(err.Error(), file) {
			t.Errorf("%v does not name %s", err, file)
		}
	}
}
