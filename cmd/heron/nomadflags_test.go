package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/conf"
)

func TestNomadFlagsCountBeforeTheClassOnly(t *testing.T) {
	for _, flag := range new(clusterFlags).nomadFlags() {
		var s submitFlags
		flags := pflag.NewFlagSet("submit", pflag.ContinueOnError)
		original := s.add(new(app), flags)
		name := "--" + flag.name
		got, err := splitSubmit([]string{name + "=x", "nomad", "t.jar", "Main", name, "y"}, flags, original)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(got.flags, " ") != name+"=x" || strings.Join(got.program, " ") != name+" y" {
			t.Errorf("%s: ours %v, the program's %v", flag.name, got.flags, got.program)
		}
		if err := flags.Parse(got.flags); err != nil {
			t.Fatal(err)
		}
		if s.nomad == (conf.NomadOverrides{}) {
			t.Errorf("%s says nothing", flag.name)
		}
		if (new(app)).killCommand().Flags().Lookup(flag.name) == nil {
			t.Errorf("kill has no %s", name)
		}
	}
}

func TestSkipVerifyNeedsNoValue(t *testing.T) {
	for line, want := range map[string]string{"--nomad-skip-verify": "true", "--nomad-skip-verify=false": "false", "": ""} {
		var s submitFlags
		flags := pflag.NewFlagSet("submit", pflag.ContinueOnError)
		original := s.add(new(app), flags)
		got, err := splitSubmit(append(strings.Fields(line), "nomad", "t.jar", "Main"), flags, original)
		if err == nil {
			err = flags.Parse(got.flags)
		}
		if err != nil || s.nomad.SkipVerify != want || len(got.positionals) != 3 {
			t.Errorf("%q: %q, %v, %v", line, s.nomad.SkipVerify, got, err)
		}
	}
}

func TestSourcesAreWordedAsFlags(t *testing.T) {
	var c clusterFlags
	flags := overrideFlags()
	for _, flag := range c.nomadFlags() {
		found := false
		for _, name := range flags {
			found = found || name == "--"+flag.name
		}
		if !found {
			t.Errorf("no key leads to --%s", flag.name)
		}
	}
	for _, test := range []struct {
		source conf.Source
		want   string
	}{
		{conf.Source{Kind: conf.PropertySource, Key: "a.key"}, "submit: configuration --config-property: a.key: is bad"},
		{conf.Source{Kind: conf.OverrideSource, Key: "heron.nomad.scheduler.uri"}, "submit: configuration --nomad-address: is bad"},
		{conf.Source{Kind: conf.FileSource, Key: "a.key", Name: "/x.yaml", Line: 2}, "submit: configuration /x.yaml:2: a.key: is bad"},
	} {
		err := fmt.Errorf("submit: %w", &conf.Error{Source: test.source, Key: test.source.Key, Msg: "is bad"})
		if got := worded(err, err.Error()); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
