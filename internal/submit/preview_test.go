package submit

import (
	"cmp"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
)

// with is the topology words with one more setting.
func with(key, value string) *topology.Definition {
	pb := clustertest.Words("words1234").Proto()
	pb.TopologyConfig.Kvs = append(pb.TopologyConfig.Kvs, &heronpb.Config_KeyValue{Key: proto.String(key), Value: proto.String(value)})
	return topology.FromProto(pb)
}

func TestPreviewComparesDefinitions(t *testing.T) {
	same := clustertest.Words("words1234")
	pb := same.Proto()
	pb.Bolts[0].Inputs[0].Gtype = heronpb.Grouping_ALL.Enum()
	for name, c := range map[string]struct {
		old, now *topology.Definition
		want     string
	}{
		"the same":       {same, same, ""},
		"paused":         {same.WithState(heronpb.TopologyState_PAUSED), same, ""},
		"a setting":      {with("a.b", "1"), with("a.b", "2"), "topology a.b 1 2"},
		"a new setting":  {same, with("a.b", "2"), "topology a.b  2"},
		"a secret":       {with("db.password", "old"), with("db.password", "new"), "topology db.password (hidden) (hidden)"},
		"a grouping":     {same, topology.FromProto(pb), "topology streams, groupings or classes as they run others"},
		"another number": {same, same.WithStmgrs(3), "topology topology.stmgrs 2 3"},
	} {
		var p Preview
		p.compareDefinitions(c.old, c.now)
		var got []string
		for _, d := range p.Changes {
			got = append(got, strings.Join([]string{d.Where, d.What, d.Old, d.New}, " "))
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestPreviewOfARunningTopologyFindsNoDifference(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	there, err := b.Cluster.Look(t.Context(), "words", scope())
	b.Must(err)
	p, err := previewOf(t.Context(), b.Cluster, Decision{b.d, there})
	if err != nil || !p.Fits() || !p.Exists {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestPreviewTakesThePlaceOfAPackageThatOnlyItsServerKnows(t *testing.T) {
	const uri, signed = "https://h/a.tar.gz", "https://h/a.tar.gz?X-Amz-Signature=sesame"
	for name, c := range map[string]struct {
		ran, now uploader.Location
		sha      string
		same     bool
	}{
		"told by the server":     {ran: uploader.Location{URI: uri, Fetch: uri}, same: true},
		"presigned":              {ran: uploader.Location{URI: uri, Fetch: signed}, now: uploader.Location{URI: uri}, same: true},
		"presigned from now on":  {ran: uploader.Location{URI: uri, Fetch: uri}, now: uploader.Location{URI: uri}},
		"presigned at elsewhere": {ran: uploader.Location{URI: uri, Fetch: signed}, now: uploader.Location{URI: uri + "x"}},
		"another content":        {ran: uploader.Location{URI: uri, Fetch: uri}, sha: strings.Repeat("b", 64)},
	} {
		b := newBench(t)
		ran, err := b.d.at(c.ran)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Store.EnsureDirs(t.Context(), b.Cluster.State.Dirs()...); err != nil {
			t.Fatal(err)
		}
		b.Must(b.Cluster.State.ApplyAll(t.Context(), ran.State...))
		b.Jobs.Put(ran.Job)
		in := b.d.in
		in.Locate = func(string) uploader.Location { return c.now }
		in.Package.SHA256 = cmp.Or(c.sha, in.Package.SHA256)
		now, err := NewManifest(in)
		if err != nil {
			t.Fatal(err)
		}
		there, err := b.Cluster.Look(t.Context(), "words", scope())
		b.Must(err)
		s, err := newSubmission(b.Cluster, Decision{now, there})
		b.Must(err)
		if now, err = s.placed(); err != nil {
			t.Fatal(err)
		}
		if same := reflect.DeepEqual(ran.Job, now.Job); same != c.same {
			t.Errorf("%s: the job is the same: %v, want %v", name, same, c.same)
		}
	}
}
