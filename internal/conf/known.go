package conf

import (
	"maps"
	"strings"

	"github.com/heron-nomad/heron/internal/nearest"
)

// otherKeys are known beside the key table and heron_internals.yaml: keys
// that the client reads by their text, and keys that are in common use though
// nothing reads them.
var otherKeys = [...]string{
	"heron.apiserver.http.download.hostname",
	"heron.apiserver.http.file.system.directory",
	"heron.build.git.revision",
	"heron.build.git.status",
	"heron.config.is.env.required",
	"heron.config.is.role.required",
	"heron.config.env.required",
	"heron.config.role.required",
	"heron.executor.docker.image",

	"heron.nomad.core.freq.mapping",
	"heron.nomad.datacenters",
	"heron.nomad.disk",
	"heron.nomad.docker.volumes",
	"heron.nomad.driver",
	keyHistory,
	"heron.nomad.kill.timeout",
	"heron.nomad.metrics.service.additional.tags",
	"heron.nomad.metrics.service.check.interval.sec",
	"heron.nomad.metrics.service.check.timeout.sec",
	"heron.nomad.metrics.service.register",
	"heron.nomad.network.mode",
	"heron.nomad.request.timeout",
	"heron.nomad.scheduler.uri",
	"heron.nomad.stop.timeout",
	"heron.package.core.sha256",
	keyScript,
	"heron.scheduler.local.use_core_uri",
	"heron.scheduler.local.working.directory",

	"heron.statemgr.localfs.is.initialize.file.tree",
	"heron.statemgr.zookeeper.connection.timeout.ms",
	"heron.statemgr.zookeeper.is.initialize.tree",
	"heron.statemgr.zookeeper.retry.count",
	"heron.statemgr.zookeeper.retry.interval.ms",
	"heron.statemgr.zookeeper.session.timeout.ms",

	"heron.ckptmgr.network.options.maximum.packetsize.bytes",
	"heron.ckptmgr.network.options.socket.receive.buffer.size.bytes",
	"heron.ckptmgr.network.options.socket.send.buffer.size.bytes",
	"heron.ckptmgr.network.read.batch.size.bytes",
	"heron.ckptmgr.network.read.batch.time.ms",
	"heron.ckptmgr.network.write.batch.size.bytes",
	"heron.ckptmgr.network.write.batch.time.ms",
	"heron.statefulstorage.localfs.max.checkpoints",
	"heron.statefulstorage.localfs.root.path",
	"heron.statefulstorage.classpath",
}

// openPrefix begins keys that are not listed here: the health manager's
// policies name their own.
const openPrefix = "heron.healthmgr."

// notesPrefix begins keys of the client itself.
const notesPrefix = "heron.config."

// ourPrefix begins the keys that must be known; all others are the user's.
const ourPrefix = "heron."

func knownKeys() map[string]bool {
	known := make(map[string]bool, 400)
	for _, k := range keyTable {
		known[k.key] = true
	}
	for _, k := range internalsKeys {
		known[k] = true
	}
	for _, k := range otherKeys {
		known[k] = true
	}
	for _, k := range nomadKeys() {
		known[k] = true
	}
	for _, k := range zooKeeperKeys {
		known[k] = true
	}
	for _, k := range uploadKeys() {
		known[k] = true
	}
	for _, system := range []string{"statemgr", "scheduler"} {
		for _, k := range tunnelKeys {
			known[tunnelKey(system, k)] = true
		}
	}
	return known
}

// unknown says whether a key claims to be Heron's and is not. Below
// "heron.config." the client itself puts what it was asked for; what else is
// directly below it are users' own notes, which no process reads.
func unknown(known map[string]bool, key string) bool {
	if note, ok := strings.CutPrefix(key, notesPrefix); ok && !strings.Contains(note, ".") {
		return false
	}
	return strings.HasPrefix(key, ourPrefix) && !strings.HasPrefix(key, openPrefix) && !known[key]
}

// nearestKey is the known key that was probably meant.
func nearestKey(known map[string]bool, key string) string {
	name, _ := nearest.Name(key, maps.Keys(known))
	return name
}

// Check refuses what Load lets pass: keys below "heron." that do not exist,
// keys that are not text, and a heron_internals.yaml that lacks keys without
// which the engine would not start. Keys with other prefixes are the user's own.
func (l *Loaded) Check() error {
	known := knownKeys()
	for _, layer := range l.layers {
		if layer.rank == rankDefault {
			continue
		}
		if err := checkKeys(known, layer.values); err != nil {
			return err
		}
	}
	if err := checkKeys(known, entries(l.internalsPath, l.internals)); err != nil {
		return err
	}
	if err := l.checkInternals(); err != nil {
		return err
	}
	return l.checkStateful()
}

func checkKeys(known map[string]bool, values map[string]*entry) error {
	for _, k := range sortedKeys(values) {
		e := values[k]
		if e.oddKey {
			return e.wrong(k, "this key is not a string", "put it in quotes")
		}
		if unknown(known, k) {
			return e.wrong(k, "unknown key", "did you mean "+nearestKey(known, k)+"? Keys of your own need a prefix other than "+ourPrefix)
		}
	}
	return nil
}

// override is what the package's override.yaml says about a key.
func (l *Loaded) override(key string) (*entry, bool) {
	for i := len(l.overrides) - 1; i >= 0; i-- {
		if e, ok := l.overrides[i].values[key]; ok {
			return e, true
		}
	}
	return nil, false
}
