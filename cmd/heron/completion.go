package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/wire"
)

// completionTime is how long a person who presses Tab waits at most for names
// that only servers know.
const completionTime = 2 * time.Second

// completionDoc is what completion prints as JSON.
type completionDoc struct {
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes command lines in your shell",
		Long: `Print a script for your shell. With it the Tab key completes commands, flags,
clusters, and the names of topologies, components and containers, which are
read from the state of the cluster, or by its API server (service_url). Where
that takes more than 2 seconds, or fails, nothing is offered.

The script for bash needs the package bash-completion.`,
		Example: `  source <(heron completion bash)
  heron completion bash > ~/.local/share/bash-completion/completions/heron
  heron completion zsh > "${fpath[1]}/_heron"
  heron completion fish > ~/.config/fish/completions/heron.fish`,
		Args:      args(1, "the name of a shell"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, words []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			var script bytes.Buffer
			var err error
			switch root := cmd.Root(); words[0] {
			case "bash":
				err = root.GenBashCompletionV2(&script, true)
			case "zsh":
				err = root.GenZshCompletion(&script)
			case "fish":
				err = root.GenFishCompletion(&script, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(&script)
			default:
				return usagef("completion is for %s, not for %q", strings.Join(shells, ", "), words[0])
			}
			switch {
			case err != nil:
				return err
			case a.asJSON():
				a.printJSON(completionDoc{words[0], script.String()})
				return nil
			}
			_, err = script.WriteTo(a.stdout)
			return err
		},
	}
	a.outputFlag(cmd)
	return cmd
}

// completer finds the words that fit; words are the positionals so far.
type completer = func(cmd *cobra.Command, words []string, start string) ([]cobra.Completion, cobra.ShellCompDirective)

// addCompletions makes all commands complete their words: flags by name, and
// positionals by what the command's line of use calls them.
func (a *app) addCompletions(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch {
		case cmd.ValidArgsFunction != nil:
			cmd.ValidArgsFunction = fitting(cmd.ValidArgsFunction)
		case len(cmd.ValidArgs) == 0:
			cmd.ValidArgsFunction = fitting(a.completePositional)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if complete := a.flagCompleter(f.Name); complete != nil {
				// It only fails for a flag that has one already.
				_ = cmd.RegisterFlagCompletionFunc(f.Name, fitting(complete))
			}
		})
	}
}

// fitting leaves out words that do not continue what was typed.
func fitting(complete completer) completer {
	return func(cmd *cobra.Command, words []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		found, directive := complete(cmd, words, start)
		if directive&(cobra.ShellCompDirectiveFilterDirs|cobra.ShellCompDirectiveFilterFileExt) == 0 {
			found = slices.DeleteFunc(slices.Clone(found), func(c cobra.Completion) bool { return !strings.HasPrefix(c, start) })
		}
		return found, directive
	}
}

