package submit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/all"
)

// recording is a vector with submissions.
type recording struct {
	testenv.Recording
	// FailPut is which registration Nomad refused, if any.
	FailPut *int `json:"fail_put_index"`
	Outputs []recordedOutput
}

// recordedOutput is what the original did for one step.
type recordedOutput struct {
	Result string
	Text   string
	Error  struct{ Exception, Message string }
	HTTP   []recordedRequest
	// State is what the state store held afterwards, by path: below the root
	// for a folder, in full for ZooKeeper.
	State map[string]recordedNode `json:"state_after"`
	Plan  struct {
		Proto []byte `json:"proto_base64"`
	} `json:"packing_plan"`
	Runtime struct {
		ID         string `json:"topology_id"`
		Name       string `json:"topology_name"`
		Containers int    `json:"num_containers"`
		RAM        string `json:"component_rammap"`
		Stmgrs     int    `json:"topology_stmgrs_in_runtime_topology"`
	}
}

// recordedRequest is one that the original sent to Nomad.
type recordedRequest struct {
	Method string
	Body   json.RawMessage
}

// recordedNode is the data of a node, nil for a directory.
type recordedNode []byte

func (n *recordedNode) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte("{")) {
		return json.Unmarshal(data, (*[]byte)(n))
	}
	var node struct{ Data []byte }
	err := json.Unmarshal(data, &node)
	*n = node.Data
	return err
}

// decide does what Prepare does with a vector's input, up to Decide.
func (v recording) decide(t *testing.T, step testenv.RecordedStep) (*Manifest, error) {
	t.Helper()
	def, err := topology.Decode(v.Definition(t))
	if err != nil {
		return nil, err
	}
	if err := topology.Validate(def, topology.Rules{Nomad: true, Cluster: step.Flag("--cluster")}); err != nil {
		return nil, err
	}
	in := Input{
		Definition:     def,
		DefinitionFile: filepath.Base(step.Flag("--topology_defn")),
		BinaryFile:     step.Flag("--topology_bin"),
		Package:        PackageFile{SHA256: strings.Repeat("ab", 32), Size: 1},
		Client:         "test", Now: submitted,
	}
	if in.PackageType, err = topology.PackageType(in.BinaryFile); err != nil {
		return nil, err
	}
	if in.Settings, err = v.settings(t, step, in); err != nil {
		return nil, err
	}
	up, err := all.New(in.Settings.Upload, uploader.Options{})
	if err != nil {
		return nil, err
	}
	defer up.Close()
	in.Locate = up.Locate
	script, err := os.ReadFile(in.Settings.Nomad.Script)
	if err != nil {
		return nil, err
	}
	in.Script = string(script)
	return NewManifest(in)
}

// settings are those of a vector's configuration. What the state does not
// depend on and what is not there is replaced.
func (v recording) settings(t *testing.T, step testenv.RecordedStep, in Input) (*conf.Settings, error) {
	t.Helper()
	home := v.Install(t)
	opts := conf.Options{
		Home: home, Dir: filepath.Join(home, "conf"),
		UserHome: "/home/heron", JavaHome: "/usr/lib/jvm/java-home-test",
		Cluster: step.Flag("--cluster"), Role: step.Flag("--role"), Environ: step.Flag("--environment"),
		User: step.Flag("--submit_user"), VerboseGC: slices.Contains(step.Args, "--verbose_gc"),
		Properties: v.Properties(step),
	}
	if file := step.Flag("--release_file"); file != "" {
		opts.ReleaseFile = strings.Replace(file, testenv.RecordedHome, home, 1)
	}
	// A class of the recorder's that gave a fixed URI.
	if v.Setting("heron.class.uploader") == "golden.FixedUploader" {
		opts.Properties = append(opts.Properties, "heron.class.uploader=localfs")
	}
	loaded, err := conf.Load(opts)
	if err != nil {
		return nil, err
	}
	return loaded.ForTopology(conf.Topology{
		Name: in.Definition.Name(), ID: in.Definition.ID(),
		DefinitionFile: in.DefinitionFile, BinaryFile: in.BinaryFile, PackageType: in.PackageType,
	}).Settings()
}
