package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func TestSplitSubmit(t *testing.T) {
	flags := pflag.NewFlagSet("submit", pflag.ContinueOnError)
	flags.String("config-path", "", "")
	flags.StringArray("config-property", nil, "")
	flags.String("topology-main-jvm-property", "", "")
	flags.Bool("verbose", false, "")
	flags.Bool("dry-run", false, "")
	flags.Bool("help", false, "")
	flags.String("topology-id", "", "")
	original := map[string]bool{"config-path": true, "config-property": true, "verbose": true, "dry-run": true, "topology-main-jvm-property": true}

	for _, c := range []struct {
		name, line                  string
		flags, positionals, program string
		fails                       string
	}{
		{name: "nothing but positionals", line: "nomad t.jar Main", positionals: "nomad t.jar Main"},
		{name: "the program's flags stay its own", line: "nomad t.jar Main --eco-config-file f -r http://x -1",
			positionals: "nomad t.jar Main", program: "--eco-config-file f -r http://x -1"},
		{name: "original flags count at the end too", line: "nomad t.jar Main a --config-property k=v b --verbose",
			flags: "--config-property=k=v --verbose", positionals: "nomad t.jar Main", program: "a b"},
		{name: "new flags behind the class are the program's", line: "nomad t.jar Main --topology-id x",
			positionals: "nomad t.jar Main", program: "--topology-id x"},
		{name: "new flags before the class are ours", line: "nomad --topology-id x t.jar Main",
			flags: "--topology-id=x", positionals: "nomad t.jar Main"},
		{name: "no abbreviations", line: "nomad t.jar Main --topology prod",
			positionals: "nomad t.jar Main", program: "--topology prod"},
		{name: "help behind the class is the program's", line: "nomad t.jar Main -h",
			positionals: "nomad t.jar Main", program: "-h"},
		{name: "help before it is ours", line: "-h", flags: "-h"},
		{name: "values with an equals sign", line: "--config-property=a=b=c nomad t.jar Main",
			flags: "--config-property=a=b=c", positionals: "nomad t.jar Main"},
		{name: "double dash before the positionals", line: "--verbose -- nomad t.jar Main --verbose x",
			flags: "--verbose", positionals: "nomad t.jar Main", program: "--verbose x"},
		{name: "double dash behind the class is swallowed", line: "nomad t.jar Main -- --verbose",
			positionals: "nomad t.jar Main", program: "--verbose"},
		{name: "a later double dash is the program's", line: "nomad t.jar Main a -- --verbose",
			positionals: "nomad t.jar Main", program: "a -- --verbose"},
		{name: "a single dash is a word", line: "nomad t.pex - a", positionals: "nomad t.pex -", program: "a"},
		{name: "unknown flag before the class", line: "--foo bar nomad t.jar Main", fails: "unknown flag --foo"},
		{name: "missing value", line: "nomad t.jar Main --config-path", fails: "--config-path needs a value"},
		{name: "booleans take a value only with equals", line: "--verbose=false nomad t.jar Main",
			flags: "--verbose=false", positionals: "nomad t.jar Main"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := splitSubmit(strings.Fields(c.line), flags, original)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error %v, want one with %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := split{flags: strings.Fields(c.flags), positionals: strings.Fields(c.positionals), program: strings.Fields(c.program)}
			for _, d := range []string{
				cmp.Diff(strings.Join(want.flags, " "), strings.Join(got.flags, " ")),
				cmp.Diff(strings.Join(want.positionals, " "), strings.Join(got.positionals, " ")),
				cmp.Diff(strings.Join(want.program, " "), strings.Join(got.program, " ")),
			} {
				if d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestParsePlace(t *testing.T) {
	for _, c := range []struct {
		text string
		want place
		bad  bool
	}{
		{text: "nomad", want: place{"nomad", "ann", "default", true, true}},
		{text: "nomad/ads", want: place{"nomad", "ads", "default", false, true}},
		{text: "nomad//prod", want: place{"nomad", "ann", "prod", true, false}},
		{text: "nomad/ads/prod", want: place{"nomad", "ads", "prod", false, false}},
		{text: "nomad/ads/", want: place{"nomad", "ads", "default", false, true}},
		{text: "", bad: true},
		{text: "/ads/prod", bad: true},
		{text: "a/b/c/d", bad: true},
		{text: "..", bad: true},
		{text: "nomad/a b", bad: true},
	} {
		got, err := parsePlace(c.text, "ann")
		if (err != nil) != c.bad {
			t.Errorf("%q: error %v", c.text, err)
		}
		if err == nil && got != c.want {
			t.Errorf("%q: got %v, want %v", c.text, got, c.want)
		}
	}
}
