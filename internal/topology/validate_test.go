package topology

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
)

func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*heronpb.Topology)
		// wants are parts of the problems, in order; none for a good topology.
		wants []string
	}{
		"as it is": {func(*heronpb.Topology) {}, nil},
		"paused":   {func(t *heronpb.Topology) { t.State = heronpb.TopologyState_PAUSED.Enum() }, nil},
		"a cycle": {func(t *heronpb.Topology) {
			t.Bolts[0].Outputs = []*heronpb.OutputStream{{Stream: stream("count", "again"), Schema: &heronpb.StreamSchema{}}}
			t.Bolts[0].Inputs[0].Stream = stream("count", "again")
		}, nil},
		"no name":          {func(t *heronpb.Topology) { t.Name = proto.String("") }, []string{"no name"}},
		"dot in name":      {func(t *heronpb.Topology) { t.Name = proto.String("a.b") }, []string{`"."`}},
		"slash in name":    {func(t *heronpb.Topology) { t.Name = proto.String("a/b") }, []string{`"/"`}},
		"killed":           {func(t *heronpb.Topology) { t.State = heronpb.TopologyState_KILLED.Enum() }, []string{"KILLED"}},
		"slash in id":      {func(t *heronpb.Topology) { t.Id = proto.String("../x") }, []string{"id"}},
		"no parallelism":   {func(t *heronpb.Topology) { t.Spouts[0].Comp.Config = config() }, []string{`"word": topology.component.parallelism is not set`}},
		"parallelism text": {func(t *heronpb.Topology) { t.Spouts[0].Comp = component("word", "1.5") }, []string{`"1.5", not a whole number`}},
		"parallelism zero": {func(t *heronpb.Topology) { t.Spouts[0].Comp = component("word", "0") }, []string{`"word" has parallelism 0`}},
		"parallelism -1":   {func(t *heronpb.Topology) { t.Spouts[0].Comp = component("word", "-1") }, []string{`parallelism -1`}},
		"too many instances": {func(t *heronpb.Topology) {
			t.Spouts[0].Comp, t.Bolts[0].Comp = component("word", "100000"), component("count", "1")
		}, []string{"100001 instances"}},
		"too many containers": {func(t *heronpb.Topology) { t.TopologyConfig = config(KeyStmgrs, "100001") }, []string{"topology.stmgrs is 100001"}},
		"no spout":            {func(t *heronpb.Topology) { t.Spouts, t.Bolts = nil, t.Bolts[:0] }, []string{"no spout"}},
		"missing stream":      {func(t *heronpb.Topology) { t.Bolts[0].Inputs[0].Stream = stream("word", "x") }, []string{`bolt "count" reads stream "x" of component "word"`}},
		"same name twice": {func(t *heronpb.Topology) {
			t.Bolts = append(t.Bolts, &heronpb.Bolt{Comp: component("word", "1")})
		}, []string{`two components are called "word"`}},
		"component without name": {func(t *heronpb.Topology) {
			t.Bolts = append(t.Bolts, &heronpb.Bolt{Comp: component("", "1")})
		}, []string{"a component has no name"}},
		"colon in component": {func(t *heronpb.Topology) {
			t.Bolts = append(t.Bolts, &heronpb.Bolt{Comp: component("a:b", "1")})
		}, []string{`"a:b"`}},
		"RAM map":        {func(t *heronpb.Topology) { t.TopologyConfig = config(KeyComponentRAMMap, "nosuch:1") }, []string{`"nosuch"`}},
		"CPU map":        {func(t *heronpb.Topology) { t.TopologyConfig = config(KeyComponentCPUMap, "word=1") }, []string{"component:value"}},
		"disk map":       {func(t *heronpb.Topology) { t.TopologyConfig = config(KeyComponentDiskMap, "word:1GB") }, []string{`"1GB"`}},
		"negative RAM":   {func(t *heronpb.Topology) { t.TopologyConfig = config(KeyComponentRAMMap, "word:-5") }, []string{"-5 bytes"}},
		"NaN cores":      {func(t *heronpb.Topology) { t.TopologyConfig = config(KeyComponentCPUMap, "word:NaN") }, []string{"NaN cores"}},
		"no containers":  {func(t *heronpb.Topology) { t.TopologyConfig = config(KeyStmgrs, "0") }, []string{"topology.stmgrs is 0"}},
		"unknown mode":   {func(t *heronpb.Topology) { t.TopologyConfig = config(KeyReliabilityMode, "ONCE") }, []string{"EFFECTIVELY_ONCE"}},
		"checkpoint RAM": {func(t *heronpb.Topology) { t.TopologyConfig = config(KeyCkptmgrRAM, "1GB") }, []string{`"1GB", not a number of bytes`}},
		"several": {func(t *heronpb.Topology) {
			t.Name = proto.String("a.b")
			t.Spouts[0].Comp = component("word", "x")
			t.Bolts[0].Comp = component("count", "0")
			t.TopologyConfig = config(KeyStmgrs, "many", KeyReliabilityMode, "ONCE")
		}, []string{`"."`, `"word"`, `"count" has parallelism 0`, `"many"`, "ONCE"}},
	} {
		t.Run(name, func(t *testing.T) {
			pb := sample("t")
			test.change(pb)
			checkProblems(t, Validate(FromProto(pb), Rules{}), test.wants)
		})
	}
}

