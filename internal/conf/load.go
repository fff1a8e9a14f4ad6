package conf

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// clientFiles are the files of a cluster directory in the order in which the
// client reads them; later ones win.
var clientFiles = [...]string{
	"heron.config.file.cluster.yaml",
	"heron.config.file.client.yaml",
	"heron.config.file.healthmgr.yaml",
	"heron.config.file.packing.yaml",
	"heron.config.file.scheduler.yaml",
	"heron.config.file.statemgr.yaml",
	"heron.config.file.uploader.yaml",
	"heron.config.file.downloader.yaml",
	"heron.config.file.stateful.yaml",
}

const (
	keyHome        = "heron.directory.home"
	keyConf        = "heron.directory.conf"
	keyClusterHome = "heron.directory.cluster.home"
	keyClusterConf = "heron.directory.cluster.conf"
	keyStatemgr    = "heron.config.file.statemgr.yaml"
	keyMetrics     = "heron.config.file.metrics.yaml"
	keyStateful    = "heron.config.file.stateful.yaml"
	keyInternals   = "heron.config.file.system.yaml"
	keyOverride    = "heron.config.file.override.yaml"
	keyScript      = "heron.scheduler.job.template"

	defaultScript = "heron_nomad.sh"
)

// Loaded is a configuration as it was read: layers on top of each other, no
// token replaced. It does not change.
type Loaded struct {
	opts   Options
	layers []layer
	values map[string]*entry
	// statemgr is what statemgr.yaml says by itself, and overrides the layers
	// that go into the package's override.yaml: executors read these two and
	// nothing else.
	statemgr  map[string]*entry
	overrides []layer
	// sinks is the text of the metrics file; internals that of the engine's.
	sinks, internals           mapping
	metricsPath, internalsPath string
	// release is the release file as packages get it, nil for none.
	release         *PackageFile
	topologyIsKnown bool
}

// Load reads the configuration of one cluster. Files that are missing count
// as empty; broken YAML is an *Error.
func Load(opts Options) (*Loaded, error) {
	release := opts.ReleaseFile
	if release == "" {
		release = filepath.Join(opts.Home, releaseName)
	}
	l, err := loadFiles(opts, release, filepath.Join(opts.Dir, overrideName))
	if err != nil {
		return nil, err
	}
	properties, err := parseProperties(opts.Properties)
	if err != nil {
		return nil, err
	}
	l.overrides = append(l.overrides, properties)
	if l, err = l.with(properties, opts.identity()); err != nil {
		return nil, err
	}
	return l, l.readEngineFiles()
}

// loadFiles reads the built-in defaults, the files, the release file and the
// overrides.
func loadFiles(opts Options, releaseFile, overrideFile string) (*Loaded, error) {
	defaultSource := Source{Kind: DefaultSource}
	defaults := layer{rank: rankDefault, values: map[string]*entry{}}
	for _, k := range keyTable {
		if k.value != nil {
			defaults.values[k.key] = newEntry(k.value, defaultSource)
		}
	}
	defaults.values[keyHome] = newEntry(opts.Home, defaultSource)
	defaults.values[keyConf] = newEntry(opts.Dir, defaultSource)
	paths, err := expand(defaults.values, opts.UserHome, opts.JavaHome)
	if err != nil {
		return nil, err
	}

	l := &Loaded{opts: opts, layers: []layer{defaults}}
	for _, k := range clientFiles {
		file, err := l.readLayer(paths[k].text)
		if err != nil {
			return nil, err
		}
		l.layers = append(l.layers, file)
		if k == keyStatemgr {
			l.statemgr = file.values
		}
	}
	release, err := l.readRelease(releaseFile)
	if err != nil {
		return nil, err
	}
	override, err := l.readLayer(overrideFile)
	if err != nil {
		return nil, err
	}
	l.layers = append(l.layers, release, override)
	l.overrides = []layer{override}
	l.values, err = merge(l.layers)
	return l, err
}

// readEngineFiles reads the files that only executors use, so that a mistake
// in them is found here and not in every container.
func (l *Loaded) readEngineFiles() error {
	local, err := expand(l.values, l.opts.UserHome, l.opts.JavaHome)
	if err != nil {
		return err
	}
	l.metricsPath, l.internalsPath = local[keyMetrics].text, local[keyInternals].text
	if l.sinks, err = l.opts.Files.read(l.metricsPath); err != nil {
		return err
	}
	l.internals, err = l.opts.Files.read(l.internalsPath)
	return err
}

func (l *Loaded) readLayer(path string) (layer, error) {
	m, err := l.opts.Files.read(path)
	if err != nil {
		return layer{}, err
	}
	return layer{rank: rankFile, source: fileSource(path, 0), values: entries(path, m)}, nil
}

