package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	shipped "github.com/heron-nomad/heron/conf"
	"github.com/heron-nomad/heron/internal/install"
)

func (a *app) initCommand() *cobra.Command {
	var prefix, core, sum string
	cmd := &cobra.Command{
		Use:   "init [flags]",
		Short: "Install heron and its configuration into a folder",
		Long: `Fill Heron's home: bin/heron with its links, conf/nomad and release.yaml.
A configuration file that you edited is kept; the new one is put beside it.
With --core a heron-core package is put into dist/ as well.`,
		Example: `  heron init
  heron init --prefix /opt/heron --core https://packages.example.com/heron-core.tar.gz`,
		Args: args(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			if sum != "" && core == "" {
				return usagef("--sha256 goes with --core")
			}
			return a.init(cmd.Context(), prefix, core, sum)
		},
	}
	f := cmd.Flags()
	a.outputFlag(cmd)
	f.StringVar(&prefix, "prefix", "", "folder to install into (default: HERON_HOME, else ~/.heron)")
	f.StringVar(&core, "core", "", "heron-core package: a path or a file, http, https or s3 URI")
	f.StringVar(&sum, "sha256", "", "SHA-256 that the core package must have, in hex")
	return cmd
}

// installedDoc is what init prints as JSON.
type installedDoc struct {
	Prefix string         `json:"prefix"`
	Files  []install.Done `json:"files"`
}

func (a *app) init(ctx context.Context, prefix, core, sum string) error {
	if prefix == "" {
		home, err := a.home()
		if err != nil {
			return err
		}
		prefix = home
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	// The core first: it is what can fail, and then nothing is half done.
	var done []install.Done
	if core != "" {
		one, err := install.Core(ctx, prefix, core, sum)
		if err != nil {
			return err
		}
		done = append(done, one)
	}
	rest, err := install.Install(ctx, install.Options{
		Prefix: prefix, Program: program, Conf: shipped.Files, Release: releaseText(),
	})
	if err != nil {
		return err
	}
	done = append(done, rest...)
	a.changed = true
	if a.asJSON() {
		a.printJSON(installedDoc{prefix, done})
		return nil
	}
	for _, d := range done {
		fmt.Fprintf(a.stdout, "%s: %s\n", d.Path, d.What)
	}
	return nil
}
