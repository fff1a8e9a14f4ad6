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
		Long: `Show or change the settings kept for you in ~/.config/heron/<cluster>/cli.yaml.
The one property there is, service_url, is the address of an API server.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, words []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			return a.config(words)
		},
	}
	a.outputFlag(cmd)
	return cmd
}

func (a *app) config(words []string) error {
	if len(words) == 0 {
		return usagef("config takes a cluster; see: heron config --help")
	}
	home, err := a.userHome()
	if err != nil {
		return err
	}
	file := conf.ClientConfig{Home: home, Cluster: words[0]}
	verb := "list"
	if len(words) > 1 {
		verb, words = words[1], words[2:]
	} else {
		words = nil
	}
	switch {
	case verb == "list" && len(words) == 0:
		return a.listConfig(file)
	case verb == "set" && len(words) == 2:
		if err := file.Set(words[0], words[1]); err != nil {
			return err
		}
		return a.changed(file, "Updated", words[0])
	case verb == "unset" && len(words) == 1:
		if err := file.Unset(words[0]); err != nil {
			return err
		}
		return a.changed(file, "Cleared", words[0])
	}
	return usagef("config takes a cluster and one of: list, set PROPERTY VALUE, unset PROPERTY")
}

func (a *app) changed(file conf.ClientConfig, did, property string) error {
	if a.asJSON() {
		return a.listConfig(file)
	}
	fmt.Fprintf(a.stdout, "%s property [%s] for cluster %s\n", did, property, file.Cluster)
	return nil
}

func (a *app) listConfig(file conf.ClientConfig) error {
	settings, err := file.List()
	if err != nil {
		return err
	}
	url, ok := settings["service_url"]
	switch {
	case a.asJSON():
		a.printJSON(settings)
	case !ok:
		fmt.Fprintf(a.stdout, "No config for cluster %s\n", file.Cluster)
	default:
		fmt.Fprintf(a.stdout, "service_url = %s\n", url)
	}
	return nil
}
