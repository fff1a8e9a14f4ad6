package conf

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// minimal is the least that settings need.
var minimal = map[string]string{
	"scheduler.yaml": "heron.class.scheduler: nomad\n",
	"packing.yaml":   "heron.class.packing.algorithm: roundrobin\n",
	"uploader.yaml":  "heron.class.uploader: localfs\n",
	"statemgr.yaml":  "heron.class.state.manager: zookeeper\nheron.statemgr.connection.string: zk1:2181,zk2:2182\nheron.statemgr.root.path: /heron\n",
}

// with lays files over the minimal ones.
func with(files map[string]string) map[string]string {
	out := map[string]string{}
	for name, text := range minimal {
		out[name] = text
	}
	for name, text := range files {
		out[name] = text
	}
	return out
}

func TestSettingsHaveDefaults(t *testing.T) {
	s, err := resolved(t, with(nil)).Settings()
	if err != nil {
		t.Fatal(err)
	}
	nomad := s.Nomad
	nomad.Script = ""
	nomad.Access, nomad.AddressFrom, s.State.ServersFrom = Access{}, Source{}, Source{}
	if diff := cmp.Diff(Nomad{
		Address: "http://127.0.0.1:4646", Datacenters: []string{"*"}, Driver: "docker", MHzPerCore: 1000,
		KillTimeout: 30 * time.Second, DockerImage: "apache/heron:latest", DockerNetwork: "default",
		CheckInterval: 10 * time.Second, CheckTimeout: 2 * time.Second, ExtraTags: []string{""},
		RequestTimeout: 30 * time.Second, StopTimeout: 2 * time.Minute, History: 5,
		ServiceProvider: "consul", Policy: DefaultNomadPolicy(), ShutdownDelay: 3 * time.Second, DisconnectStop: time.Minute,
	}, nomad); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(State{
		Kind: "zookeeper", Connection: "zk1:2181,zk2:2182", Servers: []string{"zk1:2181", "zk2:2182"}, ClientServers: []string{"zk1:2181", "zk2:2182"}, Root: "/heron",
		InitTree: true, SessionTimeout: 30 * time.Second, ConnectTimeout: 30 * time.Second, RetryCount: 10, RetryInterval: 10 * time.Second,
	}, s.State); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Core{UseURI: true, URI: "/opt/heron/dist/heron-core.tar.gz", Directory: "/opt/heron/dist/heron-core"}, s.Core); diff != "" {
		t.Error(diff)
	}
	const roundRobin = "org.apache.heron.packing.roundrobin.RoundRobinPacking"
	if diff := cmp.Diff(Packing{
		Class: roundRobin, RepackClass: roundRobin, Algorithm: "roundrobin", Repack: "roundrobin",
		InstanceCPU: 1, InstanceRAM: 1 << 30, InstanceDisk: 1 << 30,
	}, s.Packing); diff != "" {
		t.Error(diff)
	}
	if s.Upload.LocalDir != "/home/alice/.herondata/repository" {
		t.Errorf("packages go to %s", s.Upload.LocalDir)
	}
	if s.Executor.JavaHome != "/usr/lib/jvm/default-java" || s.Executor.MetricsCacheMode != "disabled" || s.Executor.HealthmgrMode != "disabled" {
		t.Errorf("executor: %+v", s.Executor)
	}
}

