package jobspec

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

// vector is one recorded submission, or one set of recorded commands.
type vector struct {
	testenv.Recording
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
	all := map[string]vector{}
	for path, v := range testenv.ReadVectors[vector](t, "nomad/"+folder+"/*.json") {
		all[filepath.Base(path)] = v
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

// install writes a vector's files. What the vector has below Heron's home
// lies below a folder of the test; see original.
func (v vector) install(t *testing.T) installed {
	t.Helper()
	files := maps.Clone(v.ConfFiles)
	for name, text := range files {
		text = strings.ReplaceAll(text, fixedUploader, "org.apache.heron.uploader.localfs.LocalFileSystemUploader")
		files[name] = text
	}
	in := installed{home: testenv.Recording{ConfFiles: files}.Install(t), pkg: v.Setting("golden.package.uri")}
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
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), in.home, testenv.RecordedHome)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (v vector) definition(t *testing.T) *topology.Definition {
	t.Helper()
	def, err := topology.Decode(v.Definition(t))
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// flag is the value of a flag of the first step, "" if it has none.
func (v vector) flag(name string) string { return v.Steps[0].Flag(name) }

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
		opts.ReleaseFile = strings.Replace(file, testenv.RecordedHome, in.home, 1)
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
	if s.Plan, err = plan(def, s.Settings.Packing); err != nil {
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

// plan packs as a submission does.
func plan(def *topology.Definition, p conf.Packing) (*packing.Plan, error) {
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
