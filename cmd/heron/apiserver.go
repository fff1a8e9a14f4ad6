package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/apiserver"
	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
)

// apiserverName is the original's name of the API server. A link of that name
// to this program is one.
const apiserverName = "heron-apiserver"

// apiserverFlags are those of the API server. The first group the original has
// too.
type apiserverFlags struct {
	cluster, baseTemplate, configPath string
	releaseFile, downloadHost, core   string
	port                              int
	properties                        []string
	verbose                           bool

	listen, publicURL          string
	tlsCert, tlsKey, clientCA  string
	tokens                     string
	overrides                  []string
	logFormat                  string
	maxUpload, maxStore        string
	uploadExpiry               string
	operations, uploads, conns int
	rate                       int
	stall, drain               time.Duration
}

func (f *apiserverFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.cluster, "cluster", "", "name of the cluster that is served (required)")
	flags.StringVar(&f.baseTemplate, "base-template", "", "folder of the configuration, below conf in Heron's home (default: that of the cluster's name)")
	flags.StringVar(&f.configPath, "config-path", "", "folder of the configuration itself, wherever it is")
	flags.IntVar(&f.port, "port", 9000, "port to listen on")
	flags.StringVar(&f.downloadHost, "download-hostname", "", "name or address by which nodes reach this server")
	flags.StringVar(&f.core, "heron-core-package-path", "", "heron-core.tar.gz to give to nodes, at /api/v1/file/download/core")
	flags.StringVar(&f.releaseFile, "release-file", "", "release file (default: release.yaml in Heron's home)")
	flags.StringArrayVarP(&f.properties, "property", "D", nil, "override a setting, as -D KEY=VALUE; may be repeated")
	flags.BoolVar(&f.verbose, "verbose", false, "log more")

	limits := apiserver.DefaultLimits()
	flags.StringVar(&f.listen, "listen", "", "address of this machine to listen on, such as 127.0.0.1 (default: all)")
	flags.StringVar(&f.publicURL, "public-url", "", "address of a proxy before this server, for clients and nodes; a path in it may or may not reach this server")
	flags.StringVar(&f.tlsCert, "tls-cert", "", "PEM file of this server's certificate; with it, the server speaks TLS alone")
	flags.StringVar(&f.tlsKey, "tls-key", "", "PEM file of the certificate's key")
	flags.StringVar(&f.clientCA, "tls-client-ca", "", "PEM file of the authority that clients' certificates are checked with")
	flags.StringVar(&f.tokens, "token-file", "", "file that says which tokens and certificates may do what")
	flags.StringArrayVar(&f.overrides, "allow-override", nil, "further key that clients may set, such as heron.nomad.priority, or heron.nomad.* but for classes, addresses and paths, or * for all; may be repeated")
	flags.StringVar(&f.logFormat, "log-format", "text", "form of the log: text or json")
	flags.StringVar(&f.maxUpload, "max-upload-size", "4GiB", "largest package or topology file")
	flags.StringVar(&f.maxStore, "max-store-size", "0", "largest sum of all packages; 0 is the disk")
	flags.StringVar(&f.uploadExpiry, "upload-expiry", "30d", "how long a package stays that a client uploaded itself and nothing uses, as 12h, 30d or 8w; 0 is for ever")
	flags.IntVar(&f.operations, "max-operations", limits.Operations, "operations on topologies at the same time; further ones wait")
	flags.IntVar(&f.uploads, "max-uploads", limits.Uploads, "uploads at the same time; further ones are refused")
	flags.IntVar(&f.conns, "max-connections", limits.Requests, "connections at the same time; further ones wait")
	flags.IntVar(&f.rate, "rate-limit", limits.Rate, "requests of one address in a second; 0 is no limit")
	flags.DurationVar(&f.stall, "stall-timeout", limits.Stall, "how long a client may take to send or read the next piece")
	flags.DurationVar(&f.drain, "drain-timeout", limits.Drain, "how long running operations may take once the server is asked to stop")
}

func (a *app) apiserverCommand() *cobra.Command {
	var flags apiserverFlags
	cmd := &cobra.Command{
		Use:   "apiserver [flags]",
		Short: "Serve deployments over HTTP",
		Long: `Serve what the commands do over HTTP, to this client and to Apache Heron's own,
which then need no configuration but --service-url. A link to this program
called heron-apiserver is the same.

It runs until it gets SIGTERM or SIGINT. Without --token-file and
--tls-client-ca, everybody who reaches its port may do everything.`,
		Example: `  heron apiserver --cluster nomad -D heron.statemgr.connection.string=zk1:2181 -D heron.nomad.scheduler.uri=http://nomad:4646 -D heron.class.uploader=http
  heron apiserver --cluster nomad --listen 127.0.0.1 --token-file /etc/heron/tokens.yaml
  heron apiserver --cluster prod --config-path /etc/heron/prod --tls-cert server.pem --tls-key server-key.pem`,
		Args: args(0, "no arguments"),
	}
	flags.add(cmd.Flags())
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.checkOutput(); err != nil {
			return err
		}
		return a.apiserver(cmd.Context(), &flags)
	}
	return cmd
}

