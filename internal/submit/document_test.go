package submit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
)

var update = flag.Bool("update", false, "write testdata anew")

// plainInput is a submission of a definition, its package in a folder that
// need not exist.
func plainInput(settings *conf.Settings, def *topology.Definition) Input {
	return Input{
		Settings: settings, Definition: def,
		DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: PackageFile{Size: 11, SHA256: strings.Repeat("5e", 32)},
		Locate: func(name string) uploader.Location {
			return uploader.Location{URI: "file:///packages/" + name, Fetch: "file:///packages/" + name}
		},
		Script: "#!/bin/sh\n", Client: "test", Now: time.Unix(1_700_000_000, 0),
	}
}

// unknownURI is for packages whose place only their server knows.
func unknownURI(string) uploader.Location { return uploader.Location{} }

// printed is a deployment document as read back.
type printed struct {
	Topology, Package map[string]any
	Packing           struct {
		Class      string
		Containers json.RawMessage
		Proto      []byte
	}
	State []struct {
		Path      string
		Ephemeral bool
		Message   string
		Data      []byte
	}
	Job        json.RawMessage
	Containers []json.RawMessage
}

func show(t *testing.T, in Input) (*Manifest, string, printed) {
	t.Helper()
	d, err := NewManifest(in)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := d.Show(&text, FormatDeployment); err != nil {
		t.Fatal(err)
	}
	var doc printed
	if err := json.Unmarshal(text.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return d, text.String(), doc
}

// fields are the names of an object's fields, in order of the alphabet.
func fields(t *testing.T, data []byte) string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}

func elements(t *testing.T, data []byte) []json.RawMessage {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	if len(list) == 0 {
		t.Fatal("an empty list")
	}
	return list
}

// The document has the fields that docs/deployment-document.md lists, and no
// others.
func TestDocumentHasTheFieldsThatAreDocumented(t *testing.T) {
	_, text, doc := show(t, plainInput(clustertest.Settings(t, t.TempDir()), clustertest.Words("words1234")))
	var parts map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &parts); err != nil {
		t.Fatal(err)
	}
	check := func(what string, data []byte, want string) {
		t.Helper()
		if got := fields(t, data); got != want {
			t.Errorf("%s has the fields %s, want %s", what, got, want)
		}
	}
	check("the document", []byte(text), "containers job package packing state topology")
	check("topology", parts["topology"], "cluster environ id name role state")
	check("package", parts["package"], "file sha256 size uri")
	check("packing", parts["packing"], "class containers proto")
	for _, c := range elements(t, doc.Packing.Containers) {
		check("a container of the plan", c, "components id resources")
	}
	for _, s := range elements(t, parts["state"]) {
		check("a node of the state", s, "data ephemeral message path")
	}
	for _, c := range elements(t, parts["containers"]) {
		check("a container", c, "args command env index ports resources services")
	}
	if diff := cmp.Diff(map[string]any{
		"name": "words", "id": "words1234", "cluster": "nomad", "role": "ads", "environ": "prod", "state": "RUNNING",
	}, doc.Topology); diff != "" {
		t.Errorf("topology (-want +got):\n%s", diff)
	}
	digest := strings.Repeat("5e", 32)
	name := topology.PackageName("nomad", "ads", "prod", "words", "words1234", digest)
	if diff := cmp.Diff(map[string]any{
		"file": name, "sha256": digest, "size": 11.0, "uri": "file:///packages/" + name,
	}, doc.Package); diff != "" {
		t.Errorf("package (-want +got):\n%s", diff)
	}
}

func TestDocumentOfDockerContainers(t *testing.T) {
	settings := *clustertest.Settings(t, t.TempDir())
	settings.Nomad.Driver = "docker"
	_, _, doc := show(t, plainInput(&settings, clustertest.Words("words1234")))
	for _, c := range doc.Containers {
		if got := fields(t, c); got != "args command env image index networkMode ports resources services" {
			t.Errorf("a container has the fields %s", got)
		}
	}
}

func TestDocumentOfAPausedTopology(t *testing.T) {
	paused := clustertest.Words("words1234").WithState(heronpb.TopologyState_PAUSED)
	if _, _, doc := show(t, plainInput(clustertest.Settings(t, t.TempDir()), paused)); doc.Topology["state"] != "PAUSED" {
		t.Errorf("state %v", doc.Topology["state"])
	}
}

func TestDocumentIsTheSameTwice(t *testing.T) {
	settings := clustertest.Settings(t, t.TempDir())
	_, first, _ := show(t, plainInput(settings, clustertest.Words("words1234")))
	for range 20 {
		if _, again, _ := show(t, plainInput(settings, clustertest.Words("words1234"))); again != first {
			t.Fatalf("equal input gives\n%s\nand\n%s", first, again)
		}
	}
}

