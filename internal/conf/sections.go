package conf

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

func (r *reader) packing() Packing {
	p := Packing{
		InstanceCPU:  take(r, 1.0)(r.Float64("heron.resources.instance.cpu")),
		InstanceRAM:  r.size("heron.resources.instance.ram"),
		InstanceDisk: r.size("heron.resources.instance.disk"),
	}
	if !(p.InstanceCPU > 0) {
		r.wrong("heron.resources.instance.cpu", "must be above zero", "")
	}
	chosen := r.choose("heron.class.packing.algorithm", packings)
	p.Class, p.Algorithm = chosen.class, chosen.short
	const repack = "heron.class.repacking.algorithm"
	if r.text(repack, "") != "" {
		chosen = r.choose(repack, packings)
	}
	p.RepackClass, p.Repack = chosen.class, chosen.short
	return p
}

func (r *reader) nomad() Nomad {
	r.choose("heron.class.scheduler", schedulers)
	if r.text("heron.class.launcher", "") != "" {
		r.choose("heron.class.launcher", launchers)
	}
	r.flag("heron.scheduler.is.service", true)
	n := Nomad{
		Datacenters:     r.datacenters("heron.nomad.datacenters"),
		Driver:          r.oneOf("heron.nomad.driver", "docker", "docker", "raw_exec"),
		MHzPerCore:      r.positive("heron.nomad.core.freq.mapping", 1000),
		WorkingDir:      r.workingDir("heron.scheduler.local.working.directory"),
		Script:          r.place(keyScript, filepath.Join(r.text(keyConf, ""), defaultScript)),
		KillTimeout:     r.span("heron.nomad.kill.timeout", time.Second, 30*time.Second),
		RequestDisk:     r.oneOf("heron.nomad.disk", "ignore", "ignore", "request") == "request",
		DockerImage:     r.text("heron.executor.docker.image", "apache/heron:latest"),
		DockerNetwork:   r.text("heron.nomad.network.mode", "default"),
		DockerVolumes:   r.dockerVolumes("heron.nomad.docker.volumes"),
		RegisterMetrics: r.flag("heron.nomad.metrics.service.register", false),
		CheckInterval:   r.checkSpan("heron.nomad.metrics.service.check.interval.sec", 10*time.Second),
		CheckTimeout:    r.checkSpan("heron.nomad.metrics.service.check.timeout.sec", 2*time.Second),
		ExtraTags:       r.list("heron.nomad.metrics.service.additional.tags", []string{""}),
		RequestTimeout:  r.span("heron.nomad.request.timeout", time.Second, 30*time.Second),
		StopTimeout:     r.span("heron.nomad.stop.timeout", time.Second, 2*time.Minute),
	}
	r.nomadOptions(&n)
	return n
}

func (r *reader) datacenters(key string) []string {
	var names []string
	for _, name := range r.list(key, []string{"*"}) {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		r.wrong(key, "names no data center", `list their names, or use "*" for all`)
	}
	return names
}

func (r *reader) workingDir(key string) string {
	dir := r.place(key, "")
	if dir != "" && !filepath.IsAbs(dir) && !strings.HasPrefix(dir, "${NOMAD_") {
		r.wrong(key, dir+" is not an absolute path", "begin it with / or ${HOME}/, or leave the key out: containers then live in their task's folder")
	}
	return dir
}

var sha256Form = lazyregexp.New(`^(?:[0-9a-f]{64})?$`)

func (r *reader) core() Core {
	c := Core{
		UseURI:    r.flag("heron.package.use_core_uri", true),
		URI:       r.place("heron.package.core.uri", ""),
		Directory: r.place("heron.package.core.directory", ""),
		SHA256:    strings.ToLower(r.text("heron.package.core.sha256", "")),
	}
	scheme, _, hasScheme := strings.Cut(c.URI, "://")
	switch {
	case !c.UseURI:
		if !filepath.IsAbs(c.Directory) {
			r.wrong("heron.package.core.directory", c.Directory+" is not an absolute path", "name the folder on the nodes that holds bin/ and lib/ of heron-core")
		}
	case hasScheme && scheme != "file" && scheme != "http" && scheme != "https" && scheme != "s3":
		r.wrong("heron.package.core.uri", "unknown scheme "+scheme, "use file://, http://, https:// or s3://")
	case !hasScheme && !filepath.IsAbs(c.URI):
		r.wrong("heron.package.core.uri", c.URI+" is neither a URI nor an absolute path", "use file://, http:// or https://")
	}
	if hasScheme && strings.ContainsFunc(c.URI, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		r.wrong("heron.package.core.uri", strconv.Quote(c.URI)+" has a blank or a control character, which no URI has", "write a blank as %20")
	}
	if holdsPassword(c.URI) {
		r.wrong("heron.package.core.uri", "has a password in it, which everybody who may read the job could read", "leave it out, and give the nodes what they need to fetch it")
	}
	if !sha256Form.MatchString(c.SHA256) {
		r.wrong("heron.package.core.sha256", "is not a SHA-256 digest", "give its 64 hexadecimal digits, or leave it empty")
	}
	return c
}

