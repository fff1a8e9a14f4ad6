package conf

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

func TestPlace(t *testing.T) {
	want := NomadPlace{
		NodePool: "batch", Priority: 70,
		Constraints: []Constraint{
			{"${attr.cpu.arch}", "=", "amd64"},
			{"${attr.os.version}", "version", ">= 12"},
			{"", "distinct_hosts", ""},
			{"${meta.path}", "regexp", "^http://x//y/$"},
		},
		Affinities: []Affinity{{"${node.class}", "=", "big", 50}, {"${meta.rack}", "!=", "7", -100}},
		Spreads:    []Spread{{"${node.datacenter}", 50, []SpreadTarget{{"dc1", 70}, {"dc2", 30}}}, {"${meta.rack}", 100, nil}},
	}
	asYAML := `heron.nomad.node.pool: batch
heron.nomad.priority: 70
heron.nomad.constraints:
  - attribute: ${attr.cpu.arch}
    value: amd64
  - {attribute: "${attr.os.version}", operator: version, value: ">= 12"}
  - operator: distinct_hosts
  - {attribute: "${meta.path}", operator: regexp, value: ^http://x//y/$}
heron.nomad.affinities:
  - {attribute: "${node.class}", value: big}
  - {attribute: "${meta.rack}", operator: "!=", value: 7, weight: -100}
heron.nomad.spreads:
  - {attribute: "${node.datacenter}", targets: {dc2: 30, dc1: 70}}
  - {attribute: "${meta.rack}", weight: 100}
`
	asText := []string{
		"heron.nomad.node.pool=batch", "heron.nomad.priority=70",
		`heron.nomad.constraints=[{"attribute":"${attr.cpu.arch}","value":"amd64"},{"attribute":"${attr.os.version}","operator":"version","value":">= 12"},` +
			`{"operator":"distinct_hosts"},{"attribute":"${meta.path}","operator":"regexp","value":"^http://x//y/$"}]`,
		`heron.nomad.affinities=[{"attribute":"${node.class}","value":"big"},{"attribute":"${meta.rack}","operator":"!=","value":"7","weight":-100}]`,
		`heron.nomad.spreads=[{"attribute":"${node.datacenter}","targets":{"dc2":30,"dc1":70}},{"attribute":"${meta.rack}","weight":100}]`,
	}
	for how, l := range map[string]*Loaded{
		"as YAML":            resolved(t, with(map[string]string{"override.yaml": asYAML})),
		"as text properties": resolved(t, with(nil), asText...),
	} {
		s, err := l.Settings()
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if diff := cmp.Diff(want, s.Nomad.Place); diff != "" {
			t.Errorf("%s (-want +got):\n%s", how, diff)
		}
	}
}

func TestPolicies(t *testing.T) {
	s, err := resolved(t, with(map[string]string{"override.yaml": `heron.nomad.restart.attempts: 0
heron.nomad.restart.interval: 5m
heron.nomad.restart.delay: 0
heron.nomad.restart.mode: delay
heron.nomad.reschedule.attempts: 4
heron.nomad.reschedule.delay: 10
heron.nomad.reschedule.delay.function: fibonacci
heron.nomad.reschedule.max.delay: 1h
heron.nomad.update.max.parallel: 8
heron.nomad.update.health.check: checks
heron.nomad.update.min.healthy.time: 0
heron.nomad.update.healthy.deadline: 20m
heron.nomad.update.progress.deadline: 0
heron.nomad.update.auto.revert: true
heron.nomad.logs.max.files: 3
heron.nomad.logs.max.file.size: 20MB
heron.nomad.memory.max.percent: 150
heron.nomad.service.provider: nomad
heron.nomad.docker.privileged: true
heron.nomad.protected: true
heron.nomad.env: {COLOUR: green, NUMBER: 5, SURE: yes, PATH_LIKE: //a//b/}
`})).Settings()
	if err != nil {
		t.Fatal(err)
	}
	want := NomadPolicy{
		Restart:    RestartPolicy{Attempts: 0, Interval: 5 * time.Minute, Mode: "delay"},
		Reschedule: ReschedulePolicy{Attempts: 4, Interval: time.Hour, Delay: 10 * time.Second, DelayFunction: "fibonacci", MaxDelay: time.Hour},
		Update:     UpdatePolicy{MaxParallel: 8, HealthCheck: "checks", HealthyDeadline: 20 * time.Minute, AutoRevert: true},
		Logs:       LogPolicy{MaxFiles: 3, MaxFileSize: 20 << 20},
	}
	if diff := cmp.Diff(want, s.Nomad.Policy); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"COLOUR": "green", "NUMBER": "5", "SURE": "true", "PATH_LIKE": "//a//b/"}, s.Nomad.Variables); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if n := s.Nomad; n.MemoryMaxPercent != 150 || n.ServiceProvider != "nomad" || !n.DockerPrivileged || !n.Protected {
		t.Errorf("memory %d, provider %s, privileged %v, protected %v", n.MemoryMaxPercent, n.ServiceProvider, n.DockerPrivileged, n.Protected)
	}
}

