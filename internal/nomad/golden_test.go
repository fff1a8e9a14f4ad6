package nomad

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

// originalHome is Heron's home in the vectors.
const originalHome = "/opt/heron"

// vector is one recorded submission, or one set of recorded commands.
type vector struct {
	Topology  string
	ConfFiles map[string]string `json:"conf_files"`
	Steps     []struct {
		Op   string
		Args []string
	}
	Outputs []struct {
		Result string
		Error  struct{ Exception, Message string }
		HTTP   []struct {
			Method, URI string
			Body        struct{ Job *api.Job }
		}
		PackingPlan struct {
			ProtoBase64 string `json:"proto_base64"`
		} `json:"packing_plan"`
	}
	Inputs struct {
		Cluster, Role, Environ string
		VerboseGC              bool   `json:"verbose_gc"`
		Binary                 string `json:"topology_bin"`
		Definition             string `json:"topology_defn"`
		PackageURI             string `json:"package_uri"`
		DebugPorts             string `json:"debug_ports"`
	}
	Expected struct {
		Error           json.RawMessage
		FetchLocalConf  string           `json:"fetch_command_local_conf"`
		FetchClusterCon string           `json:"fetch_command_cluster_conf"`
		Cluster         expectedCommands `json:"with_cluster_config"`
		Local           expectedCommands `json:"with_local_config"`
	}
}

// vectors reads all vectors of a folder by name.
func vectors(t *testing.T, folder string) map[string]vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testenv.Golden(t), "nomad", folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in nomad/%s: %v", folder, err)
	}
	all := map[string]vector{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = v
	}
	return all
}

// installed is a vector's configuration as files, in a home of its own.
type installed struct {
	home string
	opts conf.Options
	pkg  string
}

// fixedUploader is a class of the recorder that returned a fixed URI.
const fixedUploader = "golden.FixedUploader"

const (
	keyAlgorithm    = "heron.class.packing.algorithm"
	roundRobinClass = "org.apache.heron.packing.roundrobin.RoundRobinPacking"
)

func (v vector) roundRobin() bool { return v.setting(keyAlgorithm) == roundRobinClass }

// setting is the text of a key in a configuration file of the vector.
func (v vector) setting(key string) string {
	for _, text := range v.ConfFiles {
		for line := range strings.Lines(text) {
			if k, value, ok := strings.Cut(line, ":"); ok && k == key {
				return strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
	}
	return ""
}

// install writes a vector's files. What the vector has below originalHome
// lies below a folder of the test; see original.
func (v vector) install(t *testing.T) installed {
	t.Helper()
	in := installed{home: t.TempDir()}
	for name, text := range v.ConfFiles {
		text = strings.ReplaceAll(text, originalHome, in.home)
		if strings.Contains(text, fixedUploader) {
			_, uri, _ := strings.Cut(text, "golden.package.uri:")
			in.pkg = strings.Trim(strings.TrimSpace(uri), `"`)
			text = "heron.class.uploader: org.apache.heron.uploader.localfs.LocalFileSystemUploader\n"
		}
		if !v.roundRobin() {
			// The plan is then the recorded one; see plan.
			text = strings.ReplaceAll(text, v.setting(keyAlgorithm), roundRobinClass)
		}
		path := filepath.Join(in.home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in.opts = conf.Options{
		Home: in.home, Dir: filepath.Join(in.home, "conf"),
		VerboseGC: v.Inputs.VerboseGC,
		UserHome:  "/home/heron", JavaHome: "/usr/lib/jvm/java-home-test",
	}
	return in
}

// original puts the original's home into v in place of the test's.
func original[T any](t *testing.T, in installed, v T) T {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), in.home, originalHome)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (v vector) definition(t *testing.T) *topology.Definition {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.Golden(t), "topologies", v.Topology))
	if err != nil {
		t.Fatal(err)
	}
	def, err := topology.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// flag is the value of a flag of the first step, "" if it has none.
func (v vector) flag(name string) string {
	args := v.Steps[0].Args
	if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// properties are the lines of the file that the original's command line made
// of its --config-property flags.
func (v vector) properties() []string {
	name := strings.TrimPrefix(v.flag("--override_config_file"), originalHome+"/")
	var list []string
	for line := range strings.Lines(v.ConfFiles[name]) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			list = append(list, key+"="+strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	return list
}

// spec does what a submission does before it makes a job. Its error is the
// one that ends the submission.
func (v vector) spec(t *testing.T, in installed) (Spec, error) {
	t.Helper()
	def := v.definition(t)
	s := Spec{
		Definition:     def,
		DefinitionFile: filepath.Base(v.flag("--topology_defn")),
		BinaryFile:     v.flag("--topology_bin"),
		PackageSHA256:  strings.Repeat("ab", 32),
	}
	var err error
	if s.PackageType, err = topology.PackageType(s.BinaryFile); err != nil {
		return s, err
	}
	opts := in.opts
	opts.Cluster, opts.Role, opts.Environ = v.flag("--cluster"), v.flag("--role"), v.flag("--environment")
	opts.User = v.flag("--submit_user")
	if file := v.flag("--release_file"); file != "" {
		opts.ReleaseFile = strings.Replace(file, originalHome, in.home, 1)
	}
	loaded, err := conf.Load(opts)
	if err != nil {
		return s, err
	}
	s.Settings, err = loaded.ForTopology(conf.Topology{
		Name: def.Name(), ID: def.ID(),
		DefinitionFile: s.DefinitionFile, BinaryFile: s.BinaryFile, PackageType: s.PackageType,
	}).Settings()
	if err != nil {
		return s, err
	}
	if s.Plan, err = v.plan(def, s.Settings.Packing); err != nil {
		return s, err
	}
	s.Definition = def.WithStmgrs(len(s.Plan.Containers))
	s.PackageURI = in.pkg
	if s.PackageURI == "" {
		s.PackageURI = "file://" + in.home + "/repo/" + def.Name() + "-" + s.Settings.Role + "-tag-0.tar.gz"
	}
	script, err := os.ReadFile(s.Settings.Nomad.Script)
	s.Script = string(script)
	return s, err
}

// plan packs as a submission does, or takes the recorded plan where the
// original packed with another algorithm than RoundRobin.
func (v vector) plan(def *topology.Definition, p conf.Packing) (*packing.Plan, error) {
	if recorded := v.Outputs[0].PackingPlan.ProtoBase64; recorded != "" && !v.roundRobin() {
		data, err := base64.StdEncoding.DecodeString(recorded)
		if err != nil {
			return nil, err
		}
		plan, err := packing.Decode(data)
		if err != nil {
			return nil, err
		}
		return plan.Homogeneous(), nil
	}
	algorithm, err := packing.New(p.Algorithm, packing.Settings{
		InstanceCPU: p.InstanceCPU, InstanceRAM: p.InstanceRAM, InstanceDisk: p.InstanceDisk,
	})
	if err != nil {
		return nil, err
	}
	plan, err := algorithm.Pack(def)
	if err != nil {
		return nil, err
	}
	return plan.Homogeneous(), nil
}