func TestSettingsReadValuesInAnyForm(t *testing.T) {
	s, err := resolved(t, with(map[string]string{
		"cluster.yaml": "heron.resources.instance.ram: 512MB\nheron.resources.instance.cpu: '0.5'\nheron.resources.instance.disk: '1073741824'\n" +
			"heron.nomad.metrics.service.register: \"True\"\nheron.nomad.metrics.service.additional.tags: [a, b]\nheron.nomad.datacenters: dc1, dc2\n" +
			"heron.nomad.kill.timeout: 45\nheron.nomad.stop.timeout: 5m\nheron.nomad.core.freq.mapping: \"2500\"\nheron.nomad.disk: request\n" +
			"heron.nomad.metrics.service.check.interval.sec: 15\nheron.statemgr.zookeeper.session.timeout.ms: 5s\nheron.config.is.role.required: yes\n" +
			"heron.scheduler.local.working.directory: ${HOME}/wd/${ROLE}/${TOPOLOGY_ID}\nheron.directory.sandbox.java.home: $JAVA_HOME\n" +
			"heron.statefulstorage.config: {heron.statefulstorage.custom.classpath: extra/*}\n",
	})).ForTopology(Topology{ID: "wc-1"}).Settings()
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		s.Packing.InstanceRAM, s.Packing.InstanceCPU, s.Packing.InstanceDisk, s.Nomad.RegisterMetrics, strings.Join(s.Nomad.ExtraTags, " "),
		strings.Join(s.Nomad.Datacenters, " "), s.Nomad.KillTimeout, s.Nomad.StopTimeout, s.Nomad.MHzPerCore, s.Nomad.RequestDisk,
		s.Nomad.CheckInterval, s.State.SessionTimeout, s.RoleRequired, s.Nomad.WorkingDir, s.Executor.JavaHome, s.Executor.StatefulCustomClasspath,
	}
	want := []any{
		int64(512 << 20), 0.5, int64(1 << 30), true, "a b",
		"dc1 dc2", 45 * time.Second, 5 * time.Minute, 2500, true,
		15 * time.Second, 5 * time.Second, true, "/home/alice/wd/ads/wc-1", "$JAVA_HOME", "extra/*",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSettingsRefuse lists mistakes with what their message must name.
func TestSettingsRefuse(t *testing.T) {
	for line, want := range map[string]string{
		"heron.class.scheduler: org.apache.heron.scheduler.yarn.YarnScheduler": "use nomad",
		"heron.class.launcher: x.Y":                                          "unknown class x.Y",
		"heron.class.uploader: gcs":                                          "not supported by this version; use localfs",
		"heron.class.uploader: org.apache.heron.uploader.hdfs.HdfsUploader":  "not supported by this version",
		"heron.class.uploader: ftp":                                          "unknown class ftp",
		"heron.class.state.manager: etcd":                                    "use zookeeper",
		"heron.class.packing.algorithm: com.example.Mine":                    "use roundrobin",
		"heron.class.repacking.algorithm: sideways":                          "use roundrobin",
		"heron.nomad.driver: podman":                                         "use docker or raw_exec",
		"heron.nomad.disk: maybe":                                            "use ignore or request",
		"heron.nomad.scheduler.uri: 127.0.0.1:4647":                          "write it as http://host:4646",
		"heron.nomad.core.freq.mapping: 0":                                   "must be above zero",
		"heron.nomad.core.freq.mapping: fast":                                "not a whole number",
		"heron.nomad.metrics.service.register: maybe":                        "use true or false",
		"heron.nomad.kill.timeout: soon":                                     "use a number of seconds or a unit",
		"heron.nomad.datacenters: [[a]]":                                     "holds a list",
		"heron.nomad.datacenters: ','":                                       "names no data center",
		"heron.resources.instance.ram: 1 apple":                              "use bytes, or a unit",
		"heron.resources.instance.cpu: .nan":                                 "must be above zero",
		"heron.statemgr.connection.string: zk1":                              "write host:port",
		"heron.statemgr.connection.string: 'zk1:2181,'":                      "is not a server",
		"heron.statemgr.connection.string: zk1:2181/chroot":                  "heron.statemgr.root.path",
		"heron.statemgr.root.path: heron":                                    "begin it with /",
		"heron.statemgr.root.path: /${ROLE}/heron":                           "executors cannot replace ${ROLE}",
		"heron.statemgr.root.path: /heron-${CLUSTER}":                        "a whole component",
		"heron.statemgr.root.path: /~x":                                      "~ is glued to other text",
		"heron.statemgr.zookeeper.retry.count: -1":                           "must not be below zero",
		"heron.uploader.localfs.file.system.directory: repo":                 "begin it with /",
		"heron.uploader.localfs.file.system.directory: ${HOME}/${NOBODY}":    "unknown token ${NOBODY}",
		"heron.uploader.localfs.file.system.directory: ${HOME}/a-${CLUSTER}": "a whole component",
		"heron.scheduler.local.working.directory: wd":                        "begin it with /",
		"heron.package.core.uri: ftp://h/core.tar.gz":                        "unknown scheme ftp",
		"heron.package.core.uri: core.tar.gz":                                "neither a URI nor an absolute path",
		"heron.package.core.sha256: abc":                                     "64 hexadecimal digits",
		"heron.package.use_core_uri: sometimes":                              "use true or false",
		"heron.directory.sandbox.java.home: jdk":                             "use $JAVA_HOME",
		"heron.statefulstorage.config: text":                                 "give it a map",
		"heron.config.verbose_gc: 5":                                         "use true or false",
	} {
		key, _, _ := strings.Cut(line, ":")
		_, err := resolved(t, with(map[string]string{"override.yaml": "\n" + line + "\n"})).Settings()
		wantError(t, line, err)
		if err == nil {
			continue
		}
		for _, part := range []string{"override.yaml:2: " + key, want} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q in it", line, err, part)
			}
		}
	}
}