// TestNomadOptionsRefuse lists mistakes with what their message must name.
func TestNomadOptionsRefuse(t *testing.T) {
	for line, want := range map[string]string{
		"heron.nomad.priority: 101":                "use a whole number from 1 to 100",
		"heron.nomad.node.pool: a b":               "a b is not the name of a node pool",
		"heron.nomad.constraints: {attribute: x}":  "is a map; give it a list of maps",
		"heron.nomad.constraints: '[oops'":         "cannot be read as YAML or JSON",
		"heron.nomad.constraints: 5":               "is a number; give it a list of maps",
		"heron.nomad.constraints: [a]":             "constraint 1 is a string",
		"heron.nomad.constraints: [{attribut: x}]": "constraint 1 has an unknown field attribut; use attribute, operator, value",
		"heron.nomad.constraints: [{attribute: x, value: y}, {attribute: x, operator: like}]": "constraint 2 has the operator like; use one of = == is",
		"heron.nomad.constraints: [{attribute: x}]":                                           "constraint 1 has no value",
		"heron.nomad.constraints: [{value: x}]":                                               "constraint 1 has no attribute",
		"heron.nomad.constraints: [{attribute: x, operator: regexp, value: '('}]":             "constraint 1 has a value that is no regular expression",
		"heron.nomad.constraints: [{attribute: [x], value: y}]":                               "constraint 1 attribute is a list",
		"heron.nomad.affinities: [{operator: distinct_hosts}]":                                "affinity 1 has the operator distinct_hosts",
		"heron.nomad.affinities: [{attribute: x, value: y, weight: 0}]":                       "affinity 1 has the weight 0",
		"heron.nomad.affinities: [{attribute: x, value: y, weight: 101}]":                     "affinity 1 weight is not such a number; use a whole number from -100 to 100",
		"heron.nomad.spreads: [{weight: 5}]":                                                  "spread 1 has no attribute",
		"heron.nomad.spreads: [{attribute: x, targets: [a]}]":                                 "spread 1 targets is a list",
		"heron.nomad.spreads: [{attribute: x, targets: {a: 60, b: 50}}]":                      "spread 1 has targets of more than 100 percent",
		"heron.nomad.spreads: [{attribute: x, targets: {a: lots}}]":                           "the percent of a is not such a number",
		"heron.nomad.env: [a]":                          "is a list; give it a map of names and texts",
		"heron.nomad.env: {a-b: c}":                     "a-b is not the name of a variable",
		"heron.nomad.env: {HERON_EXECUTOR_CMD: x}":      "HERON_EXECUTOR_CMD is set by Heron or Nomad",
		"heron.nomad.env: {NOMAD_TASK_DIR: x}":          "NOMAD_TASK_DIR is set by Heron or Nomad",
		"heron.nomad.env: {HOST: x}":                    "HOST is set by Heron or Nomad",
		"heron.nomad.env: {A: [x]}":                     "A is a list; give it text",
		"heron.nomad.memory.max.percent: 99":            "use a whole number from 100 to 10000",
		"heron.nomad.service.provider: etcd":            "use consul or nomad",
		"heron.nomad.restart.attempts: -1":              "use a whole number of at least 0",
		"heron.nomad.restart.attempts: 1000":            "so many attempts do not fit into the interval",
		"heron.nomad.restart.interval: 1s":              "is too short; the least is 5s",
		"heron.nomad.restart.mode: hope":                "use fail or delay",
		"heron.nomad.reschedule.attempts: often":        "is not a whole number",
		"heron.nomad.reschedule.delay: 1":               "is too short; the least is 5s",
		"heron.nomad.reschedule.delay: 10m":             "the longest delay is below the first",
		"heron.nomad.reschedule.delay.function: random": "use constant or exponential or fibonacci",
		"heron.nomad.update.max.parallel: 0":            "use a whole number of at least 1",
		"heron.nomad.update.health.check: manual":       "use task_states or checks",
		"heron.nomad.update.healthy.deadline: 5s":       "the deadline is over before a container can be healthy",
		"heron.nomad.update.healthy.deadline: 10m":      "heron.nomad.update.progress.deadline must be above",
		"heron.nomad.logs.max.files: 0":                 "use a whole number of at least 1",
		"heron.nomad.logs.max.file.size: 1000":          "is below 1 MB",
		"heron.nomad.docker.privileged: maybe":          "use true or false",
	} {
		_, err := resolved(t, with(map[string]string{"override.yaml": "\n" + line + "\n"})).Settings()
		wantError(t, line, err)
		if err == nil {
			continue
		}
		key, _, _ := strings.Cut(line, ":")
		for _, part := range []string{"override.yaml:2: " + key, want} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q in it", line, err, part)
			}
		}
	}
}