// entries turns the top level of a file into entries. A key that is not a
// string is kept as "(type)text", which no lookup finds.
func entries(file string, m mapping) map[string]*entry {
	values := make(map[string]*entry, len(m))
	for _, p := range m {
		// As with the original, a key without a name says nothing.
		if p.key == nil {
			continue
		}
		name, ok := p.key.(string)
		if !ok {
			name = oddKey(p.key)
		}
		values[name] = &entry{value: p.value, text: p.text, source: fileSource(file, p.line), oddKey: !ok}
	}
	return values
}

func oddKey(k any) string {
	kind := map[string]string{"a boolean": "Boolean", "a number": "Integer", "a list": "ArrayList", "a date": "Date", "a map": "LinkedHashMap"}[kindName(k)]
	return "(" + kind + ")" + javaText(k)
}

// javaText writes a value as Heron's messages do.
func javaText(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = javaText(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case mapping:
		parts := make([]string, len(v))
		for i, p := range v {
			parts[i] = javaText(p.key) + "=" + javaText(p.value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case nil:
		return "null"
	}
	text, _ := scalarText(v)
	return text
}

// parseProperties reads "key=value" texts. true and false become booleans,
// everything else stays text; the value may hold "=".
func parseProperties(properties []string) (layer, error) {
	l := layer{rank: rankSet, source: Source{Kind: PropertySource}, values: map[string]*entry{}}
	for _, p := range properties {
		k, v, found := strings.Cut(p, "=")
		k = strings.TrimSpace(k)
		if !found || k == "" || !utf8.ValidString(p) || strings.Contains(p, "\x00") {
			return layer{}, &Error{Source: l.source, Key: k, Msg: fmt.Sprintf("%q is not a property", p), Hint: "write it as key=value"}
		}
		e := newEntry(v, l.source)
		switch v {
		case "true", "True", "TRUE":
			e.value = true
		case "false", "False", "FALSE":
			e.value = false
		}
		l.values[k] = e
	}
	return l, nil
}

// identity is the layer of who asks; what is not known is left to the files.
func (o Options) identity() layer {
	l := layer{rank: rankSet, source: Source{Kind: CallerSource}, values: map[string]*entry{}}
	for k, v := range map[string]string{
		"heron.config.cluster":     o.Cluster,
		"heron.config.role":        o.Role,
		"heron.config.environ":     o.Environ,
		"heron.config.submit_user": o.User,
	} {
		if v != "" {
			l.values[k] = newEntry(v, l.source)
		}
	}
	if o.VerboseGC {
		l.values["heron.config.verbose_gc"] = newEntry(true, l.source)
	}
	return l
}

// with returns a copy that has more layers on top.
func (l *Loaded) with(more ...layer) (*Loaded, error) {
	next := *l
	next.layers = append(slices.Clip(l.layers), more...)
	values, err := merge(next.layers)
	if err != nil {
		return nil, err
	}
	next.values = values
	return &next, nil
}

// ForTopology returns the configuration of one topology's submission.
func (l *Loaded) ForTopology(t Topology) *Loaded {
	top := layer{rank: rankSet, source: Source{Kind: TopologySource}, values: map[string]*entry{}}
	for k, v := range map[string]string{
		"heron.topology.name":            t.Name,
		"heron.topology.id":              t.ID,
		"heron.topology.definition.file": t.DefinitionFile,
		"heron.topology.binary.file":     t.BinaryFile,
		"heron.topology.package.file":    t.PackageFile,
		"heron.topology.package.type":    t.PackageType,
	} {
		if v != "" {
			top.values[k] = newEntry(v, top.source)
		}
	}
	next := *l
	next.layers = append(slices.Clip(l.layers), top)
	// These keys are in no map, so laying them over cannot fail.
	next.values = maps.Clone(l.values)
	maps.Copy(next.values, top.values)
	next.topologyIsKnown = true
	return &next
}

// Local is the configuration as it holds here, on the machine of the client.
func (l *Loaded) Local() (*Config, error) {
	return l.resolve(l.values)
}

// Cluster is the configuration as it holds inside a container: what derives
// from Heron's home and from the cluster directory lies below the folders
// that containers have them in.
func (l *Loaded) Cluster() (*Config, error) {
	values := maps.Clone(l.values)
	for here, there := range map[string]string{keyHome: keyClusterHome, keyConf: keyClusterConf} {
		if e, ok := l.values[there]; ok {
			values[here] = e
		}
	}
	return l.resolve(values)
}

func (l *Loaded) resolve(values map[string]*entry) (*Config, error) {
	for _, k := range sortedKeys(values) {
		if e := values[k]; e.oddKey {
			return nil, e.wrong(k, "this key is not a string", "put it in quotes")
		}
	}
	resolved, err := expand(values, l.opts.UserHome, l.opts.JavaHome)
	if err != nil {
		return nil, err
	}
	return &Config{values: resolved}, nil
}
