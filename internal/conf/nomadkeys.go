package conf

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// nomadKeys are what Nomad can do and the original could not say.
func nomadKeys() []string {
	return []string{
		keyNomadRegion,
		keyNomadNamespace,
		keyNomadToken,
		keyNomadTokenFile,
		keyNomadCACert,
		keyNomadCAPath,
		keyNomadClientCert,
		keyNomadClientKey,
		keyNomadServerName,
		keyNomadSkipVerify,

		"heron.nomad.node.pool",
		"heron.nomad.priority",
		keyConstraints,
		keyAffinities,
		keySpreads,
		keyNomadVariables,
		"heron.nomad.memory.max.percent",
		"heron.nomad.service.provider",
		"heron.nomad.shutdown.delay",
		"heron.nomad.disconnect.stop",
		"heron.nomad.protected",

		"heron.nomad.docker.auth.username",
		keyDockerPassword,
		keyDockerPasswordFile,
		"heron.nomad.docker.auth.server",
		"heron.nomad.docker.privileged",

		"heron.nomad.restart.attempts",
		"heron.nomad.restart.interval",
		"heron.nomad.restart.delay",
		"heron.nomad.restart.mode",
		"heron.nomad.reschedule.attempts",
		"heron.nomad.reschedule.interval",
		"heron.nomad.reschedule.delay",
		"heron.nomad.reschedule.delay.function",
		"heron.nomad.reschedule.max.delay",
		"heron.nomad.update.max.parallel",
		"heron.nomad.update.health.check",
		"heron.nomad.update.min.healthy.time",
		"heron.nomad.update.healthy.deadline",
		"heron.nomad.update.progress.deadline",
		"heron.nomad.update.auto.revert",
		"heron.nomad.logs.max.files",
		"heron.nomad.logs.max.file.size",
	}
}

const (
	keyHistory            = "heron.nomad.history"
	keyConstraints        = "heron.nomad.constraints"
	keyAffinities         = "heron.nomad.affinities"
	keySpreads            = "heron.nomad.spreads"
	keyNomadVariables     = "heron.nomad.env"
	keyDockerPassword     = "heron.nomad.docker.auth.password"      //nolint:gosec // a key's name
	keyDockerPasswordFile = "heron.nomad.docker.auth.password.file" //nolint:gosec // a key's name
)

// defaultHistory is how many earlier versions of a topology are kept.
const defaultHistory = 5

// nomadName is what Nomad accepts as the name of a namespace or node pool.
var nomadName = lazyregexp.New(`^[a-zA-Z0-9_-]{1,128}$`)

// nomadOptions reads what the original has no keys for.
func (r *reader) nomadOptions(n *Nomad) {
	r.access(n)
	n.Tunnel = r.tunnel("scheduler")
	n.ServiceProvider = r.oneOf("heron.nomad.service.provider", "consul", "consul", "nomad")
	n.DockerPrivileged = r.flag("heron.nomad.docker.privileged", false)
	n.DockerAuth = r.dockerAuth()
	n.Protected = r.flag("heron.nomad.protected", false)
	n.Place = r.nomadPlace()
	n.Policy = r.nomadPolicy()
	n.Variables = r.containerVariables()
	n.ShutdownDelay = r.atLeast("heron.nomad.shutdown.delay", 0, 3*time.Second)
	n.DisconnectStop = r.atLeast("heron.nomad.disconnect.stop", 0, time.Minute)
	if v, ok := r.number("heron.nomad.memory.max.percent", 100, 10_000); ok {
		n.MemoryMaxPercent = v
	}
	n.History = defaultHistory
	if v, ok := r.number(keyHistory, 0, 100); ok {
		n.History = v
	}
}

// number is a whole number within bounds, ok false where the key is not set.
func (r *reader) number(key string, least, most int) (int, bool) {
	n, ok, err := r.Int(key)
	r.fail(err)
	if ok && (n < least || n > most) {
		r.wrong(key, r.values[key].shown()+" is out of range", rangeText(least, most))
		return 0, false
	}
	return n, ok
}

// dockerAuth is the account at the registry. The password may stand in a file
// of the cluster directory, which is not packaged with it, or in one of its
// own.
func (r *reader) dockerAuth() *DockerAuth {
	const user = "heron.nomad.docker.auth.username"
	a := &DockerAuth{
		Username: r.text(user, ""),
		Server:   r.text("heron.nomad.docker.auth.server", ""),
	}
	from := keyDockerPassword
	a.Password = Secret(r.secretText(keyDockerPassword))
	if file := r.place(keyDockerPasswordFile, ""); file != "" {
		if a.Password != "" {
			r.wrong(keyDockerPasswordFile, keyDockerPassword+" is set too", "leave one of them out")
		}
		from = keyDockerPasswordFile
		a.Password = r.secretFrom(file, r.source(from), "the password")
	}
	switch {
	case a.Username == "" && a.Password == "":
		return nil
	case a.Username == "":
		r.wrong(from, "is set, but no user", "set "+user+" too")
	case a.Password == "":
		r.wrong(user, "is set, but no password", "set "+keyDockerPasswordFile+" too")
	}
	return a
}

// secretText is a secret in a file of the cluster. As a property of the caller
// it would be on a command line, where every user of this machine can read it.
func (r *reader) secretText(key string) string {
	s := r.rawText(key)
	if e := r.values[key]; s != "" && e.source.fromCaller() {
		r.wrong(key, "is a secret, and others could read it there", "use "+key+".file")
	}
	return s
}

// variableName is what a shell takes as the name of a variable.
var variableName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

// containerVariables reads further environment variables of containers.
// Heron's own stay as they are.
func (r *reader) containerVariables() map[string]string {
	const want = "a map of names and texts"
	v := r.structure(keyNomadVariables, want)
	m, ok := v.(mapping)
	if v != nil && !ok {
		r.wrong(keyNomadVariables, "is "+kindName(v), "give it "+want)
	}
	if len(m) == 0 {
		return nil
	}
	variables := make(map[string]string, len(m))
	for _, p := range m {
		name, _ := p.key.(string)
		value, ok := scalarText(p.value)
		switch {
		case !variableName.MatchString(name):
			r.wrong(keyNomadVariables, javaText(p.key)+" is not the name of a variable", "use letters, digits and _")
		case reservedVariable(name):
			r.wrong(keyNomadVariables, name+" is set by Heron or Nomad", "use a name that does not begin with HERON_ or NOMAD_, and is neither HOST nor METRICS_PORT_FILE")
		case !ok:
			r.wrong(keyNomadVariables, name+" is "+kindName(p.value), "give it text")
		case strings.ContainsRune(value, 0):
			r.wrong(keyNomadVariables, name+" holds a character that no variable can", "")
		}
		variables[name] = value
	}
	return variables
}

// reservedVariable tells the variables that containers get from Heron and Nomad.
func reservedVariable(name string) bool {
	return strings.HasPrefix(name, "HERON_") || strings.HasPrefix(name, "NOMAD_") || name == "HOST" || name == "METRICS_PORT_FILE"
}

// absolute is the path of a file of this machine; empty where it is not set.
func (r *reader) absolute(key string) string {
	p := r.place(key, "")
	if p != "" && !filepath.IsAbs(p) {
		r.wrong(key, p+" is not an absolute path", "begin it with / or ${HOME}/")
	}
	return p
}