// What is printed is what a real run writes.
func TestDocumentHasWhatIsWritten(t *testing.T) {
	d, _, doc := show(t, plainInput(clustertest.Settings(t, t.TempDir()), clustertest.Words("words1234")))
	layout := statemgr.Layout{Root: d.in.Settings.State.Root}
	if len(doc.State) != len(d.State) || len(doc.State) != 5 {
		t.Fatalf("%d nodes are printed, %d written", len(doc.State), len(d.State))
	}
	for i, op := range d.State {
		node := doc.State[i]
		if op.Kind != statemgr.OpCreate || node.Path != op.Path || !bytes.Equal(node.Data, op.Data) || node.Ephemeral {
			t.Errorf("node %d is printed as %s %q, ephemeral %v, but written as %s %q", i, node.Path, node.Data, node.Ephemeral, op.Path, op.Data)
		}
		if node.Path == layout.PackingPlan("words") && !bytes.Equal(node.Data, doc.Packing.Proto) {
			t.Errorf("packing.proto is %q, stored is %q", doc.Packing.Proto, node.Data)
		}
		checkMessage(t, node.Message, node.Data)
	}
	if len(doc.Containers) != 3 {
		t.Errorf("%d containers, want the TManager's and two of the plan", len(doc.Containers))
	}
	for i, c := range doc.Containers {
		want, err := json.Marshal(jobspec.Expand(d.Job, i))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(anyJSON(t, want), anyJSON(t, c)); diff != "" {
			t.Errorf("container %d (-expanded +printed):\n%s", i, diff)
		}
	}
	var inFormatJSON bytes.Buffer
	if err := d.Show(&inFormatJSON, "json"); err != nil {
		t.Fatal(err)
	}
	var plan struct{ PackingClass, Containers json.RawMessage }
	if err := json.Unmarshal(inFormatJSON.Bytes(), &plan); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(anyJSON(t, plan.Containers), anyJSON(t, doc.Packing.Containers)); diff != "" {
		t.Errorf("packing.containers (-as in format json +printed):\n%s", diff)
	}
	if got := fmt.Sprintf("%q", doc.Packing.Class); got != string(plan.PackingClass) {
		t.Errorf("packing.class is %s, in format json %s", got, plan.PackingClass)
	}
}

// checkMessage decodes the data of a node as the message that it is said to be.
func checkMessage(t *testing.T, name string, data []byte) {
	t.Helper()
	if name == "DeploymentRecord" {
		if _, err := statemgr.DecodeDeployment(data); err != nil {
			t.Error(err)
		}
		return
	}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		t.Errorf("message %q: %v", name, err)
		return
	}
	msg := kind.New().Interface()
	if err := proto.Unmarshal(data, msg); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if unknown := msg.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		t.Errorf("%s has fields that the message does not have: %q", name, unknown)
	}
}

func anyJSON(t *testing.T, data []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

// The job in the document is the one that Nomad's client sends.
func TestDocumentHasTheJobThatIsSent(t *testing.T) {
	d, _, doc := show(t, plainInput(clustertest.Settings(t, t.TempDir()), clustertest.Words("words1234")))
	var sent []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var put struct{ Job json.RawMessage }
		if r.Method == http.MethodPut && json.NewDecoder(r.Body).Decode(&put) == nil {
			sent = put.Job
		}
		http.Error(w, "that will do", http.StatusForbidden)
	}))
	defer server.Close()
	client, err := nomad.NewClient(nomad.ClientOptions{Address: server.URL, RequestTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.RegisterNew(t.Context(), d.Job); err == nil || sent == nil {
		t.Fatalf("error %v; no job came", err)
	}
	if diff := cmp.Diff(anyJSON(t, sent), anyJSON(t, doc.Job)); diff != "" {
		t.Errorf("job (-sent +printed):\n%s", diff)
	}
}

// Where only the server can know the URI of a package, every place of the
// document that would have it says so.
func TestDocumentWithoutAPackageURI(t *testing.T) {
	in := plainInput(clustertest.Settings(t, t.TempDir()), clustertest.Words("words1234"))
	const uri = "https://packages.example.com/words.tar.gz"
	where := uploader.Location{URI: uri, Fetch: uri}
	in.Locate = func(string) uploader.Location { return where }
	_, known, _ := show(t, in)
	in.Locate = unknownURI
	d, pending, doc := show(t, in)
	if d.Package.URI != "" || doc.Package["uri"] != jobspec.PendingURI {
		t.Errorf("URI %q, printed as %v", d.Package.URI, doc.Package["uri"])
	}
	for what, c := range map[string]struct{ text, has, hasNot string }{
		"a known URI":   {plain(t, known), uri, jobspec.PendingURI},
		"a pending one": {plain(t, pending), jobspec.PendingURI, uri},
	} {
		// package.uri, the record, the artifact, and the job's and three
		// containers' two variables.
		if n := strings.Count(c.text, c.has); n < 11 || strings.Contains(c.text, c.hasNot) {
			t.Errorf("the document of %s has %d times %q, or %q:\n%s", what, n, c.has, c.hasNot, c.text)
		}
	}
	told, err := d.at(where)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := told.WriteDocument(&text); err != nil {
		t.Fatal(err)
	}
	if text.String() != known {
		t.Errorf("once the server has told the URI the document is\n%s\nwant\n%s", text.String(), known)
	}
}

// plain is a document with the deployment record as it is, not in base64.
func plain(t *testing.T, text string) string {
	t.Helper()
	var doc printed
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	for _, node := range doc.State {
		if node.Message == "DeploymentRecord" {
			return strings.Replace(text, `"`+base64.StdEncoding.EncodeToString(node.Data)+`"`, string(node.Data), 1)
		}
	}
	t.Fatal("no deployment record")
	return ""
}

// The whole document of a small topology, for people to read in a change.
func TestDocumentOfASmallTopology(t *testing.T) {
	dir := t.TempDir()
	d, text, _ := show(t, plainInput(clustertest.Settings(t, dir), clustertest.Words("words1234")))
	text = plain(t, text)
	digest, err := configDigest(d.in.Settings)
	if err != nil {
		t.Fatal(err)
	}
	text = strings.NewReplacer(digest, "DIGEST", dir, "HOME", testenv.Root(), "CHECKOUT").Replace(text)
	file := filepath.Join("testdata", "deployment.json")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text, "\n")); diff != "" {
		t.Errorf("document (-%s +got); if this is what you want, run go test with -update:\n%s", file, diff)
	}
}
