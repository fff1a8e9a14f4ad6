package main

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/testenv/jsondoc"
)

// account is an environment that says who runs heron, and no more.
func account(name string) string {
	return map[string]string{"USER": "ann", "HOME": "/nonexistent"}[name]
}

// lines runs a command line and returns its exit code and what it printed.
func lines(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, getenv: account}
	code = a.run(context.Background(), "heron", args)
	if command, asked, stream := jsondoc.Asked(args); asked {
		if err := jsondoc.Check(command, stdout.String(), stream); err != nil {
			t.Errorf("%v\n%s", err, stdout.String())
		}
	}
	return code, stdout.String(), stderr.String()
}

// A line that makes no sense has its error in the form that it asks for, one
// document, which lines holds against the schema.
func TestUsageErrorsInJSON(t *testing.T) {
	commands := []string{"frobnicate", "", "exit-codes"}
	for _, cmd := range runnable(t) {
		commands = append(commands, cmd.Name())
	}
	for _, command := range commands {
		line := []string{command, "--output", "json", "--no-such-flag"}
		if command == "" {
			line = line[1:]
		}
		code, out, errs := lines(t, line...)
		if err := jsondoc.Check(jsondoc.Failure, out, command == "logs"); err != nil || code != exitInput || errs != "" {
			t.Errorf("%v: code %d, %v, %s%s", line, code, err, out, errs)
		}
		line = append(line[:len(line)-1], "1", "2", "3", "4", "5", "6")
		code, out, _ = lines(t, line...)
		if err := jsondoc.Check(jsondoc.Failure, out, command == "logs"); err != nil || code == exitOK {
			t.Errorf("%v: code %d, %v, %s", line, code, err, out)
		}
	}
}

// The command is what is wrong, whatever flags stand behind it.
func TestAMisspeltCommandIsNamedInJSON(t *testing.T) {
	for _, line := range []string{
		"submt --output json", "--output json submt", "submt nomad wc --output=json", "submt --wait=5m nomad wc --output json", "submt -f --output json",
	} {
		code, out, errs := lines(t, strings.Fields(line)...)
		if code != exitInput || errs != "" || !strings.Contains(out, `unknown command \"submt\"; did you mean \"submit\"?`) {
			t.Errorf("%s: code %d, %s%s", line, code, out, errs)
		}
	}
	if code, _, errs := lines(t, "--no-such-flag", "submt"); code != exitInput || !strings.Contains(errs, "unknown flag --no-such-flag") {
		t.Errorf("a wrong flag: code %d, %s", code, errs)
	}
	if code, out, _ := lines(t, "--output", "json"); code != exitInput || !strings.Contains(out, "give a command") {
		t.Errorf("no command: code %d, %s", code, out)
	}
}

func TestAMisspeltCommandIsSuggested(t *testing.T) {
	if code, _, errs := lines(t, "submt"); code != exitInput || !strings.Contains(errs, `did you mean "submit"?`) {
		t.Errorf("submt: code %d, %q", code, errs)
	}
}

func TestPlansHelpNamesNoFlagThatPlanRefuses(t *testing.T) {
	for command, has := range map[string]bool{"submit": true, "plan": false} {
		code, out, _ := lines(t, command, "--help")
		if code != exitOK || !strings.Contains(out, "--topology-id") {
			t.Fatalf("%s --help: code %d, %q", command, code, out)
		}
		for _, flag := range []string{"--dry-run", "--dry-run-format", "--wait", "--stable-for"} {
			if regexp.MustCompile(flag+`[^-\w]`).MatchString(out) != has {
				t.Errorf("%s --help names %s: %v", command, flag, !has)
			}
		}
	}
}

func TestOutputBehindTheClassIsTheProgramsOwn(t *testing.T) {
	var s submitFlags
	a := new(app)
	cmd := new(cobra.Command)
	a.outputFlag(cmd)
	original := s.add(a, cmd.Flags())
	got, err := splitSubmit([]string{"--output", "json", "nomad", "t.jar", "Main", "--output", "/tmp/x"}, cmd.Flags(), original)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.flags, []string{"--output=json"}) || !slices.Equal(got.program, []string{"--output", "/tmp/x"}) {
		t.Errorf("ours %v, the program's %v", got.flags, got.program)
	}
}
