package standin

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// flags is the executor's command line by flag name, without the dashes.
type flags map[string]string

// flagKind says what a flag's value must look like.
type flagKind int

const (
	text     flagKind = iota
	notEmpty          // the real one would fail later, on opening it
	number
	port
	boolean
	bare     // takes no value
	jvmOpts  // quoted base64, "=" as "(61)"
	jvmMap   // the same around a JSON map of base64 to base64
	ramMap   // component:bytes,...
	pkgType  // a package type the executor can start
	javaHome // a path with nothing left to expand
)

type flagSpec struct {
	kind     flagKind
	optional bool
}

// executorFlags are the flags of the real executor: all required but those
// marked, no others known.
func executorFlags() map[string]flagSpec {
	specs := map[string]flagSpec{
		"instance-jvm-opts":         {kind: jvmOpts},
		"component-jvm-opts":        {kind: jvmMap},
		"component-ram-map":         {kind: ramMap},
		"pkg-type":                  {kind: pkgType},
		"heron-java-home":           {kind: javaHome},
		"is-stateful":               {kind: boolean},
		"shard":                     {kind: number},
		"checkpoint-manager-ram":    {kind: number},
		"metricscache-manager-mode": {kind: text, optional: true},
		"verbose-gc":                {kind: bare, optional: true},
		"jvm-remote-debugger-ports": {kind: text, optional: true},
	}
	for _, name := range []string{
		"topology-name", "topology-id", "topology-defn-file", "topology-binary-file",
		"state-manager-connection", "state-manager-root", "state-manager-config-file",
		"tmanager-binary", "stmgr-binary", "heron-shell-binary",
		"python-instance-binary", "cpp-instance-binary",
		"heron-internals-config-file", "override-config-file",
		"metrics-sinks-config-file", "stateful-config-file",
		"classpath", "metrics-manager-classpath", "instance-classpath", "scheduler-classpath",
		"metricscache-manager-classpath", "checkpoint-manager-classpath", "health-manager-classpath",
		"health-manager-mode", "cluster", "role", "environment",
	} {
		specs[name] = flagSpec{kind: notEmpty}
	}
	for _, name := range []string{
		"server-port", "tmanager-controller-port", "tmanager-stats-port", "shell-port",
		"metrics-manager-port", "scheduler-port", "metricscache-manager-server-port",
		"metricscache-manager-stats-port", "checkpoint-manager-port",
	} {
		specs[name] = flagSpec{kind: port}
	}
	return specs
}

// parseExecutorFlags reads --name=value and --name value. The last of
// several equal flags counts, as with the real executor.
func parseExecutorFlags(args []string) (flags, error) {
	specs := executorFlags()
	f := flags{}
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "--")
		if !ok {
			return nil, fmt.Errorf("unexpected argument %q", args[i])
		}
		name, value, given := strings.Cut(name, "=")
		spec, known := specs[name]
		switch {
		case !known:
			return nil, fmt.Errorf("no such option: --%s", name)
		case spec.kind == bare && given:
			return nil, fmt.Errorf("--%s takes no value", name)
		case spec.kind != bare && !given:
			if i++; i == len(args) {
				return nil, fmt.Errorf("--%s needs a value", name)
			}
			value = args[i]
		}
		if err := checkFlag(spec.kind, value); err != nil {
			return nil, fmt.Errorf("--%s=%s: %w", name, value, err)
		}
		f[name] = value
	}
	var missing []string
	for name, spec := range specs {
		if _, ok := f[name]; !ok && !spec.optional {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("missing option %s", strings.Join(missing, ", "))
	}
	return f, nil
}

func checkFlag(kind flagKind, value string) error {
	switch kind {
	case notEmpty:
		if value == "" {
			return fmt.Errorf("is empty")
		}
	case number:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("not a whole number")
		}
	case port:
		if n, err := strconv.ParseUint(value, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("not a port number")
		}
	case boolean:
		if l := strings.ToLower(value); l != "true" && l != "false" {
			return fmt.Errorf("neither true nor false")
		}
	case jvmOpts:
		_, err := decodeOpts(value)
		return err
	case jvmMap:
		return checkJVMMap(value)
	case ramMap:
		return checkRAMMap(value)
	case pkgType:
		if !slices.Contains([]string{"jar", "tar", "pex", "so", "dylib"}, value) {
			return fmt.Errorf("not one of jar, tar, pex, so, dylib")
		}
	case javaHome:
		if value == "" || strings.Contains(value, "$") {
			return fmt.Errorf("not a path: nothing expands it, so the executor would try to start java under that name")
		}
	case text, bare:
	}
	return nil
}

// decodeOpts undoes the encoding of JVM options: base64 in double quotes with
// "=" written "(61)" or, by old clients, "&equals;".
func decodeOpts(value string) (string, error) {
	plain := strings.NewReplacer("(61)", "=", "&equals;", "=").Replace(strings.Trim(value, `"`))
	data, err := base64.StdEncoding.DecodeString(plain)
	if err != nil {
		return "", fmt.Errorf("not base64: %w", err)
	}
	return string(data), nil
}

func checkJVMMap(value string) error {
	plain, err := decodeOpts(value)
	if err != nil || plain == "" {
		return err
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(plain), &m); err != nil {
		return fmt.Errorf("not a JSON map: %w", err)
	}
	for k, v := range m {
		for _, s := range []string{k, v} {
			if _, err := base64.StdEncoding.DecodeString(s); err != nil {
				return fmt.Errorf("entry %q is not base64: %w", s, err)
			}
		}
	}
	return nil
}

func checkRAMMap(value string) error {
	for _, pair := range strings.Split(value, ",") {
		parts := strings.Split(pair, ":")
		if len(parts) < 2 {
			return fmt.Errorf("%q is not component:bytes", pair)
		}
		if _, err := strconv.ParseInt(parts[1], 10, 64); err != nil {
			return fmt.Errorf("%q is not component:bytes", pair)
		}
	}
	return nil
}

// shard is the container's index, checked by the parser.
func (f flags) shard() int {
	n, _ := strconv.Atoi(f["shard"])
	return n
}

// stateful says whether checkpoint managers run.
func (f flags) stateful() bool { return strings.EqualFold(f["is-stateful"], "true") }