func checkProblems(t *testing.T, err error, wants []string) {
	t.Helper()
	if len(wants) == 0 {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Kind() != outcome.Usage {
		t.Fatalf("got %v, want an *InvalidError with exit code 2", err)
	}
	if len(invalid.Problems) != len(wants) {
		t.Fatalf("%d problems, want %d: %v", len(invalid.Problems), len(wants), err)
	}
	for i, want := range wants {
		if !strings.Contains(invalid.Problems[i], want) || !strings.Contains(err.Error(), want) {
			t.Errorf("problem %q does not say %q", invalid.Problems[i], want)
		}
	}
}

func TestNames(t *testing.T) {
	nomad, service := Rules{Nomad: true, Cluster: "nomad"}, Rules{ServiceNames: true, MaxIndex: 100}
	for _, test := range []struct {
		name  string
		rules Rules
		wants []string
	}{
		{"syn_25 Odd Names-é", Rules{}, nil},
		{"Word-Count_1é", nomad, nil},
		{"two words", nomad, []string{"a space"}},
		{"line\nbreak", nomad, []string{"invisible"}},
		{"zero\x00", nomad, []string{"invisible"}},
		{"no\u00a0break", nomad, []string{"invisible"}},
		{"\u200bhidden", nomad, []string{"invisible"}},
		{"private\ue000", nomad, []string{"invisible"}},
		{"bad\xff", nomad, []string{"UTF-8"}},
		{"x${NOMAD_TOKEN}", nomad, []string{"a variable"}},
		{"x;reboot", nomad, []string{"a shell"}},
		{"it's", nomad, []string{"a shell"}},
		{strings.Repeat("x", MaxNameLength), nomad, nil},
		{strings.Repeat("x", MaxNameLength+1), nomad, []string{"at most 128"}},
		{"t", Rules{Nomad: true, Cluster: "my cluster"}, []string{`"my cluster"`}},
		{"Word-Count-2", service, nil},
		{"word_count", service, []string{"'_'"}},
		{"é", service, []string{"'é'"}},
		// metrics-heron-<45>-100 has 63 characters.
		{strings.Repeat("x", 45), service, nil},
		{strings.Repeat("x", 46), service, []string{"at most 45"}},
		// Without an index the number of containers counts: 2.
		{strings.Repeat("x", 47), Rules{ServiceNames: true}, nil},
		{strings.Repeat("x", 48), Rules{ServiceNames: true}, []string{"at most 47"}},
		{"two words_", Rules{Nomad: true, ServiceNames: true}, []string{"a space", "' '"}},
		{"a:b", nomad, []string{"':'"}},
		{"a,b=c", nomad, []string{"','"}},
		{"a+b@c", nomad, nil},
		{"-x", nomad, []string{"begins with '-'"}},
		{"e\u0301", nomad, []string{`'\u0301'`}},
	} {
		// The id begins with the name: what is wrong with that is said once.
		for _, id := range []string{"t1", test.name + "0c9006ef"} {
			d := FromProto(sample(test.name)).WithID(id)
			if strings.ContainsAny(id, "\n\x00") {
				continue // which no id may have, see TestValidate
			}
			checkProblems(t, Validate(d, test.rules), test.wants)
		}
	}
}

func TestIDs(t *testing.T) {
	nomad := Rules{Nomad: true, Cluster: "nomad"}
	for id, wants := range map[string][]string{
		"t0c9006ef-b524-42dc-aedd-0fb4cfc9e250": nil,
		"other_1.2+3@x~y":                       nil,
		"two words":                             {`its id "two words" is not valid`},
		"-x":                                    {`its id "-x" is not valid`},
		"a..b":                                  {`its id "a..b" is not valid`},
		"x${Y}":                                 {`is not valid`},
		"t two words":                           {`its id "t two words" is not valid`},
		"":                                      {"is empty"},
		strings.Repeat("x", 201):                {"its id has 201 bytes: use at most 200"},
	} {
		checkProblems(t, Validate(FromProto(sample("t")).WithID(id), nomad), wants)
	}
}

// One look tells everything, so that a user does not mend one thing after the
// other.
func TestAllProblemsAreToldAtOnce(t *testing.T) {
	pb := sample("two words.")
	pb.Id = proto.String("two words.0c9006ef")
	pb.Spouts[0].Comp = component("word", "x")
	pb.Bolts[0].Comp = component("${count}", "0")
	err := Validate(FromProto(pb), Rules{Nomad: true, Cluster: "my cluster", ServiceNames: true})
	checkProblems(t, err, []string{`"."`, `"word"`, `"${count}" has parallelism 0`, "its name has a space", `component "${count}" has "${"`, `"my cluster"`, "' '"})
}
