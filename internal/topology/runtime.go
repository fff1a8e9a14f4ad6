package topology

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// runtimeSuffix marks keys that were set while the topology ran, as the
// engine's TManager does.
const runtimeSuffix = ":runtime"

// RuntimeValue is one value of a running topology's configuration.
type RuntimeValue struct {
	// Component is "" for the topology itself.
	Component string `json:"component,omitempty"`
	Key       string `json:"key"`
	Value     string `json:"value"`
}

// String is the form that the TManager takes.
func (v RuntimeValue) String() string {
	if v.Component == "" {
		return v.Key + ":" + v.Value
	}
	return v.Component + ":" + v.Key + ":" + v.Value
}

// ParseRuntimeValue reads "key:value" or "component:key:value". The TManager
// separates by colons alone, so no part can have one; what has none can be
// anything.
func ParseRuntimeValue(text string) (RuntimeValue, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return RuntimeValue{}, fmt.Errorf("%q is not of the form [component:]key:value", text)
	}
	v := RuntimeValue{Key: parts[len(parts)-2], Value: parts[len(parts)-1]}
	if len(parts) == 3 {
		v.Component = parts[0]
	}
	return v, nil
}

// Runtime is the runtime configuration that a definition holds, the topology's
// own first and then by component.
func (d *Definition) Runtime() []RuntimeValue {
	var list []RuntimeValue
	d.configs(func(component string, c *heronpb.Config) {
		for _, kv := range c.GetKvs() {
			if key, ok := strings.CutSuffix(kv.GetKey(), runtimeSuffix); ok {
				list = append(list, RuntimeValue{component, key, kv.GetValue()})
			}
		}
	})
	slices.SortStableFunc(list, func(a, b RuntimeValue) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Key, b.Key))
	})
	return list
}

// WithRuntime is the definition with these values in its runtime configuration,
// written as the TManager writes it: of what is there the value changes, the
// rest comes last, by key. Of a key that is given twice the last counts. A
// component that the topology does not have is an error.
func (d *Definition) WithRuntime(values []RuntimeValue) (*Definition, error) {
	t := FromProto(d.pb)
	wanted := map[string]map[string]string{}
	for _, v := range values {
		if wanted[v.Component] == nil {
			wanted[v.Component] = map[string]string{}
		}
		wanted[v.Component][v.Key] = v.Value
	}
	if t.pb.GetTopologyConfig() == nil && wanted[""] != nil {
		t.pb.TopologyConfig = &heronpb.Config{}
	}
	var names []string
	t.configs(func(component string, c *heronpb.Config) {
		if component != "" {
			names = append(names, component)
		}
		setRuntime(c, wanted[component])
		delete(wanted, component)
	})
	for component := range wanted {
		return nil, fmt.Errorf("the topology has no component %q; it has %s", component, strings.Join(names, ", "))
	}
	return t, nil
}

// configs calls f for the topology's own configuration and for those of its
// components.
func (d *Definition) configs(f func(component string, c *heronpb.Config)) {
	if c := d.pb.GetTopologyConfig(); c != nil {
		f("", c)
	}
	d.components(func(c *heronpb.Component, _ bool) {
		if c.GetConfig() != nil {
			f(c.GetName(), c.GetConfig())
		}
	})
}

func setRuntime(c *heronpb.Config, wanted map[string]string) {
	for _, kv := range c.GetKvs() {
		if key, ok := strings.CutSuffix(kv.GetKey(), runtimeSuffix); ok {
			if value, given := wanted[key]; given {
				kv.Value = proto.String(value)
				delete(wanted, key)
			}
		}
	}
	keys := make([]string, 0, len(wanted))
	for key := range wanted {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		c.Kvs = append(c.Kvs, &heronpb.Config_KeyValue{Key: proto.String(key + runtimeSuffix), Value: proto.String(wanted[key])})
	}
}