func TestEveryNomadKeyIsExplained(t *testing.T) {
	for file, form := range map[string]string{
		"conf/nomad/scheduler.yaml": `(?m)^(# )?%s:`,
		"docs/configuration.md":     "`%s`",
	} {
		text, err := os.ReadFile(filepath.Join(testenv.Root(), filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range nomadKeys() {
			if !regexp.MustCompile(strings.Replace(form, "%s", regexp.QuoteMeta(key), 1)).Match(text) {
				t.Errorf("%s does not explain %s", file, key)
			}
		}
	}
}

// TestExamplesWork takes the comment signs from the examples of the shipped
// file, and reads those of the docs.
func TestExamplesWork(t *testing.T) {
	shipped, err := os.ReadFile(filepath.Join(testenv.Root(), "conf", "nomad", "scheduler.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^# (heron\.|  - )`).ReplaceAllString(string(shipped), "$1")
	// These name files, and secrets twice.
	text = regexp.MustCompile(`(?m)^heron\.(nomad\.(token|docker\.auth).*|scheduler\.job\.template.*)$`).ReplaceAllString(text, "")
	s, err := resolved(t, with(map[string]string{"scheduler.yaml": text})).Settings()
	if err != nil {
		t.Fatal(err)
	}
	p := s.Nomad.Place
	if len(p.Constraints) != 1 || len(p.Affinities) != 1 || len(p.Spreads) != 1 || p.NodePool != "default" || s.Nomad.Variables["TZ"] != "UTC" || s.Nomad.MemoryMaxPercent != 150 {
		t.Errorf("%+v, %v", p, s.Nomad.Variables)
	}
	want := DefaultNomadPolicy()
	want.Logs = LogPolicy{MaxFiles: 10, MaxFileSize: 10 << 20}
	if diff := cmp.Diff(want, s.Nomad.Policy); diff != "" {
		t.Errorf("the policies of the shipped file are not the defaults (-default +shipped):\n%s", diff)
	}

	docs, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(docs), "```yaml\nheron.nomad.constraints")
	example, _, _ = strings.Cut("heron.nomad.constraints"+example, "```")
	s, err = resolved(t, with(map[string]string{"override.yaml": example})).Settings()
	if err != nil || len(s.Nomad.Place.Constraints) != 3 || len(s.Nomad.Place.Spreads[0].Targets) != 2 || s.Nomad.Variables["TZ"] != "UTC" {
		t.Errorf("%+v, %v", s, err)
	}
}
