package standin

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// setup is what the executor found in its working directory.
type setup struct {
	logDir string
	state  location
	sink   *sink // nil without a Prometheus sink
}

// inspect checks every file that a process of the container would open
// sooner or later.
func inspect(f flags) (setup, error) {
	internals, err := readOverridden(f["heron-internals-config-file"], f["override-config-file"])
	if err != nil {
		return setup{}, err
	}
	if err := checkInternals(f["heron-internals-config-file"], internals); err != nil {
		return setup{}, err
	}
	sinks, err := readOverridden(f["metrics-sinks-config-file"], f["override-config-file"])
	if err != nil {
		return setup{}, err
	}
	if _, err := readYAML(f["stateful-config-file"]); err != nil {
		return setup{}, err
	}
	for _, name := range []string{"topology-binary-file", "tmanager-binary", "stmgr-binary", "heron-shell-binary"} {
		if info, err := os.Stat(f[name]); err != nil {
			return setup{}, fmt.Errorf("--%s: %w", name, err)
		} else if info.IsDir() {
			return setup{}, fmt.Errorf("--%s: %s is a directory", name, f[name])
		}
	}
	if err := checkDefinition(f); err != nil {
		return setup{}, err
	}
	loc, err := stateLocation(f)
	if err != nil {
		return setup{}, err
	}
	return setup{
		logDir: fmt.Sprint(internals["heron.logging.directory"]),
		state:  loc, sink: prometheus(sinks),
	}, nil
}

func checkDefinition(f flags) error {
	file := f["topology-defn-file"]
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("--topology-defn-file: %w", err)
	}
	t := &heronpb.Topology{}
	if err := proto.Unmarshal(data, t); err != nil {
		return fmt.Errorf("%s: not a topology definition: %w", file, err)
	}
	if t.GetName() != f["topology-name"] || t.GetId() != f["topology-id"] {
		return fmt.Errorf("%s defines topology %s with id %s, the command line says %s with id %s",
			file, t.GetName(), t.GetId(), f["topology-name"], f["topology-id"])
	}
	return nil
}

// hostName is the name the container's processes announce: as the real
// executor finds it, except that a name which does not resolve here is
// replaced by the loopback address.
func hostName(resolves func(string) bool) string {
	name, err := os.Hostname()
	if _, missing := os.Stat("/.dockerenv"); missing == nil && os.Getenv("POD_NAME") == "" {
		if h := os.Getenv("HOST"); h != "" {
			name, err = h, nil
		}
	}
	if err != nil || !resolves(name) {
		return "127.0.0.1"
	}
	return name
}
