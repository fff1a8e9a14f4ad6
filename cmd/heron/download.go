package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/heron-nomad/heron/internal/fetch"
	"github.com/heron-nomad/heron/internal/tarball"
)

// downloaderName is what the program is called in a core package, where
// heron's scripts call it without a command.
const downloaderName = "heron-downloader"

// envPackageSHA256 is set for every container: the digest that submit
// recorded.
const envPackageSHA256 = "HERON_TOPOLOGY_PACKAGE_SHA256"

// downloadFlags are those of the original's downloader, and ours.
type downloadFlags struct {
	uri, to            string
	mode, home, config string

	opts    fetch.Options
	limits  tarball.Limits
	timeout time.Duration
}

func (a *app) downloadCommand() *cobra.Command {
	var flags downloadFlags
	cmd := &cobra.Command{
		Use:   "download [flags] -u URI -f FOLDER",
		Short: "Fetch a package and unpack it",
		Long: `Fetch a tar file from an http, https, file or s3 URI or a path, check its
digest, and unpack it into a folder: all of it or nothing. It is what a
container does; called as heron-downloader it takes the same flags.

The digest is that of --sha256, else of HERON_TOPOLOGY_PACKAGE_SHA256, which
is set in every container. Without either nothing is checked.`,
		Example: `  heron download -u https://packages.example.com/wc.tar.gz -f wc
  heron download --sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 -u s3://bucket/wc.tar.gz -f wc`,
		RunE: func(cmd *cobra.Command, words []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			if err := flags.complete(words); err != nil {
				return err
			}
			if !cmd.Flags().Changed("sha256") {
				flags.opts.SHA256 = strings.TrimSpace(a.getenv(envPackageSHA256))
			}
			return a.download(cmd.Context(), &flags)
		},
	}
	f := cmd.Flags()
	a.outputFlag(cmd)
	flags.add(f)
	f.BoolVar(&a.quiet, "quiet", false, "print no progress")
	return cmd
}

func (d *downloadFlags) add(f *pflag.FlagSet) {
	f.StringVarP(&d.uri, "topology_package_uri", "u", "", "where the package is: a path or a file, http, https or s3 URI")
	f.StringVarP(&d.to, "extract_destination", "f", "", "folder to unpack into; made where it is missing")
	f.StringVarP(&d.mode, "mode", "m", "cluster", "cluster or local; has no effect")
	f.StringVarP(&d.home, "heron_home", "d", "", "required with local; has no effect")
	f.StringVarP(&d.config, "config_path", "p", "", "required with local; folder whose downloader.yaml is looked at for classes that are not supported")
	f.StringVar(&d.opts.SHA256, "sha256", "", "SHA-256 that the package must have, in hex; \"\" for any")
	f.IntVar(&d.opts.Retries, "retries", 5, "how often to try again where a transfer brings nothing new; -1 for never")
	f.DurationVar(&d.opts.Stall, "stall-timeout", 30*time.Second, "how long the other side may send nothing")
	f.DurationVar(&d.timeout, "timeout", 0, "limit for all of it; 0 for none")
	f.Int64Var(&d.limits.Bytes, "max-bytes", 8<<30, "limit for what is fetched, and for what comes out of it, in bytes")
	f.IntVar(&d.limits.Entries, "max-entries", 100_000, "limit for files, folders and links")
	f.Int64Var(&d.limits.Ratio, "max-ratio", 200, "limit for how many times its size a package may unpack to")
}

// complete takes the old form, two words without -u and -f, and checks what
// was given.
func (d *downloadFlags) complete(words []string) error {
	d.uri, d.to = strings.TrimSpace(d.uri), strings.TrimSpace(d.to)
	d.mode = strings.TrimSpace(d.mode)
	switch {
	case d.uri == "" && d.to == "" && len(words) == 2:
		d.uri, d.to = words[0], words[1]
	case d.uri == "" || d.to == "" || len(words) > 0:
		return usagef("give -u URI and -f FOLDER, or only the two words; see: heron download --help")
	}
	switch {
	case d.mode != "cluster" && d.mode != "local":
		return usagef("--mode is %q; use cluster or local", d.mode)
	case d.mode == "local" && (d.home == "" || d.config == ""):
		return usagef("--mode local also takes --heron_home and --config_path")
	case d.limits.Bytes < 1 || d.limits.Entries < 1 || d.limits.Ratio < 1:
		return usagef("--max-bytes, --max-entries and --max-ratio take numbers from 1 on")
	case d.opts.Stall <= 0 || d.timeout < 0:
		return usagef("--stall-timeout and --timeout take a time, such as 30s")
	}
	d.opts.MaxSize = d.limits.Bytes
	if d.opts.Retries == 0 {
		d.opts.Retries = -1 // zero is the default there
	}
	return nil
}

// downloadedDoc is what download prints as JSON.
type downloadedDoc struct {
	URI         string `json:"uri"`
	Destination string `json:"destination"`
	// Checked: it has the digest that was asked for.
	Checked bool `json:"checked"`
	fetch.Unpacked
}

func (a *app) download(ctx context.Context, d *downloadFlags) error {
	d.opts.Progress = a.progress()
	a.warnOfClass(d)
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	got, err := fetch.Unpack(ctx, d.uri, d.to, d.opts, d.limits)
	if err != nil {
		return err
	}
	a.changed = true
	if a.asJSON() {
		a.printJSON(downloadedDoc{fetch.Shown(d.uri), d.to, d.opts.SHA256 != "", got})
		return nil
	}
	fmt.Fprintf(a.stdout, "%s: %d files, folders and links in %s\n", fetch.Shown(d.uri), got.Entries, d.to)
	return nil
}

// warnOfClass warns where downloader.yaml names a class of the user's own for
// the URI's scheme: there is no Java here that could run it.
func (a *app) warnOfClass(d *downloadFlags) {
	var file struct {
		Registry map[string]string `yaml:"heron.downloader.registry"`
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(d.config), "downloader.yaml"))
	if d.config == "" || err != nil || yaml.Unmarshal(text, &file) != nil {
		return
	}
	u, err := url.Parse(d.uri)
	if err != nil {
		return
	}
	class := file.Registry[strings.ToLower(u.Scheme)]
	if class != "" && !strings.HasPrefix(class, "org.apache.heron.downloader.") {
		a.say("heron: downloader.yaml names %s for %s: it is not run, heron fetches by itself", class, u.Scheme)
	}
}

// splitWords splits words that hold a flag and its value, as the original's
// client passes them: "-u http://host/x".
func splitWords(args []string) []string {
	var words []string
	for _, arg := range args {
		flag, value, isPair := strings.Cut(arg, " ")
		switch flag {
		case "-u", "-f", "-m", "-d", "-p", "--topology_package_uri", "--extract_destination", "--mode", "--heron_home", "--config_path":
			if isPair {
				words = append(words, flag, strings.TrimSpace(value))
				continue
			}
		}
		words = append(words, arg)
	}
	return words
}
