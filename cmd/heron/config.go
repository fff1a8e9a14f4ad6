package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/conf"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config cluster [list | set property value | unset property]",
		Short: "Show or change your settings for a cluster",
		Long: `Show or change the settings kept for you in ~/.config/heron/CLUSTER/cli.yaml.
The one property there is, service_url, is the address of an API server.`,
		Example: `  heron config nomad list
  heron config nomad set service_url http://heron.example.com:9000
  heron config nomad unset service_url`,
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, words []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			switch {
			case len(words) == 0:
				return a.clusterNames(cmd)
			case len(words) == 1:
				return []cobra.Completion{"list", "set", "unset"}, cobra.ShellCompDirectiveNoFileComp
			case len(words) == 2 && words[1] != "list":
				return []cobra.Completion{"service_url"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, words []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			return a.userConfig(words)
		},
	}
	a.outputFlag(cmd)
	return cmd
}

func (a *app) userConfig(words []string) error {
	if len(words) == 0 {
		return usagef("config takes a cluster; see: heron config --help")
	}
	home, err := a.userHome()
	if err != nil {
		return err
	}
	file, cluster := conf.NewClientConfig(home), words[0]
	verb, rest := "list", words[1:]
	if len(rest) > 0 {
		verb, rest = rest[0], rest[1:]
	}
	var did string
	switch {
	case verb == "list" && len(rest) == 0:
		return a.listConfig(file, cluster)
	case verb == "set" && len(rest) == 2:
		did, err = "Updated", file.Set(cluster, rest[0], rest[1])
	case verb == "unset" && len(rest) == 1:
		did, err = "Cleared", file.Unset(cluster, rest[0])
	default:
		return usagef("config takes a cluster and one of: list, set PROPERTY VALUE, unset PROPERTY")
	}
	a.changed = err == nil
	switch {
	case err != nil:
		return err
	case a.asJSON():
		return a.listConfig(file, cluster)
	}
	fmt.Fprintf(a.stdout, "%s property [%s] for cluster %s\n", did, rest[0], cluster)
	return nil
}

func (a *app) listConfig(file conf.ClientConfig, cluster string) error {
	properties, err := file.List(cluster)
	switch {
	case err != nil:
		return err
	case a.asJSON():
		a.printJSON(asMap(properties))
	case len(properties) == 0:
		fmt.Fprintf(a.stdout, "No config for cluster %s\n", cluster)
	}
	for _, p := range properties {
		if !a.asJSON() {
			fmt.Fprintf(a.stdout, "%s = %s\n", p.Key, p.Value)
		}
	}
	return nil
}

func asMap(properties []conf.Property) map[string]string {
	m := map[string]string{}
	for _, p := range properties {
		m[p.Key] = p.Value
	}
	return m
}
