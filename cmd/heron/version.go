package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime/debug"
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
	pairs, err := conf.ReadRelease(filepath.Join(home, "release.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		pairs, err = conf.ParseRelease(releaseText())
	}
	if err != nil {
		return err
	}
	if a.asJSON() {
		doc := map[string]string{}
		for _, p := range pairs {
			doc[p.Key] = p.Value
		}
		a.printJSON(doc)
		return nil
	}
	for _, p := range pairs {
		fmt.Fprintf(a.stdout, "%s : %s\n", p.Key, p.Value)
	}
	return nil
}

// releaseText is the text of release.yaml for this build, with the keys that
// the original's file has.
func releaseText() []byte {
	revision, status, at := "unknown", "unknown", time.Unix(0, 0).UTC()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				status = map[string]string{"true": "Modified", "false": "Clean"}[s.Value]
			case "vcs.time":
				if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
					at = t
				}
			}
		}
	}
	var b strings.Builder
	for _, kv := range [][2]string{
		{"heron.build.version", version},
		{"heron.build.time", at.Format(time.ANSIC)},
		{"heron.build.timestamp", fmt.Sprint(at.UnixMilli())},
		{"heron.build.host", "unknown"},
		{"heron.build.user", "heron-nomad"},
		{"heron.build.git.revision", revision},
		{"heron.build.git.status", status},
	} {
		fmt.Fprintf(&b, "%s: '%s'\n", kv[0], strings.ReplaceAll(kv[1], "'", "''"))
	}
	return []byte(b.String())
}