// apiserverWords turns the flags of the original's parser, which takes long
// ones with one dash too, into ours.
func apiserverWords(words []string) []string {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(apiserverFlags).add(set)
	out := slices.Clone(words)
	for i, word := range out {
		name, _, _ := strings.Cut(strings.TrimPrefix(word, "-"), "=")
		if strings.HasPrefix(word, "-") && len(name) > 1 && set.Lookup(name) != nil {
			out[i] = "-" + word
		}
	}
	return out
}

func (a *app) apiserver(ctx context.Context, f *apiserverFlags) error {
	opts, err := a.serverOptions(ctx, f)
	if err != nil {
		return err
	}
	closeStore := true
	defer func() {
		if closeStore {
			_ = opts.Store.Close()
		}
	}()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(f.listen, strconv.Itoa(f.port)))
	if err != nil {
		return fmt.Errorf("listen for requests: %w", err)
	}
	defer l.Close()
	server, err := apiserver.New(*opts, l.Addr())
	if err != nil {
		return err
	}
	apiserver.Tune(a.getenv)
	settings, err := server.Check()
	if err != nil {
		return err
	}
	for _, w := range settings.Warnings {
		opts.Log.Warn("configuration", "warning", w.Error())
	}
	opts.Log.Info("serving",
		"address", l.Addr().String(), "cluster", opts.Base.Cluster, "configuration", opts.Base.Dir, "packages", opts.Store.Dir(),
		"nomad", settings.Nomad.Address, "state", settings.State.Kind+" "+settings.State.Address(), "version", version)
	a.warnOfReach(f, opts, l.Addr())
	closeStore = false
	if err := server.Serve(ctx, l); err != nil {
		return err
	}
	if a.asJSON() {
		a.printJSON(servedDoc{Address: l.Addr().String(), Cluster: opts.Base.Cluster})
	}
	return nil
}

// servedDoc is what the API server prints as JSON when it has ended.
type servedDoc struct {
	// Address is where it listened.
	Address string `json:"address"`
	Cluster string `json:"cluster"`
}

// warnOfReach says who can do what, where nothing keeps anybody from it.
func (a *app) warnOfReach(f *apiserverFlags, opts *apiserver.Options, at net.Addr) {
	switch tcp, _ := at.(*net.TCPAddr); {
	case opts.Auth != nil && opts.TLS == nil:
		opts.Log.Warn("tokens are sent in the clear: give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that speaks TLS")
	case opts.Auth != nil:
	case tcp != nil && tcp.IP.IsLoopback():
		opts.Log.Warn("NO AUTHENTICATION: every user of this machine can submit and kill topologies of everybody, which run programs on Nomad's nodes; give --token-file", "address", at.String())
	default:
		opts.Log.Warn("NO AUTHENTICATION: everybody who reaches this port over the network can submit and kill topologies, which run programs on Nomad's nodes; give --token-file, or --listen 127.0.0.1", "address", at.String())
	}
	if slices.Contains(f.overrides, "*") {
		opts.Log.Warn("clients may set every key, with classes, addresses and paths among them: --allow-override *")
	}
}

// serverOptions reads what the flags name and checks it.
func (a *app) serverOptions(ctx context.Context, f *apiserverFlags) (*apiserver.Options, error) {
	if f.cluster == "" {
		return nil, usagef("--cluster is missing; give the name of the cluster to serve; see: heron apiserver --help")
	}
	if err := cluster.CheckPart("--cluster", f.cluster); err != nil {
		return nil, err
	}
	log, err := a.serverLog(f)
	if err != nil {
		return nil, err
	}
	base, err := a.serverBase(f)
	if err != nil {
		return nil, err
	}
	opts := &apiserver.Options{
		Base: *base, Client: version, PublicURL: f.publicURL, DownloadHost: f.downloadHost, Core: f.core,
		Overrides: append(apiserver.DefaultOverrides(), f.overrides...), Log: log, Now: a.now,
	}
	if f.core != "" {
		if info, err := os.Stat(f.core); err != nil || !info.Mode().IsRegular() {
			return nil, usagef("--heron-core-package-path: %s is not a file", f.core)
		}
	}
	if opts.TLS, err = serverTLS(f); err != nil {
		return nil, err
	}
	if opts.Auth, err = auth.New(f.tokens, f.clientCA != ""); err != nil {
		return nil, err
	}
	var storeLimit int64
	if opts.Limits, storeLimit, err = f.limits(); err != nil {
		return nil, err
	}
	loaded, err := conf.Load(opts.Base)
	if err != nil {
		return nil, err
	}
	dir, err := a.packagesDir(loaded)
	if err != nil {
		return nil, err
	}
	if err := completeNomad(ctx, opts, loaded); err != nil {
		return nil, err
	}
	opts.Store, err = files.Open(dir, storeLimit)
	return opts, err
}

