package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/conf"
)

func (a *app) versionCommand() *cobra.Command {
	var service serviceFlags
	cmd := &cobra.Command{
		Use:   "version [flags] [cluster]",
		Short: "Print the version of heron, or of a cluster's API server",
		Long: `Print what release.yaml in Heron's home says, or what this program was built
as where there is none. With a cluster that has a service_url (heron config),
or with --service-url, print what its API server says.`,
		Example: `  heron version
  heron version --output json
  heron version --service-url http://heron.example.com:9000`,
		Args: maxArgs(1, "at most a cluster"),
		RunE: func(cmd *cobra.Command, words []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			if service.url == "" && len(words) == 0 {
				return a.version()
			}
			return a.serverVersion(cmd.Context(), &service, words)
		},
	}
	a.outputFlag(cmd)
	service.addURL(cmd.Flags())
	service.add(cmd.Flags())
	return cmd
}

func (a *app) serverVersion(ctx context.Context, flags *serviceFlags, words []string) error {
	service := flags.url
	if service == "" {
		home, err := a.userHome()
		if err != nil {
			return err
		}
		if service, err = conf.NewClientConfig(home).ServiceURL(words[0]); err != nil {
			return err
		}
		if service == "" {
			return usagef("cluster %q has no API server (service_url), so there is no version to ask for; heron version alone prints that of this program", words[0])
		}
	}
	options, err := flags.options(a, service)
	if err != nil {
		return err
	}
	client, err := apiclient.Connect(ctx, options)
	if err != nil {
		return err
	}
	version := client.Version()
	var properties []conf.Property
	for _, key := range slices.Sorted(maps.Keys(version)) {
		properties = append(properties, conf.Property{Key: key, Value: version[key]})
	}
	a.printProperties(properties)
	return nil
}

func (a *app) printProperties(properties []conf.Property) {
	if a.asJSON() {
		a.printJSON(asMap(properties))
		return
	}
	for _, p := range properties {
		fmt.Fprintf(a.stdout, "%s : %s\n", p.Key, p.Value)
	}
}

func (a *app) version() error {
	home, err := a.home()
	if err != nil {
		return err
	}
	properties, err := conf.ReadRelease(filepath.Join(home, "release.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		properties, err = release(), nil
	}
	if err != nil {
		return err
	}
	a.printProperties(properties)
	return nil
}

// release is what release.yaml says for this build, with the keys that the
// original's file has.
func release() []conf.Property {
	sec, _ := strconv.ParseInt(committed, 10, 64)
	at := time.Unix(sec, 0).UTC()
	status := "Clean"
	if strings.HasSuffix(version, "-dirty") {
		status = "Modified"
	}
	return []conf.Property{
		{Key: "heron.build.git.revision", Value: revision},
		{Key: "heron.build.git.status", Value: status},
		{Key: "heron.build.host", Value: "unknown"},
		{Key: "heron.build.time", Value: at.Format(time.ANSIC)},
		{Key: "heron.build.timestamp", Value: fmt.Sprint(at.UnixMilli())},
		{Key: "heron.build.user", Value: "heron-nomad"},
		{Key: "heron.build.version", Value: version},
	}
}

// releaseText is the text of release.yaml for this build.
func releaseText() []byte {
	var b strings.Builder
	for _, p := range release() {
		fmt.Fprintf(&b, "%s: '%s'\n", p.Key, strings.ReplaceAll(p.Value, "'", "''"))
	}
	return []byte(b.String())
}
