package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
)

// runnable are all commands that do something.
func runnable(t *testing.T) (list []*cobra.Command) {
	t.Helper()
	for _, cmd := range quietApp().rootCommand().Commands() {
		if cmd.HasSubCommands() {
			t.Errorf("%s has commands below it, which these tests do not look at", cmd.Name())
		}
		if cmd.Runnable() {
			list = append(list, cmd)
		}
	}
	return list
}

func quietApp() *app {
	return &app{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer), getenv: func(string) string { return "" }}
}

// shellWords splits a line as a shell does, as far as examples need it.
func shellWords(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|\S+`).FindAllStringSubmatch(line, -1) {
		switch word := m[0]; {
		case word == "|" || word == ">" || word == "||" || word == "&&" || word == ";" || word == "&" || strings.HasPrefix(word, "#"):
			return words
		case m[1] != "" || m[2] != "":
			words = append(words, m[1]+m[2])
		default:
			words = append(words, word)
		}
	}
	return words
}

// heronLines are the command lines of heron in a text, continued lines as one.
func heronLines(text string) (lines []string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		for _, before := range []string{"- run: ", "run: ", "- ", "$ ", "source <(", "if "} {
			line = strings.TrimPrefix(line, before)
		}
		if strings.HasPrefix(line, "heron ") {
			lines = append(lines, strings.TrimSuffix(line, ")"))
		}
	}
	return lines
}

// parses says what of a command line heron would not take: its command, a flag,
// or the number of positionals.
func parses(line string) error {
	root := quietApp().rootCommand()
	cmd, rest, err := root.Find(shellWords(line)[1:])
	if err != nil {
		return err
	}
	if cmd == root {
		return fmt.Errorf("%q: there is no such command", line)
	}
	if cmd.DisableFlagParsing {
		s, err := splitSubmit(rest, cmd.Flags(), map[string]bool{})
		if err != nil {
			return err
		}
		if n := len(s.positionals); n != 3 && (n != 2 || !strings.Contains(line, "--topology-definition")) {
			return fmt.Errorf("%q: %d positionals", line, n)
		}
		return cmd.Flags().Parse(s.flags)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

func TestEveryCommandHasExamplesThatParse(t *testing.T) {
	for _, cmd := range runnable(t) {
		lines := heronLines(cmd.Example)
		if len(lines) == 0 {
			t.Errorf("heron %s has no example", cmd.Name())
		}
		if n := strings.Count(cmd.Example, "\n") + 1; n != len(lines) {
			t.Errorf("heron %s: %d lines of examples, of which %d are command lines", cmd.Name(), n, len(lines))
		}
		own := false
		for _, line := range lines {
			own = own || strings.HasPrefix(line, "heron "+cmd.Name()+" ") || line == "heron "+cmd.Name()
			if err := parses(line); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
		if !own {
			t.Errorf("no example of heron %s is of it", cmd.Name())
		}
	}
}

func TestLinesThatDoNotParse(t *testing.T) {
	for _, line := range []string{"heron frobnicate x", "heron kill --nosuch nomad wc", "heron kill nomad", "heron submit --nosuch nomad t.jar Main", "heron submit nomad t.jar", "heron"} {
		if err := parses(line); err == nil {
			t.Errorf("%q parses", line)
		}
	}
}

func TestEveryCommandIsInAGroup(t *testing.T) {
	for _, cmd := range runnable(t) {
		if cmd.GroupID == "" && !cmd.Hidden {
			t.Errorf("heron %s is in no group of the help; see groups", cmd.Name())
		}
	}
	_, out, _ := lines(t)
	for _, g := range groups() {
		if !strings.Contains(out, g.title) {
			t.Errorf("the help has no group %q:\n%s", g.title, out)
		}
	}
	if !strings.Contains(out, "exit-codes") || strings.Contains(out, "Additional Commands") {
		t.Errorf("%s", out)
	}
}

// docs is the text of docs/commands.md.
func docs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is what of a document stands below a heading, "" for none. A heading
// may name several commands.
func section(text, heading string) string {
	var b strings.Builder
	in := false
	for _, line := range strings.Split(text, "\n") {
		if title, is := strings.CutPrefix(line, "## "); is {
			in = slices.Contains(strings.Split(title, ", "), heading)
		}
		if in {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func TestExitCodesInTheDocumentsAreThoseOfTheProgram(t *testing.T) {
	text := strings.ReplaceAll(section(docs(t), "Exit codes"), "`", "")
	_, topic, _ := lines(t, "help", "exit-codes")
	topic = strings.Join(strings.Fields(topic), " ")
	seen := map[int]bool{}
	for _, s := range exitCodes() {
		var kinds []string
		for _, k := range s.Kinds {
			kinds = append(kinds, string(k))
			if exitCode(outcome.New(k, "x")) != s.Code {
				t.Errorf("%s has code %d, not %d", k, exitCode(outcome.New(k, "x")), s.Code)
			}
		}
		row := fmt.Sprintf("| %d | %s | %s | %s |", s.Code, strings.Join(kinds, ", "), s.Meaning, s.Left)
		row = strings.ReplaceAll(row, "|  |", "| |")
		if !strings.Contains(text, row+"\n") {
			t.Errorf("docs/commands.md does not have the row of cmd/heron/exit.go, with or without backticks:\n%s", row)
		}
		if !strings.Contains(topic, strings.Join(strings.Fields(s.Meaning), " ")) || seen[s.Code] {
			t.Errorf("heron help exit-codes does not say of %d once: %s", s.Code, s.Meaning)
		}
		seen[s.Code] = true
	}
	if rows := len(regexp.MustCompile(`(?m)^\| \d`).FindAllString(text, -1)); rows != len(seen) {
		t.Errorf("docs/commands.md has %d exit codes, the program %d", rows, len(seen))
	}
}

func TestDocumentsNameEveryFlag(t *testing.T) {
	text := docs(t)
	usage, _, _ := strings.Cut(text, "\n## ")
	shared := section(text, "Flags of the commands on a cluster") + section(text, "Flags of every command") + section(text, "Flags of the commands that change a topology")
	for _, cmd := range runnable(t) {
		own := section(text, cmd.Name())
		if own == "" {
			t.Errorf("docs/commands.md has no section on %s", cmd.Name())
		}
		if !cmd.Hidden && !strings.Contains(usage, "heron "+cmd.Name()) {
			t.Errorf("docs/commands.md does not list %s on top", cmd.Name())
		}
		if more, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", cmd.Name()+".md")); err == nil {
			own += string(more) // it has a document of its own
		}
		if cmd.Name() == "plan" {
			own += section(text, "submit") // it takes the same line
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			named := regexp.MustCompile("--" + regexp.QuoteMeta(f.Name) + "[^-_a-z0-9]")
			if f.Name != "help" && !f.Hidden && !named.MatchString(own+shared) {
				t.Errorf("docs/commands.md does not name --%s of %s", f.Name, cmd.Name())
			}
		})
	}
}

func TestHelpInJSON(t *testing.T) {
	code, out, _ := lines(t, "help", "--output", "json", "exit-codes")
	if code != exitOK || !strings.Contains(out, `"topic": "exit-codes"`) || !strings.Contains(out, "left_behind") {
		t.Errorf("code %d, %s", code, out)
	}
	if code, _, errs := lines(t, "help", "nosuch"); code != exitInput || !strings.Contains(errs, "no help for") {
		t.Errorf("code %d, %s", code, errs)
	}
}
