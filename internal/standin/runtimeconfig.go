package standin

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// topologyLevel stands for the topology among component names.
const topologyLevel = "_topology_"

// runtimeSuffix marks keys that were set while the topology ran.
const runtimeSuffix = ":runtime"

// runtimeConfig is component (or topologyLevel) to key to value.
type runtimeConfig map[string]map[string]string

// parseRuntimeConfig reads items of the form [component:]key:value. As with
// the real one a part may be empty, except the last; false where an item has
// another form.
func parseRuntimeConfig(items []string) (runtimeConfig, bool) {
	c := runtimeConfig{}
	for _, item := range items {
		parts := strings.Split(item, ":")
		if parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1]
		}
		component := topologyLevel
		if len(parts) == 3 {
			component, parts = parts[0], parts[1:]
		}
		if len(parts) != 2 {
			return nil, false
		}
		if c[component] == nil {
			c[component] = map[string]string{}
		}
		c[component][parts[0]] = parts[1]
	}
	return c, true
}

// components calls f with the name and configuration of all of them.
func components(t *heronpb.Topology, f func(c *heronpb.Component)) {
	for _, s := range t.GetSpouts() {
		f(s.GetComp())
	}
	for _, b := range t.GetBolts() {
		f(b.GetComp())
	}
}

// known says whether the topology has all components that c names.
func (c runtimeConfig) known(t *heronpb.Topology) bool {
	names := map[string]bool{topologyLevel: true}
	components(t, func(comp *heronpb.Component) { names[comp.GetName()] = true })
	for name := range c {
		if !names[name] {
			return false
		}
	}
	return true
}

// apply changes t: values of keys that are there, then new keys in order.
func (c runtimeConfig) apply(t *heronpb.Topology) {
	if t.GetTopologyConfig() != nil {
		applyTo(t.GetTopologyConfig(), c[topologyLevel])
	}
	components(t, func(comp *heronpb.Component) {
		applyTo(comp.GetConfig(), c[comp.GetName()])
	})
}

func applyTo(config *heronpb.Config, update map[string]string) {
	done := map[string]bool{}
	for _, kv := range config.GetKvs() {
		key, ok := strings.CutSuffix(kv.GetKey(), runtimeSuffix)
		if value, given := update[key]; ok && given {
			kv.Value = proto.String(value)
			done[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(update)) {
		if !done[key] {
			config.Kvs = append(config.Kvs, &heronpb.Config_KeyValue{
				Key: proto.String(key + runtimeSuffix), Value: proto.String(update[key]),
			})
		}
	}
}
