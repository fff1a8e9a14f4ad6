package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/conf"
)

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of heron",
		Long:  "Print what release.yaml in Heron's home says, or what this program was built as where there is none.",
		Args:  args(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			return a.version()
		},
	}
	a.outputFlag(cmd)
	return cmd
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
	switch {
	case err != nil:
		return err
	case a.asJSON():
		a.printJSON(asMap(properties))
		return nil
	}
	for _, p := range properties {
		fmt.Fprintf(a.stdout, "%s : %s\n", p.Key, p.Value)
	}
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
