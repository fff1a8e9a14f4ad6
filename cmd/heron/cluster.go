package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/submit"
)

// clusterFlags are those of every command that acts on a cluster.
type clusterFlags struct {
	configPath string
	properties []string
	serviceURL string
	verbose    bool
}

func (c *clusterFlags) add(f *pflag.FlagSet) {
	f.StringVar(&c.configPath, "config-path", "", "folder that holds the clusters' folders (default: conf in Heron's home)")
	f.StringArrayVar(&c.properties, "config-property", nil, "override a setting, as KEY=VALUE; may be repeated")
	f.StringVar(&c.serviceURL, "service-url", "", "address of an API server to go through")
	f.BoolVar(&c.verbose, "verbose", false, "tell more about what is done")
}

// config loads the configuration of a place; more adds what a command has to
// say to it.
func (a *app) config(c *clusterFlags, p place, who string, more func(*conf.Options)) (*submit.Config, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	userHome, err := a.userHome()
	if err != nil {
		return nil, err
	}
	if err := a.refuseService(c, p, userHome); err != nil {
		return nil, err
	}
	parent := c.configPath
	if parent == "" {
		parent = filepath.Join(home, "conf")
	}
	dir, err := filepath.Abs(filepath.Join(parent, p.cluster))
	if err != nil {
		return nil, err
	}
	if !isDir(dir) {
		return nil, noCluster(dir, parent, p.cluster)
	}
	options := conf.Options{
		Home:       home,
		Dir:        dir,
		Properties: c.properties,
		Cluster:    p.cluster,
		Role:       p.role,
		Environ:    p.environ,
		User:       who,
		UserHome:   userHome,
		JavaHome:   a.getenv("JAVA_HOME"),
	}
	more(&options)
	config, err := submit.LoadConfig(options)
	switch {
	case err != nil:
		return nil, err
	case config.Settings.RoleRequired && p.noRole:
		return nil, usagef("cluster %s needs a role: give %s/ROLE/ENV (heron.config.is.role.required)", p.cluster, p.cluster)
	case config.Settings.EnvironRequired && p.noEnviron:
		return nil, usagef("cluster %s needs an environment: give %s/%s/ENV (heron.config.is.env.required)", p.cluster, p.cluster, p.role)
	}
	c.explain(a.report(), config)
	return config, nil
}

// noCluster says which clusters there are instead.
func noCluster(dir, parent, cluster string) error {
	var have []string
	entries, err := os.ReadDir(parent)
	for _, e := range entries {
		if e.IsDir() {
			have = append(have, e.Name())
		}
	}
	hint := "there are: " + strings.Join(have, ", ")
	if err != nil || len(have) == 0 {
		hint = "there is none yet; make one with: heron init"
	}
	return usagef("no folder %s for cluster %q: %s", dir, cluster, hint)
}

// refuseService stops where an API server is asked for: going to Nomad
// directly instead would be another deployment than the one meant.
func (a *app) refuseService(c *clusterFlags, p place, userHome string) error {
	url, from := c.serviceURL, "--service-url"
	if url == "" {
		service, err := conf.NewClientConfig(userHome).ServiceURL(p.cluster)
		if err != nil {
			return err
		}
		url, from = service, fmt.Sprintf("service_url of cluster %q (heron config %s unset service_url)", p.cluster, p.cluster)
	}
	if url != "" {
		return usagef("%s names the API server %s, but this version talks to Nomad directly only", from, url)
	}
	return nil
}

// explain prints what a person asks for with --verbose.
func (c *clusterFlags) explain(report submit.Report, config *submit.Config) {
	if !c.verbose || report == nil {
		return
	}
	s := config.Settings
	report("cluster configuration %s", config.Options.Dir)
	report("Nomad %s, state in %s %s below %s, packages by %s", s.Nomad.Address, s.State.Kind, s.State.Connection, s.State.Root, s.Upload.Kind)
}
