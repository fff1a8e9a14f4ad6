package submit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/all"
)

// uploaders makes an uploader for each setting that it is asked for: where
// the place of packages has ${TOPOLOGY} in it, each topology has its own.
type uploaders struct {
	env uploader.Options

	mu   sync.Mutex
	made map[string]uploader.Uploader
}

func newUploaders(env uploader.Options) *uploaders {
	return &uploaders{env: env, made: map[string]uploader.Uploader{}}
}

// get is the uploader for settings, made at the first time.
func (u *uploaders) get(settings conf.Upload) (uploader.Uploader, error) {
	key, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("tell uploaders apart: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if made := u.made[string(key)]; made != nil {
		return made, nil
	}
	made, err := all.New(settings, u.env)
	if err != nil {
		return nil, err
	}
	u.made[string(key)] = made
	return made, nil
}

func (u *uploaders) close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var errs []error
	for _, made := range u.made {
		errs = append(errs, made.Close())
	}
	return errors.Join(errs...)
}

// perTopology says whether where packages go depends on the topology, which
// these settings do not know.
func perTopology(settings conf.Upload) bool {
	text, err := json.Marshal(settings)
	return err == nil && strings.Contains(string(text), "${TOPOLOGY")
}

// with is the same place with the uploader of these settings.
func (e Env) with(settings conf.Upload) (Env, error) {
	if e.uploaders == nil {
		return e, nil // it was given one for all
	}
	up, err := e.uploaders.get(settings)
	e.Uploader = up
	return e, err
}

// ForTopology are the settings as they are for one topology: where they name
// it, or its id, which may not be known.
func (c *Config) ForTopology(name, id string) (*conf.Settings, error) {
	return c.Loaded.ForTopology(conf.Topology{Name: name, ID: cmp.Or(id, "unknown-id")}).Settings()
}
