package submit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/dryrun"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// document is a manifest as the dry-run format "deployment" prints it. Its form
// is described in docs/deployment-document.md and only ever grows.
type document struct {
	Topology   topologyDoc         `json:"topology"`
	Package    packageDoc          `json:"package"`
	Packing    packingDoc          `json:"packing"`
	State      []stateDoc          `json:"state"`
	Job        *api.Job            `json:"job"`
	Containers []jobspec.Container `json:"containers"`
}

type topologyDoc struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	Cluster string `json:"cluster"`
	Role    string `json:"role"`
	Environ string `json:"environ"`
	State   string `json:"state"`
}

type packageDoc struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	URI    string `json:"uri"`
}

type packingDoc struct {
	Class      string          `json:"class"`
	Containers json.RawMessage `json:"containers"`
	Proto      string          `json:"proto"`
}

type stateDoc struct {
	Path      string `json:"path"`
	Ephemeral bool   `json:"ephemeral"`
	Message   string `json:"message"`
	Data      string `json:"data"`
}

// WriteDocument prints the manifest as one JSON document: everything that a
// real run would write. The same input gives the same bytes.
func (m *Manifest) WriteDocument(w io.Writer) error {
	s := m.in.Settings
	uri := m.Package.URI
	if uri == "" {
		uri = jobspec.PendingURI
	}
	plan, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Stored.Proto())
	if err != nil {
		return fmt.Errorf("serialize the packing plan: %w", err)
	}
	containers, err := m.containers()
	if err != nil {
		return err
	}
	doc := document{
		Topology: topologyDoc{
			Name: m.Definition.Name(), ID: m.Definition.ID(),
			Cluster: s.Cluster, Role: s.Role, Environ: s.Environ,
			State: m.Definition.State().String(),
		},
		Package: packageDoc{File: m.PackageName, SHA256: m.in.Package.SHA256, Size: m.in.Package.Size, URI: uri},
		Packing: packingDoc{
			Class:      s.Packing.Class,
			Containers: containers,
			Proto:      base64.StdEncoding.EncodeToString(plan),
		},
		State: []stateDoc{},
		Job:   m.Job,
	}
	layout := statemgr.Layout{Root: s.State.Root}
	for _, op := range m.State {
		doc.State = append(doc.State, stateDoc{
			Path:    op.Path,
			Message: layout.Describe(op.Path),
			Data:    base64.StdEncoding.EncodeToString(op.Data),
		})
	}
	for i := range *m.Job.TaskGroups[0].Count {
		doc.Containers = append(doc.Containers, jobspec.Expand(m.Job, i))
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

// containers is the plan as format json prints it, to the letter.
func (m *Manifest) containers() (json.RawMessage, error) {
	var buf bytes.Buffer
	if err := m.Show(&buf, string(dryrun.JSON)); err != nil {
		return nil, err
	}
	var doc struct {
		Containers json.RawMessage `json:"containers"`
	}
	if err := json.Unmarshal(buf.Bytes(), &doc); err != nil {
		return nil, fmt.Errorf("read the packing plan: %w", err)
	}
	return doc.Containers, nil
}

// FormatDeployment is the dry-run format that prints the whole manifest.
const FormatDeployment = "deployment"

// Formats lists the formats of Show.
func Formats() []string { return append(dryrun.Formats(), FormatDeployment) }

// CheckFormat says whether Show knows a format.
func CheckFormat(format string) error {
	for _, f := range Formats() {
		if f == format {
			return nil
		}
	}
	return outcome.Errorf(outcome.Usage, "unknown dry-run format %q; use one of %s", format, strings.Join(Formats(), ", "))
}

// Show prints what a real run would do, in one of Formats.
func (m *Manifest) Show(w io.Writer, format string) error {
	if format == FormatDeployment {
		return m.WriteDocument(w)
	}
	f, err := dryrun.ParseFormat(format)
	if err != nil {
		return err
	}
	return dryrun.Submit(w, f, dryrun.SubmitInput{
		PackingClass: m.in.Settings.Packing.Class,
		Topology:     m.Definition.Name(),
		Plan:         m.Plan,
	})
}
