package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// The groups of commands in the help of heron itself.
const (
	groupDeploy  = "deploy"
	groupOperate = "operate"
	groupInspect = "inspect"
	groupSetUp   = "set-up"
)

// groups are the headings, in order, and the commands below each. A command
// that is in none is listed at the end.
func groups() []struct {
	id, title string
	commands  []string
} {
	return []struct {
		id, title string
		commands  []string
	}{
		{groupDeploy, "Put a topology on a cluster, and remove it:", []string{"submit", "plan", "kill"}},
		{groupOperate, "Change a topology that runs:", []string{"activate", "deactivate", "restart", "update", "history", "rollback", "unlock"}},
		{groupInspect, "See how it is:", []string{"status", "topologies", "logs", "doctor"}},
		{groupSetUp, "Set up and keep tidy:", []string{"init", "config", "version", "gc", "download", "apiserver", "completion", "help"}},
	}
}

// group puts the commands below their headings.
func group(root *cobra.Command) {
	of := map[string]string{}
	for _, g := range groups() {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, name := range g.commands {
			of[name] = g.id
		}
	}
	for _, cmd := range root.Commands() {
		if cmd.Runnable() {
			cmd.GroupID = of[cmd.Name()]
		}
	}
}

// helpDoc is what help prints as JSON.
type helpDoc struct {
	Topic string `json:"topic"`
	Text  string `json:"text"`
}

// helpCommand is help for a command or a topic by name; an unknown name is an
// error.
func (a *app) helpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "help [command | topic]",
		Short: "Help about a command or a topic",
		Long:  `Print the help of a command or of a topic, such as exit-codes.`,
		Example: `  heron help submit
  heron help exit-codes`,
		ValidArgsFunction: func(cmd *cobra.Command, words []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, c := range cmd.Root().Commands() {
				if len(words) == 0 && (c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand()) {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, words []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			found, rest, err := cmd.Root().Find(words)
			if err != nil || len(rest) > 0 {
				return usagef("no help for %q: there is no such command; see: heron --help", strings.Join(words, " "))
			}
			if !a.asJSON() {
				return found.Help()
			}
			var text bytes.Buffer
			found.SetOut(&text)
			if err := found.Help(); err != nil {
				return err
			}
			a.printJSON(helpDoc{found.Name(), text.String()})
			return nil
		},
	}
	a.outputFlag(cmd)
	return cmd
}

// exitCodesTopic is the help topic about exit codes.
func exitCodesTopic() *cobra.Command {
	var text strings.Builder
	text.WriteString("The exit code of every command tells the final state. With --output json it is\nalso in the document of a failure, as exit_code, beside its kind.\n")
	for _, s := range exitCodes() {
		var kinds []string
		for _, k := range s.Kinds {
			kinds = append(kinds, string(k))
		}
		head := strings.Join(kinds, ", ")
		if head == "" {
			head = "success"
		}
		fmt.Fprintf(&text, "\n%4d  %s\n", s.Code, head)
		for _, line := range folded(s.Meaning, 72) {
			fmt.Fprintf(&text, "      %s\n", line)
		}
		if s.Code != exitOK {
			fmt.Fprintf(&text, "      Is anything left? %s\n", strings.ToUpper(s.Left[:1])+s.Left[1:])
		}
	}
	return &cobra.Command{Use: "exit-codes", Short: "What exit codes mean", Long: strings.TrimSuffix(text.String(), "\n")}
}

// folded breaks a text into lines.
func folded(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}