func (r *reader) release() Release {
	return Release{
		Version:   r.text("heron.build.version", ""),
		Time:      r.text("heron.build.time", ""),
		Timestamp: r.text("heron.build.timestamp", ""),
		Host:      r.text("heron.build.host", ""),
		User:      r.text("heron.build.user", ""),
	}
}

func (r *reader) executor() Executor {
	x := Executor{
		StatemgrFile:          r.text(keyStatemgr, ""),
		InternalsFile:         r.text(keyInternals, ""),
		OverrideFile:          r.text(keyOverride, ""),
		MetricsFile:           r.text(keyMetrics, ""),
		StatefulFile:          r.text(keyStateful, ""),
		ExecutorBinary:        r.text("heron.binaries.executor", ""),
		TManagerBinary:        r.text("heron.binaries.tmanager", ""),
		StmgrBinary:           r.text("heron.binaries.stmgr", ""),
		ShellBinary:           r.text("heron.binaries.shell", ""),
		PythonBinary:          r.text("heron.binaries.python.instance", ""),
		CPPBinary:             r.text("heron.binaries.cpp.instance", ""),
		DownloaderBinary:      r.text("heron.binaries.downloader", ""),
		MetricsClasspath:      r.text("heron.classpath.metrics.manager", ""),
		InstanceClasspath:     r.text("heron.classpath.instance", ""),
		SchedulerClasspath:    r.text("heron.classpath.scheduler", ""),
		PackingClasspath:      r.text("heron.classpath.packing", ""),
		StatemgrClasspath:     r.text("heron.classpath.statemgr", ""),
		MetricsCacheClasspath: r.text("heron.classpath.metricscache.manager", ""),
		CkptmgrClasspath:      r.text("heron.classpath.ckptmgr", ""),
		StatefulClasspath:     r.text("heron.classpath.statefulstorage", ""),
		HealthmgrClasspath:    r.text("heron.classpath.healthmgr", ""),
		MetricsCacheMode:      r.text("heron.topology.metricscachemgr.mode", "disabled"),
		HealthmgrMode:         r.text("heron.topology.healthmgr.mode", "disabled"),
		JavaHome:              r.text("heron.directory.sandbox.java.home", ""),
		VerboseGC:             r.flag("heron.config.verbose_gc", false),
		ClusterHome:           r.text(keyClusterHome, ""),
		ClusterConf:           r.text(keyClusterConf, ""),
	}
	if x.JavaHome != "$JAVA_HOME" && x.JavaHome != "${JAVA_HOME}" && !filepath.IsAbs(x.JavaHome) {
		r.wrong("heron.directory.sandbox.java.home", x.JavaHome+" is not an absolute path", "name the Java home on the nodes, or use $JAVA_HOME: each node then takes its own")
	}
	// Class paths of containers begin with it.
	if strings.Contains(x.ClusterHome, ":") {
		r.wrong(keyClusterHome, x.ClusterHome+" has a colon, at which class paths are split", "name another folder, such as ./heron-core")
	}
	x.StatefulCustomClasspath = r.statefulClasspath()
	x.StatefulStorage = r.statefulStorage()
	return x
}

// statefulStorage is a digest of where and how checkpoints are kept; "" where
// nothing is said about it. How many are, and the class path, do not count.
func (r *reader) statefulStorage() string {
	var said mapping
	for _, key := range []string{"heron.statefulstorage.classname", "heron.statefulstorage.config"} {
		e, ok := r.lookup(key)
		if !ok {
			continue
		}
		value := e.value
		if m, is := value.(mapping); is {
			value = slices.DeleteFunc(slices.Clone(m), func(p pair) bool {
				return p.key == "heron.statefulstorage.localfs.max.checkpoints" || p.key == "heron.statefulstorage.custom.classpath"
			})
		}
		said = append(said, pair{key: key, value: value})
	}
	if len(said) == 0 {
		return ""
	}
	sum := sha256.Sum256(emit(said))
	return hex.EncodeToString(sum[:])
}

// statefulClasspath is the user's own part of the checkpoint manager's class
// path. Only a key inside the storage's own map sets it.
func (r *reader) statefulClasspath() string {
	const storage = "heron.statefulstorage.config"
	e, ok := r.lookup(storage)
	if !ok {
		return ""
	}
	m, ok := e.value.(mapping)
	if !ok {
		r.wrong(storage, "is "+kindName(e.value), "give it a map")
		return ""
	}
	v, _ := m.get("heron.statefulstorage.custom.classpath")
	if v == nil {
		return ""
	}
	text, ok := scalarText(v)
	if !ok {
		r.wrong(storage, "heron.statefulstorage.custom.classpath is "+kindName(v), "give it text")
	}
	return text
}
