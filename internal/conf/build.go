package conf

import (
	"slices"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// reader turns keys of one configuration into values and keeps the first
// mistake, so that settings are written down like a table.
type reader struct {
	*Config
	// topologyIsKnown is false before there is a topology: its tokens may
	// then stay.
	topologyIsKnown bool
	userHome        string
	// raw are the values before tokens were replaced, opts what was asked for.
	raw  map[string]*entry
	opts Options
	// dir is the cluster directory, named where a key is in no file.
	dir string
	err error
	// warnings are what is no error.
	warnings []*Error
}

func (r *reader) fail(err error) {
	if r.err == nil && err != nil {
		r.err = err
	}
}

// wrong notes a mistake in a key's value.
func (r *reader) wrong(key, msg, hint string) {
	r.fail(&Error{Source: r.source(key), Key: key, Msg: msg, Hint: hint})
}

// source is where the value of a key comes from.
func (r *reader) source(key string) Source {
	if e, ok := r.values[key]; ok && e.source.Kind != DefaultSource {
		return e.source.of(key)
	}
	return Source{Kind: DefaultSource, Key: key, Name: r.dir}
}

func (r *reader) text(key, fallback string) string {
	return take(r, fallback)(r.String(key))
}

func (r *reader) flag(key string, fallback bool) bool {
	return take(r, fallback)(r.Bool(key))
}

// positive is a whole number above zero.
func (r *reader) positive(key string, fallback int) int {
	n := take(r, fallback)(r.Int(key))
	if n <= 0 {
		r.wrong(key, "must be above zero", "")
	}
	return n
}

func (r *reader) size(key string) int64 {
	n := take(r, int64(gibibyte))(r.Bytes(key))
	if n <= 0 {
		r.wrong(key, "must be above zero", "")
	}
	return n
}

// span is a time above zero.
func (r *reader) span(key string, unit, fallback time.Duration) time.Duration {
	d := take(r, fallback)(r.Duration(key, unit))
	if d <= 0 {
		r.wrong(key, "must be above zero", "")
	}
	return d
}

func (r *reader) list(key string, fallback []string) []string {
	values, ok, err := r.List(key)
	r.fail(err)
	if !ok {
		return fallback
	}
	return values
}

func (r *reader) oneOf(key, fallback string, valid ...string) string {
	s := r.text(key, fallback)
	if !slices.Contains(valid, s) {
		r.wrong(key, "unknown value "+s, "use "+strings.Join(valid, " or "))
	}
	return s
}

// choose reads a key that names a part.
func (r *reader) choose(key string, parts []part) part {
	value := r.text(key, "")
	if value == "" {
		var names []string
		for _, p := range parts {
			if p.supported {
				names = append(names, p.short)
			}
		}
		r.wrong(key, "missing", "set it to "+strings.Join(names, " or "))
		return part{}
	}
	p, err := choose(parts, r.values[key], key, value)
	r.fail(err)
	return p
}

var leftToken = lazyregexp.New(`\$\{([A-Za-z_]+)\}`)

// place is text in which every token must have found its value, such as a
// path: what is left of one is a misspelling.
func (r *reader) place(key, fallback string) string {
	s := r.text(key, fallback)
	for _, m := range leftToken.FindAllStringSubmatch(s, -1) {
		name := m[1]
		named, ok := keyNamed(name)
		switch {
		case strings.HasPrefix(name, "NOMAD_"):
		case ok && strings.HasPrefix(named, "heron.topology.") && !r.topologyIsKnown:
		case name == "HOME" || name == "JAVA_HOME" || ok:
			r.wrong(key, m[0]+" has not been replaced", "a token must be a whole component between slashes, have a value, and not lead back to itself")
		default:
			r.wrong(key, "unknown token "+m[0], "use ${HOME}, ${CLUSTER}, ${ROLE}, ${ENVIRON}, ${TOPOLOGY}, ${TOPOLOGY_ID}, ${HERON_HOME}, ${HERON_CONF}, ${HERON_DIST} or the like")
		}
	}
	return s
}

// take hands on what a getter returned, or the fallback.
func take[T any](r *reader, fallback T) func(T, bool, error) T {
	return func(v T, ok bool, err error) T {
		r.fail(err)
		if !ok {
			return fallback
		}
		return v
	}
}

// Settings checks the values that the program works with and returns them.
// The executor's come from the cluster's view, all others from the local one.
// Keys as such are checked by Check.
func (l *Loaded) Settings() (*Settings, error) {
	localConfig, err := l.Local()
	if err != nil {
		return nil, err
	}
	clusterConfig, err := l.Cluster()
	if err != nil {
		return nil, err
	}
	local := &reader{Config: localConfig, topologyIsKnown: l.topologyIsKnown, userHome: l.opts.UserHome, dir: l.opts.Dir, raw: l.values, opts: l.opts}
	cluster := &reader{Config: clusterConfig, topologyIsKnown: l.topologyIsKnown, userHome: l.opts.UserHome, dir: l.opts.Dir}
	s := &Settings{
		Cluster: local.text("heron.config.cluster", ""),
		Role:    local.text("heron.config.role", ""),
		Environ: local.text("heron.config.environ", ""),
		User:    local.text("heron.config.submit_user", ""),
		Via:     l.opts.Via,
		// The first spelling is the one that is read, the second the documented.
		RoleRequired:    local.flag("heron.config.is.role.required", local.flag("heron.config.role.required", false)),
		EnvironRequired: local.flag("heron.config.is.env.required", local.flag("heron.config.env.required", false)),
		State:           local.state(),
		Upload:          local.upload(),
		Packing:         local.packing(),
		Nomad:           local.nomad(),
		Executor:        cluster.executor(),
		Core:            local.core(),
		Release:         local.release(),
	}
	s.Executor.LocalConf = local.text(keyConf, "")
	s.Warnings = local.warnings
	for _, err := range []error{local.err, cluster.err, l.checkExecutorState()} {
		if err != nil {
			return nil, err
		}
	}
	if s.Executor.MetricsPortFile, err = l.metricsPortFile(); err != nil {
		return nil, err
	}
	return s, nil
}
