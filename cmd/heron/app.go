package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/console"
)

// app is what commands share: where output goes, what the environment says.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	env            []string
	now            func() time.Time

	output string // --output
	quiet  bool
	// oneLine: documents of JSON are a stream, each on a line.
	oneLine bool
	// changed: the command has changed something that stays.
	changed bool
	// again are the flags, quoted for a shell, with which another command gets
	// the same configuration.
	again string
	// line is the command line, without the program.
	line []string

	// shown is where lines for a person go; made by console.
	shown *console.Console
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "heron",
		Short:         "Deploy Heron topologies on Nomad",
		Long:          "heron submits Heron topologies to a Nomad cluster, changes them while they run, and ends them again.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
		Args:          noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			if a.asJSON() {
				return usagef("give a command; see: heron --help")
			}
			return cmd.Help()
		},
	}
	// So that a misspelt command fails in the form that was asked for.
	a.outputFlag(root)
	_ = root.Flags().MarkHidden("output") // it is there
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(a.helpCommand())
	root.SetFlagErrorFunc(a.flagError)
	root.AddCommand(
		a.submitCommand(), a.planCommand(), a.killCommand(), a.unlockCommand(), a.activateCommand(), a.deactivateCommand(), a.restartCommand(),
		a.rollbackCommand(), a.historyCommand(),
		a.updateCommand(),
		a.statusCommand(), a.topologiesCommand(), a.logsCommand(), a.doctorCommand(),
		a.initCommand(), a.configCommand(), a.versionCommand(), a.gcCommand(), a.downloadCommand(),
		a.apiserverCommand(),
		a.completionCommand(), a.manCommand(), exitCodesTopic(),
	)
	root.InitDefaultHelpCmd()
	group(root)
	a.addCompletions(root)
	return root
}

// flagError is a usage error about a flag, with the flag that was probably
// meant. Where the command is misspelt, that is the error: its flags are not known.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	if words := plainWords(a.line); !cmd.HasParent() && len(words) > 0 {
		return noArgs(cmd, words)
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		return usagef("unknown flag --%s%s; see: %s --help", unknown.GetSpecifiedName(), suggestFlag(cmd.Flags(), unknown.GetSpecifiedName()), cmd.CommandPath())
	}
	return usagef("%v; see: %s --help", err, cmd.CommandPath())
}

// plainWords are the words of a line up to the first flag but --output.
func plainWords(line []string) (words []string) {
	for i := 0; i < len(line); i++ {
		switch word := line[i]; {
		case word == "--output":
			i++
		case strings.HasPrefix(word, "--output="):
		case strings.HasPrefix(word, "-"):
			return words
		default:
			words = append(words, word)
		}
	}
	return words
}

// noArgs refuses an unknown command with what there is.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	msg := fmt.Sprintf("unknown command %q; see: %s --help", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		msg = fmt.Sprintf("unknown command %q; did you mean %q?", args[0], near[0])
	}
	return usagef("%s", msg)
}

// args demands a number of positionals and says which.
func args(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s takes %s, got %s; see: %s --help", cmd.Name(), what, count(len(args), "argument"), cmd.CommandPath())
		}
		return nil
	}
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// clusterCommand completes a command that acts on a cluster: its flags, and
// run, which gets the positionals.
func (a *app) clusterCommand(cmd *cobra.Command, flags *clusterFlags, run func(context.Context, []string) error) *cobra.Command {
	a.outputFlag(cmd)
	flags.add(cmd.Flags())
	flags.addNomad(cmd.Flags())
	cmd.Flags().BoolVar(&a.quiet, "quiet", false, "print no progress")
	cmd.RunE = func(cmd *cobra.Command, words []string) error {
		if err := a.checkOutput(); err != nil {
			return err
		}
		return run(cmd.Context(), words)
	}
	return cmd
}

// maxArgs allows a number of positionals at most.
func maxArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, words []string) error {
		if len(words) > n {
			return args(n, what)(cmd, words)
		}
		return nil
	}
}

// outputFlag adds --output to a command.
func (a *app) outputFlag(cmd *cobra.Command) {
	// The form that was asked for counts until the line is parsed.
	wanted := a.output
	cmd.Flags().StringVar(&a.output, "output", "text", "form of the result: text or json")
	a.output = wanted
}

func (a *app) checkOutput() error {
	if a.output != "text" && a.output != "json" {
		bad := a.output
		a.output = "text"
		return usagef("--output is %q; use text or json", bad)
	}
	return nil
}

func (a *app) asJSON() bool { return a.output == "json" }

func (a *app) printJSON(v any) {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	if !a.oneLine {
		enc.SetIndent("", "  ")
	}
	// A result that cannot be written is reported at the end.
	_ = enc.Encode(v)
}

// home is Heron's home: HERON_HOME, else the install that the program lies
// in, else ~/.heron.
func (a *app) home() (string, error) {
	if h := a.getenv("HERON_HOME"); h != "" {
		return filepath.Abs(h)
	}
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			dir := filepath.Dir(filepath.Dir(exe))
			if filepath.Base(filepath.Dir(exe)) == "bin" && isDir(filepath.Join(dir, "conf")) {
				return dir, nil
			}
		}
	}
	h, err := a.userHome()
	if err != nil {
		return "", err
	}
	return filepath.Join(h, ".heron"), nil
}

func (a *app) userHome() (string, error) {
	if h := a.getenv("HOME"); h != "" {
		return h, nil
	}
	u, err := user.Current()
	if err != nil || u.HomeDir == "" {
		return "", usagef("your home folder is not known; set HOME or HERON_HOME")
	}
	return u.HomeDir, nil
}

// userName is who submits: the first of the variables that Python's
// getpass.getuser, and so the original client, looks at, else the account.
func (a *app) userName() (string, error) {
	for _, name := range []string{"LOGNAME", "USER", "LNAME", "USERNAME"} {
		if v := a.getenv(name); v != "" {
			return v, nil
		}
	}
	u, err := user.Current()
	if err != nil {
		return "", usagef("your user name is not known; set USER")
	}
	return u.Username, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
