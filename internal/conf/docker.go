package conf

import (
	"path"
	"strings"
)

// dockerVolumes reads what is mounted into containers of driver docker, each
// as docker writes it: source:target or source:target:options.
func (r *reader) dockerVolumes(key string) []string {
	var volumes []string
	for _, v := range r.list(key, nil) {
		v = strings.TrimSpace(v)
		if v == "" {
			continue
		}
		parts := strings.Split(v, ":")
		if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || !path.IsAbs(parts[1]) {
			r.wrong(key, v+" is not a volume", "write it as /folder/of/the/node:/folder/in/the/container:ro")
			continue
		}
		volumes = append(volumes, v)
	}
	return volumes
}
