package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/all"
)

// uploaders makes an uploader for each setting that it is asked for: where the
// place of packages contains ${TOPOLOGY}, each topology has its own.
type uploaders struct {
	factory uploader.Factory
	opts    uploader.Options

	mu   sync.Mutex
	made map[string]uploader.Uploader
}

// newUploaders makes them by a factory; nil stands for that of package all.
func newUploaders(factory uploader.Factory, opts uploader.Options) *uploaders {
	if factory == nil {
		factory = all.New
	}
	return &uploaders{factory: factory, opts: opts, made: map[string]uploader.Uploader{}}
}

// get returns the uploader for settings and makes it the first time.
func (u *uploaders) get(settings conf.Upload) (uploader.Uploader, error) {
	key, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("compare uploader settings: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if made := u.made[string(key)]; made != nil {
		return made, nil
	}
	made, err := u.factory(settings, u.opts)
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

// PerTopology says whether the place of packages depends on the topology, which
// these settings do not know.
func PerTopology(settings conf.Upload) bool {
	text, err := json.Marshal(settings)
	return err == nil && strings.Contains(string(text), "${TOPOLOGY")
}
