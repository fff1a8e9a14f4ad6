package jobspec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
)

// dockerSpec is someSpec in images.
func dockerSpec() Spec {
	s := someSpec()
	s.Settings.Nomad.Driver = "docker"
	s.Settings.Nomad.DockerImage, s.Settings.Nomad.DockerNetwork = "apache/heron:0.20.5", "default"
	s.Settings.Executor.DownloaderBinary = "./heron-core/bin/heron-downloader"
	s.Settings.Executor.LocalConf = "/home/alice/.heron/conf/local"
	s.Settings.Executor.ClusterHome, s.Settings.Executor.ClusterConf = "./heron-core", "./heron-conf"
	return s
}

func TestDockerTask(t *testing.T) {
	for _, mode := range []string{"default", "host", "bridge", "my_net-1.x"} {
		t.Run(mode, func(t *testing.T) {
			s := dockerSpec()
			s.Settings.Nomad.DockerNetwork = mode
			job := mustBuild(t, s)
			task := job.TaskGroups[0].Tasks[0]
			if task.Driver != "docker" || task.KillSignal != "SIGTERM" || task.Templates[0].DestPath == nil {
				t.Errorf("driver %q, ended by %q, templates %v", task.Driver, task.KillSignal, task.Templates)
			}
			// No mode and no port of the container's own: what a process
			// announces is the node's port in every mode.
			if n := job.TaskGroups[0].Networks[0]; n.Mode != "" || slices.ContainsFunc(n.DynamicPorts, func(p api.Port) bool { return p.To != 0 }) {
				t.Errorf("network of the group: %+v", n)
			}
			ports := texts(task.Config["ports"])
			slices.Sort(ports)
			c := Expand(job, 2)
			if diff := cmp.Diff(c.Ports, ports); diff != "" {
				t.Errorf("published ports (-asked for +published):\n%s", diff)
			}
			if c.Image != "apache/heron:0.20.5" || c.NetworkMode != mode || c.Command != "/bin/sh" {
				t.Errorf("image %q, network %q, command %q", c.Image, c.NetworkMode, c.Command)
			}
			if want := []string{"${NOMAD_TASK_DIR}/run_heron_executor.sh", "./heron-core/bin/heron-executor"}; !slices.Equal(c.Args[:2], want) {
				t.Errorf("arguments start with %q, want %q", c.Args[:2], want)
			}
			want := map[string]string{
				"HOST":                          "${attr.unique.network.ip-address}",
				"HERON_NOMAD_WORKING_DIR":       "${NOMAD_TASK_DIR}/container-2",
				"HERON_USE_CORE_PACKAGE_URI":    "false",
				"HERON_CORE_PACKAGE_DIR":        "heron-core",
				"HERON_EXECUTOR_CMD":            c.Env["HERON_EXECUTOR_CMD"],
				"HERON_TOPOLOGY_DOWNLOAD_CMD":   "./heron-core/bin/heron-downloader -u file:///packages/wc.tar.gz -f . -m local -p ./heron-conf -d ./heron-core",
				"HERON_TOPOLOGY_PACKAGE_URI":    "file:///packages/wc.tar.gz",
				"HERON_TOPOLOGY_PACKAGE_FILE":   "/packages/wc.tar.gz",
				"HERON_TOPOLOGY_PACKAGE_SHA256": c.Env["HERON_TOPOLOGY_PACKAGE_SHA256"],
			}
			if diff := cmp.Diff(want, c.Env); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDockerTaskWithAMetricsSink(t *testing.T) {
	s := dockerSpec()
	s.Settings.Executor.MetricsPortFile = "port_file"
	job := mustBuild(t, s)
	if got := job.TaskGroups[0].Tasks[0]; got.Env["METRICS_PORT_FILE"] != "port_file" || !slices.Contains(texts(got.Config["ports"]), "metrics_port") {
		t.Errorf("no port for the sink: %v, %v", got.Env, got.Config)
	}
}

// Nomad fetches the package into the container's own folder. The core is the
// image's, wherever the configuration says that nodes have one.
func TestDockerFetchesThePackageOnly(t *testing.T) {
	s := dockerSpec()
	s.PackageURI = "https://repo/wc.tar.gz"
	s.Settings.Core.URI = "https://repo/heron-core.tar.gz"
	s.Settings.Nomad.WorkingDir = "/home/alice/.herondata"
	task := mustBuild(t, s).TaskGroups[0].Tasks[0]
	if len(task.Artifacts) != 1 || *task.Artifacts[0].GetterSource != "https://repo/wc.tar.gz" {
		t.Errorf("artifacts %+v, want the package", task.Artifacts)
	}
	if got := task.Env["HERON_TOPOLOGY_PACKAGE_FILE"]; got != "${NOMAD_TASK_DIR}/topology.tar.gz" {
		t.Errorf("the package is at %s", got)
	}
	if got := task.Env["HERON_NOMAD_WORKING_DIR"]; got != "${NOMAD_TASK_DIR}/container-${NOMAD_ALLOC_INDEX}" {
		t.Errorf("working directory %s is not the container's own", got)
	}
}

func TestDockerRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Spec)
		what   string
	}{
		"no network":                {func(s *Spec) { s.Settings.Nomad.DockerNetwork = "none" }, "heron.nomad.network.mode"},
		"another container's ports": {func(s *Spec) { s.Settings.Nomad.DockerNetwork = "container:web" }, "heron.nomad.network.mode"},
		"a network that is no name": {func(s *Spec) { s.Settings.Nomad.DockerNetwork = "my net" }, "heron.nomad.network.mode"},
		"no image":                  {func(s *Spec) { s.Settings.Nomad.DockerImage = " " }, "heron.executor.docker.image"},
		"an image with a space":     {func(s *Spec) { s.Settings.Nomad.DockerImage = "a b" }, "heron.executor.docker.image"},
	} {
		t.Run(name, func(t *testing.T) {
			s := dockerSpec()
			test.change(&s)
			var input *InputError
			if _, err := Build(s); !errors.As(err, &input) || input.What != test.what {
				t.Errorf("got %v, want an *InputError about %s", err, test.what)
			}
		})
	}
}

func TestDockerVolumesAreMounted(t *testing.T) {
	s := dockerSpec()
	if v, ok := mustBuild(t, s).TaskGroups[0].Tasks[0].Config["volumes"]; ok {
		t.Errorf("volumes %v, want none", v)
	}
	s.Settings.Nomad.DockerVolumes = []string{"/packages:/packages:ro"}
	if got := texts(mustBuild(t, s).TaskGroups[0].Tasks[0].Config["volumes"]); !slices.Equal(got, s.Settings.Nomad.DockerVolumes) {
		t.Errorf("volumes %v", got)
	}
}

func TestCheckReach(t *testing.T) {
	for name, test := range map[string]struct {
		uri    string
		change func(*conf.Settings)
		what   string
	}{
		"http, ZooKeeper elsewhere":        {"http://repo/wc.tar.gz", func(*conf.Settings) {}, ""},
		"file, not mounted":                {"file:///packages/a/wc.tar.gz", func(*conf.Settings) {}, "the package"},
		"path, not mounted":                {"/packages/a/wc.tar.gz", func(*conf.Settings) {}, "the package"},
		"file, mounted":                    {"file:///packages/a/wc.tar.gz", volumes("/x:/x", "/packages:/packages:ro"), ""},
		"file, mounted elsewhere":          {"file:///packages/a/wc.tar.gz", volumes("/packages:/other"), "the package"},
		"file, another folder there":       {"file:///packages/a/wc.tar.gz", volumes("/other:/packages"), "the package"},
		"file, a folder that begins alike": {"file:///packages/a/wc.tar.gz", volumes("/pack:/pack"), "the package"},
		"file on raw_exec":                 {"file:///packages/wc.tar.gz", func(s *conf.Settings) { s.Nomad.Driver = "raw_exec" }, ""},
		"state in a folder": {"http://repo/wc.tar.gz", func(s *conf.Settings) {
			s.State = conf.State{Kind: "localfs", Root: "/state"}
		}, "heron.statemgr.root.path"},
		"state in a mounted folder": {"http://repo/wc.tar.gz", func(s *conf.Settings) {
			s.State = conf.State{Kind: "localfs", Root: "/state"}
			s.Nomad.DockerVolumes = []string{"/state/:/state"}
		}, ""},
		"ZooKeeper on loopback":          {"http://repo/wc.tar.gz", servers("zk:2181", "127.0.0.1:2181"), "heron.statemgr.connection.string"},
		"ZooKeeper on localhost":         {"http://repo/wc.tar.gz", servers("localhost:2181"), "heron.statemgr.connection.string"},
		"ZooKeeper on loopback, network": {"http://repo/wc.tar.gz", func(s *conf.Settings) { servers("[::1]:2181")(s); s.Nomad.DockerNetwork = "host" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := dockerSpec().Settings
			test.change(s)
			err := CheckReach(s, test.uri)
			var input *InputError
			if test.what == "" && err != nil || test.what != "" && (!errors.As(err, &input) || input.What != test.what) {
				t.Errorf("got %v, want an error about %q", err, test.what)
			}
		})
	}
}

// The advice helps the next submission too, whose package has another name.
func TestAdviceToMountAFolderHelps(t *testing.T) {
	const root = "/home/ann/.herondata/repository"
	for name, upload := range map[string]conf.Upload{
		"localfs": {Kind: "localfs", LocalDir: root},
		"slash":   {Kind: "localfs", LocalDir: root + "/"},
		"scp":     {Kind: "scp", SCP: conf.SCPUpload{Dir: root}},
	} {
		s := dockerSpec().Settings
		s.Upload = upload
		uri := func(id string) string { return "file://" + root + "/nomad/ann/prod/wc/" + id + "/package.tar.gz" }
		err := CheckReach(s, uri("wc1"))
		advice := regexp.MustCompile(`heron\.nomad\.docker\.volumes: \["([^"]*)"\]`).FindStringSubmatch(fmt.Sprint(err))
		if advice == nil {
			t.Fatalf("%s: no advice in: %v", name, err)
		}
		s.Nomad.DockerVolumes = advice[1:]
		if err := CheckReach(s, uri("wc2")); err != nil {
			t.Errorf("%s: with %s the next run says: %v", name, advice[1], err)
		}
	}
}

func volumes(list ...string) func(*conf.Settings) {
	return func(s *conf.Settings) { s.Nomad.DockerVolumes = list }
}

func servers(list ...string) func(*conf.Settings) {
	return func(s *conf.Settings) { s.State.Servers = list }
}