func TestSettingsRefuseWhatIsMissing(t *testing.T) {
	for file, want := range map[string]string{
		"scheduler.yaml": "heron.class.scheduler: missing; set it to nomad",
		"packing.yaml":   "heron.class.packing.algorithm: missing; set it to roundrobin",
		"uploader.yaml":  "heron.class.uploader: missing; set it to localfs",
		"statemgr.yaml":  "heron.class.state.manager: missing; set it to zookeeper or localfs",
	} {
		_, err := resolved(t, with(map[string]string{file: ""})).Settings()
		wantError(t, "without "+file, err)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v, want %q in it", file, err, want)
		}
	}
}

func TestPropertiesReachClientAndExecutor(t *testing.T) {
	s, err := resolved(t, with(nil),
		"heron.statemgr.connection.string=other:1", "heron.binaries.executor=${HERON_BIN}/mine",
		"heron.nomad.driver=raw_exec", "heron.scheduler.is.service=False", "heron.package.core.uri=http://h/c?a=b=c",
	).Settings()
	if err != nil {
		t.Fatal(err)
	}
	if s.State.Connection != "other:1" || s.Executor.ExecutorBinary != "./heron-core/bin/mine" || s.Nomad.Driver != "raw_exec" || s.Core.URI != "http://h/c?a=b=c" {
		t.Errorf("%q %q %q %q", s.State.Connection, s.Executor.ExecutorBinary, s.Nomad.Driver, s.Core.URI)
	}
	for _, bad := range []string{"novalue", "=x", " =x", "", "a\xff=b"} {
		_, err := load(t, with(nil), bad)
		wantError(t, bad, err)
	}
}

func TestIdentityWinsOverFiles(t *testing.T) {
	s, err := resolved(t, with(map[string]string{"override.yaml": "heron.config.role: other\n"}), "heron.config.environ=other").Settings()
	if err != nil || s.Role != "ads" || s.Environ != "prod" || s.Cluster != "nomad" || s.User != "alice" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestKeysKeepTheirCaseAndDots(t *testing.T) {
	c, err := resolved(t, map[string]string{
		"client.yaml":   "My.Key: a\nmy.key: b\nmy: {key: c, KEY: {X.y: d}}\nÄ.^x: e\n",
		"cluster.yaml":  "my: {other: 1}\nMY.KEY: f\n",
		"override.yaml": "MY.KEY: ~\n",
	}).Local()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"My.Key": "a", "my.key": "b", "Ä.^x": "e"} {
		if got, _, _ := c.String(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if _, ok, _ := c.String("MY.KEY"); ok {
		t.Error("a key without value has one")
	}
	want := mapping{{key: "key", value: "c"}, {key: "KEY", value: mapping{{key: "X.y", value: "d"}}}}
	if diff := cmp.Diff(typed(want), typed(c.values["my"].value)); diff != "" {
		t.Error(diff)
	}
}
