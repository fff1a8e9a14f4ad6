package cluster

import (
	"cmp"

	"github.com/heron-nomad/heron/internal/conf"
)

// Config is a cluster's configuration, checked.
type Config struct {
	Options  conf.Options
	Loaded   *conf.Loaded
	Settings *conf.Settings
}

// LoadConfig reads a cluster's configuration and refuses one with unknown keys
// or unusable values.
func LoadConfig(opts conf.Options) (*Config, error) {
	loaded, err := conf.Load(opts)
	if err != nil {
		return nil, err
	}
	if err := loaded.Check(); err != nil {
		return nil, err
	}
	settings, err := loaded.Settings()
	if err != nil {
		return nil, err
	}
	return &Config{Options: opts, Loaded: loaded, Settings: settings}, nil
}

// ForTopology returns the settings as they are for one topology: where they
// name it or its id, "" where that is not known.
func (c *Config) ForTopology(name, id string) (*conf.Settings, error) {
	return c.Loaded.ForTopology(conf.Topology{Name: name, ID: cmp.Or(id, "unknown-id")}).Settings()
}
