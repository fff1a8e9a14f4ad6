package main

import (
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
		if s.nomad == (conf.NomadFlags{}) {
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