// flagCompleter completes a flag's value; nil stands for the shell's own way,
// files.
func (a *app) flagCompleter(flag string) completer {
	fixed := func(words ...string) completer {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	switch flag {
	case "output":
		return fixed("text", "json")
	case "dry-run-format":
		return fixed(submit.Formats()...)
	case "state":
		return fixed("keep", "fresh")
	case "mode":
		return fixed("cluster", "local")
	case "config-path", "prefix", "extract_destination", "heron_home", "config_path", "nomad-ca-path":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case "component":
		return a.completeComponent("")
	case "component-parallelism":
		return a.completeComponent(":")
	case "config-property", "topology-main-jvm-property", "runtime-config", "nomad-address", "nomad-region", "nomad-namespace",
		"nomad-tls-server-name", "service-url", "topology-id", "sha256":
		return fixed()
	}
	return nil
}

// completePositional completes the next word by its name in the line of use.
func (a *app) completePositional(cmd *cobra.Command, words []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if cmd.DisableFlagParsing {
		return a.completeSubmit(cmd, words, start)
	}
	switch positional(cmd, len(words)) {
	case "cluster", "cluster/role/env":
		return a.clusterNames(cmd)
	case "topology-name":
		return a.names(cmd, words[0], inspect.Names, func(ctx context.Context, t *apiclient.Topologies) ([]string, error) {
			return t.Names(ctx)
		})
	case "container", "container-id":
		return a.partNames(cmd, words, wire.Containers, inspect.ContainerNames)
	case "version":
		return a.partNames(cmd, words, wire.Versions, inspect.VersionNames)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// positional is what the line of use calls a positional, "" for none.
func positional(cmd *cobra.Command, n int) string {
	var names []string
	for _, word := range strings.Fields(cmd.Use)[1:] {
		if word != "[flags]" {
			names = append(names, strings.NewReplacer("[", "", "]", "", "...", "").Replace(word))
		}
	}
	if n >= len(names) {
		return ""
	}
	return names[n]
}

// completeSubmit completes a line that ends with the arguments of the user's
// program, of which nothing is known.
func (a *app) completeSubmit(cmd *cobra.Command, words []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	flags := cmd.Flags()
	if n := len(words); n > 0 && strings.HasPrefix(words[n-1], "--") {
		// It may be the value of a flag that is being typed.
		if f := flags.Lookup(strings.TrimPrefix(words[n-1], "--")); f != nil && f.NoOptDefVal == "" {
			if complete := a.flagCompleter(f.Name); complete != nil {
				return complete(cmd, nil, start)
			}
			return nil, cobra.ShellCompDirectiveDefault
		}
	}
	s, err := splitSubmit(words, flags, nil)
	if err != nil || flags.Parse(s.flags) != nil || len(s.positionals) == 3 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	if len(s.positionals) == 0 && !strings.HasPrefix(start, "-") {
		return a.clusterNames(cmd)
	}
	return nil, cobra.ShellCompDirectiveDefault // cobra adds the flags
}

// clusterNames are the folders of clusters, and those with an API server.
func (a *app) clusterNames(cmd *cobra.Command) ([]cobra.Completion, cobra.ShellCompDirective) {
	home, err := a.home()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := clusters(confDir(flagsOf(cmd).configPath, home))
	if userHome, err := a.userHome(); err == nil {
		names = append(names, conf.NewClientConfig(userHome).Clusters()...)
	}
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}

// completeComponent completes the name of a component of the topology on the
// line, and puts a text behind it.
func (a *app) completeComponent(behind string) completer {
	return func(cmd *cobra.Command, words []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(words) < 2 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, directive := a.partNames(cmd, words, wire.Components, inspect.ComponentNames)
		for i := range names {
			names[i] += behind
		}
		if behind != "" {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return names, directive
	}
}

// partNames is names of the parts of the topology on the line.
func (a *app) partNames(cmd *cobra.Command, words []string, kind string,
	direct func(context.Context, cluster.Cluster, string) ([]string, error),
) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.names(cmd, words[0], func(ctx context.Context, cl cluster.Cluster) ([]string, error) {
		return direct(ctx, cl, words[1])
	}, func(ctx context.Context, t *apiclient.Topologies) ([]string, error) {
		return t.PartNames(ctx, words[1], kind)
	})
}

// names reads names from the cluster's state, or asks its API server. Who presses
// Tab wants no error: where they cannot be read there are none.
func (a *app) names(cmd *cobra.Command, where string,
	direct func(context.Context, cluster.Cluster) ([]string, error), through func(context.Context, *apiclient.Topologies) ([]string, error),
) ([]cobra.Completion, cobra.ShellCompDirective) {
	a.quiet = true
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	s, err := a.reach(ctx, flagsOf(cmd), where, nil)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, err := carryOut(ctx, s, nil, func(cl *cluster.Connection) ([]string, error) {
		return direct(ctx, cl.Cluster)
	}, func(t *apiclient.Topologies) ([]string, error) {
		return through(ctx, t)
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// flagsOf reads back what a command's flags say about its cluster.
func flagsOf(cmd *cobra.Command) *clusterFlags {
	flags := &clusterFlags{}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.add(set)
	flags.addNomad(set)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if set.Lookup(f.Name) == nil || f.Name == "verbose" {
			return
		}
		for _, v := range values {
			_ = set.Set(f.Name, v) // it was accepted before
		}
	})
	return flags
}
