package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
)

// session is what every command on a cluster begins with: the place it acts on
// and the configuration.
type session struct {
	app    *app
	config *cluster.Config
	// service is the API server to go through; nil for the servers themselves.
	service *apiclient.Topologies
}

// session reads the place and loads its configuration; more adds what a command
// has to say to that.
func (a *app) session(flags *clusterFlags, where string, more func(*conf.Options)) (*session, error) {
	p, user, err := a.place(where)
	if err != nil {
		return nil, err
	}
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	userHome, err := a.userHome()
	if err != nil {
		return nil, err
	}
	if err := a.refuseService(flags, p); err != nil {
		return nil, err
	}
	dir, err := clusterDir(flags.configPath, home, p.cluster)
	if err != nil {
		return nil, err
	}
	options := conf.Options{
		Home:       home,
		Dir:        dir,
		Properties: flags.properties,
		Cluster:    p.cluster,
		Role:       p.role,
		Environ:    p.environ,
		User:       user,
		UserHome:   userHome,
		JavaHome:   a.getenv("JAVA_HOME"),
		Nomad:      flags.nomad,
		Getenv:     a.getenv,
	}
	if more != nil {
		more(&options)
	}
	config, err := cluster.LoadConfig(options)
	if err != nil {
		return nil, err
	}
	if err := p.check(config.Settings); err != nil {
		return nil, err
	}
	a.again = flags.again()
	a.warnOfSecrets(flags)
	a.describe(flags, config)
	return &session{app: a, config: config}, nil
}

// place reads a place, and who asks.
func (a *app) place(where string) (p place, user string, err error) {
	if user, err = a.userName(); err != nil {
		return p, "", err
	}
	p, err = parsePlace(where, user)
	return p, user, err
}

// connect opens the cluster's servers. The caller closes the connection.
func (s *session) connect(ctx context.Context) (*cluster.Connection, error) {
	home, _ := s.app.userHome() // only SSH needs it, and says so where it is missing
	return cluster.Connect(ctx, s.config.Settings, cluster.Options{Progress: s.app.progress(), Home: home, Getenv: s.app.getenv})
}

// clusterDir is the folder of a cluster's configuration.
func clusterDir(parent, home, name string) (string, error) {
	parent = confDir(parent, home)
	dir, err := filepath.Abs(filepath.Join(parent, name))
	if err != nil {
		return "", err
	}
	if isDir(dir) {
		return dir, nil
	}
	return "", noCluster(dir, parent, name)
}

// confDir is the folder that holds the clusters' folders.
func confDir(flag, home string) string {
	if flag == "" {
		return filepath.Join(home, "conf")
	}
	return flag
}

// clusters are the names of the clusters that have a folder there.
func clusters(parent string) (names []string) {
	entries, _ := os.ReadDir(parent) // no folder, no clusters
	for _, e := range entries {
		// Anything else there is not a cluster's folder.
		if _, err := os.Stat(filepath.Join(parent, e.Name(), "client.yaml")); err == nil {
			names = append(names, e.Name())
		}
	}
	return names
}

// noCluster says which clusters there are instead.
func noCluster(dir, parent, name string) error {
	have := clusters(parent)
	hint := "there are: " + strings.Join(have, ", ")
	switch {
	case !isDir(parent):
		hint = parent + " does not exist; make the default one with: heron init"
	case len(have) == 0:
		hint = "there is no cluster in " + parent + "; --config-path names the folder above those of the clusters"
	}
	return usagef("no folder %s for cluster %q: %s", dir, name, hint)
}

// warnOfSecrets warns of secrets that others on this machine can see.
func (a *app) warnOfSecrets(flags *clusterFlags) {
	for _, p := range flags.properties {
		if key, _, _ := strings.Cut(p, "="); conf.IsSecret(key) {
			a.say("warning: every user of this machine can see the value of %s on the command line; put it into the cluster's configuration or a file", key)
		}
	}
}

// describe prints what a person has to know about what is used, and with
// --verbose everything else.
func (a *app) describe(flags *clusterFlags, config *cluster.Config) {
	s := config.Settings
	if ignored := s.Nomad.Access.Ignored; len(ignored) > 0 {
		a.say("Nomad is at %s, but NOMAD_ADDR names another server: not used are %s", s.Nomad.Address, strings.Join(ignored, ", "))
	}
	for _, w := range s.Warnings {
		a.say("warning: %s", worded(w, w.Error()))
	}
	if !flags.verbose {
		return
	}
	a.say("cluster configuration %s", config.Options.Dir)
	state := s.State.Kind + " " + s.State.Address()
	if s.State.Address() != s.State.Root {
		state += " below " + s.State.Root
	}
	a.say("Nomad %s, state in %s, packages by %s", s.Nomad.Address, state, s.Upload.Kind)
	for _, o := range s.Nomad.Access.Origins {
		what := "Nomad's " + o.What
		if o.Value != "" {
			what += " " + o.Value
		}
		a.say("%s is from %s", what, sourceName(o.From))
	}
	if from := s.State.ZooKeeper.DigestFrom; from != "" {
		a.say("ZooKeeper's credentials are from %s", from)
	}
}
