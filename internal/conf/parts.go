package conf

import (
	"slices"
	"strings"
)

// part is one implementation that a key can choose, by the Java class that
// the original loads or by a short name.
type part struct {
	short, class string
	// supported says that this version has it; known without being supported
	// makes for a better message.
	supported bool
}

const (
	zookeeperClass = "org.apache.heron.statemgr.zookeeper.curator.CuratorStateManager"
	localfsClass   = "org.apache.heron.statemgr.localfs.LocalFileSystemStateManager"
)

var (
	stateManagers = []part{
		{"zookeeper", zookeeperClass, true},
		{"localfs", localfsClass, true},
	}
	uploaders = []part{
		{"localfs", "org.apache.heron.uploader.localfs.LocalFileSystemUploader", true},
		{"http", "org.apache.heron.uploader.http.HttpUploader", true},
		{"s3", "org.apache.heron.uploader.s3.S3Uploader", true},
		{"scp", "org.apache.heron.uploader.scp.ScpUploader", true},
		{"hdfs", "org.apache.heron.uploader.hdfs.HdfsUploader", false},
		{"gcs", "org.apache.heron.uploader.gcs.GcsUploader", false},
		{"dlog", "org.apache.heron.uploader.dlog.DLUploader", false},
	}
	packings = []part{
		{"roundrobin", "org.apache.heron.packing.roundrobin.RoundRobinPacking", true},
		{"roundrobinv2", "org.apache.heron.packing.roundrobin.RoundRobinPackingV2", true},
		{"resourcecompliant", "org.apache.heron.packing.roundrobin.ResourceCompliantRRPacking", true},
		{"firstfit", "org.apache.heron.packing.binpacking.FirstFitDecreasingPacking", true},
	}
	schedulers = []part{{"nomad", "org.apache.heron.scheduler.nomad.NomadScheduler", true}}
	launchers  = []part{{"nomad", "org.apache.heron.scheduler.nomad.NomadLauncher", true}}
)

// choose finds the part that a value names.
func choose(parts []part, e *entry, key, value string) (part, error) {
	i := slices.IndexFunc(parts, func(p part) bool { return p.short == value || p.class == value })
	if i >= 0 && parts[i].supported {
		return parts[i], nil
	}
	var valid []string
	for _, p := range parts {
		if p.supported {
			valid = append(valid, p.short+" ("+p.class+")")
		}
	}
	hint := "use " + strings.Join(valid, " or ")
	if i >= 0 {
		return part{}, e.wrong(key, value+" is not supported by this version", hint)
	}
	return part{}, e.wrong(key, "unknown class "+value, hint)
}
