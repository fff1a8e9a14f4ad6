package standin

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Values of the state manager's configuration, and what the executor assumes
// where they are absent.
const (
	zooKeeperClass = "org.apache.heron.statemgr.zookeeper.curator.CuratorStateManager"
	localRoot      = "~/.herondata/repository/state/local"
	prometheusSink = "org.apache.heron.metricsmgr.sink.PrometheusSink"
)

// readYAML reads a map; an empty file is an empty map.
func readYAML(file string) (map[string]any, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m := map[string]any{}
	if err := yaml.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// readOverridden reads a map with the override file's entries on top.
func readOverridden(file, override string) (map[string]any, error) {
	m, err := readYAML(file)
	if err != nil {
		return nil, err
	}
	o, err := readYAML(override)
	if err != nil {
		return nil, err
	}
	maps.Copy(m, o)
	return m, nil
}

// location is where the state is.
type location struct {
	zooKeeper bool
	// connection is host:port[,host:port...]; without meaning for files.
	connection string
	root       string
}

// stateLocation finds the state as the real executor does for itself: type
// and root from the state manager's file and override.yaml, the connection
// from the command line. Only a few tokens are known in the file, and none in
// override.yaml.
func stateLocation(f flags) (location, error) {
	file := f["state-manager-config-file"]
	config, err := readYAML(file)
	if err != nil {
		return location{}, err
	}
	override, err := readYAML(f["override-config-file"])
	if err != nil {
		return location{}, err
	}
	if err := expand(file, config, f["cluster"]); err != nil {
		return location{}, err
	}
	maps.Copy(config, override)
	class, ok := config["heron.class.state.manager"].(string)
	if !ok {
		return location{}, fmt.Errorf("%s: heron.class.state.manager is not set", file)
	}
	loc := location{
		zooKeeper:  class == zooKeeperClass,
		connection: f["state-manager-connection"],
		root:       localRoot,
	}
	if root, ok := config["heron.statemgr.root.path"].(string); ok {
		loc.root = root
	}
	if loc.zooKeeper && strings.Contains(loc.connection, "/") {
		return location{}, fmt.Errorf("--state-manager-connection=%s: a path after the hosts is not supported; use heron.statemgr.root.path", loc.connection)
	}
	return loc, nil
}

// token matches what is left of a value that nothing expands.
func token() *regexp.Regexp { return regexp.MustCompile(`\$\{[A-Z_]+\}`) }

func expand(file string, config map[string]any, cluster string) error {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	pairs := []string{"~", home, "${HOME}", home, "${CLUSTER}", cluster}
	if java := os.Getenv("JAVA_HOME"); java != "" {
		pairs = append(pairs, "${JAVA_HOME}", java)
	}
	replacer, left := strings.NewReplacer(pairs...), token()
	var errs []error
	for key, value := range config {
		s, ok := value.(string)
		if !ok {
			continue
		}
		s = replacer.Replace(s)
		if found := left.FindAllString(s, -1); len(found) > 0 {
			errs = append(errs, fmt.Errorf("%s: %s has unsupported or unset tokens: %s", file, key, strings.Join(found, ", ")))
		}
		config[key] = s
	}
	return errors.Join(errs...)
}

// sink is what the metrics manager needs of a Prometheus sink.
type sink struct {
	portFile string
	port     string
	path     string
}

// prometheus finds the Prometheus sink among the configured ones; nil where
// there is none.
func prometheus(config map[string]any) *sink {
	names, _ := config["sinks"].([]any)
	for _, name := range names {
		entry, _ := config[fmt.Sprint(name)].(map[string]any)
		if entry["class"] != prometheusSink {
			continue
		}
		s := &sink{path: "/metrics"}
		if v, ok := entry["port-file"]; ok {
			s.portFile = fmt.Sprint(v)
		}
		if v, ok := entry["port"]; ok {
			s.port = fmt.Sprint(v)
		}
		if v, ok := entry["path"]; ok {
			s.path = fmt.Sprint(v)
		}
		return s
	}
	return nil
}