// serverBase is the configuration that all requests share.
func (a *app) serverBase(f *apiserverFlags) (*conf.Options, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	userHome, err := a.userHome()
	if err != nil {
		return nil, err
	}
	dir := f.configPath
	if dir == "" {
		name := f.baseTemplate
		if name == "" {
			name = f.cluster
		}
		dir = filepath.Join(home, "conf", name)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if !isDir(dir) {
		return nil, usagef("the configuration's folder %s does not exist; --config-path names it, or --base-template its name below %s", dir, filepath.Join(home, "conf"))
	}
	return &conf.Options{
		Home: home, Dir: dir, ReleaseFile: f.releaseFile, Release: releaseText(), Properties: f.properties,
		Cluster: f.cluster, UserHome: userHome, JavaHome: a.getenv("JAVA_HOME"), Getenv: a.getenv,
	}, nil
}

// packagesDir is the folder that packages are kept in.
func (a *app) packagesDir(loaded *conf.Loaded) (string, error) {
	const key = "heron.apiserver.http.file.system.directory"
	local, err := loaded.Local()
	if err != nil {
		return "", err
	}
	dir, set, err := local.String(key)
	switch {
	case err != nil:
		return "", err
	case !set || dir == "":
		home, err := a.userHome()
		return filepath.Join(home, ".herondata", "repository", "topologies"), err
	case !filepath.IsAbs(dir) || strings.Contains(dir, "${"):
		return "", usagef("%s is %q; give an absolute path", key, dir)
	}
	return dir, nil
}

// completeNomad puts Nomad's address right where that can be done.
func completeNomad(ctx context.Context, opts *apiserver.Options, loaded *conf.Loaded) error {
	const key = "heron.nomad.scheduler.uri"
	local, err := loaded.Local()
	if err != nil {
		return err
	}
	address, set, err := local.String(key)
	if err != nil || !set || address == "" {
		return err
	}
	fixed, note, err := apiserver.NomadAddress(ctx, address)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if note != "" {
		opts.Log.Warn(note)
	}
	if fixed != address {
		opts.Base.Properties = append(slices.Clip(opts.Base.Properties), key+"="+fixed)
	}
	return nil
}

func (a *app) serverLog(f *apiserverFlags) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if f.verbose {
		o.Level = slog.LevelDebug
	}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(a.stderr, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.stderr, o)), nil
	}
	return nil, usagef("--log-format is %q; use text or json", f.logFormat)
}

// limits are what the flags bound.
func (f *apiserverFlags) limits() (apiserver.Limits, int64, error) {
	l := apiserver.DefaultLimits()
	l.Operations, l.Uploads, l.Requests, l.Rate, l.Stall, l.Drain = f.operations, f.uploads, f.conns, f.rate, f.stall, f.drain
	var ok bool
	if l.Upload, ok = conf.ParseSize(f.maxUpload); !ok || l.Upload <= 0 {
		return l, 0, usagef("--max-upload-size is %q; give bytes, or a size such as 4GiB", f.maxUpload)
	}
	store, ok := conf.ParseSize(f.maxStore)
	if !ok || store < 0 {
		return l, 0, usagef("--max-store-size is %q; give bytes, or a size such as 100GiB", f.maxStore)
	}
	if l.UploadExpiry, ok = conf.ParseAge(f.uploadExpiry); !ok {
		return l, 0, usagef("--upload-expiry is %q; give a time as 12h, 30d or 8w, or 0 to keep uploads for ever", f.uploadExpiry)
	}
	for name, n := range map[string]int{"max-operations": f.operations, "max-uploads": f.uploads, "max-connections": f.conns} {
		if n <= 0 {
			return l, 0, usagef("--%s is %d; give a number above zero", name, n)
		}
	}
	if f.stall <= 0 || f.drain < 0 || f.rate < 0 {
		return l, 0, usagef("--stall-timeout must be above zero, --drain-timeout and --rate-limit not below it")
	}
	return l, store, nil
}
