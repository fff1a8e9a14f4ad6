package packing

import (
	"errors"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestFillingRules(t *testing.T) {
	for _, c := range []struct {
		rule, algorithm, components string
		config                      []string
		// changes follow one another.
		changes []string
		want    string
	}{
		{"in turn, over as many containers as are asked for", "resourcecompliant", "a:3", []string{"stmgrs=2"}, nil,
			"1[a0=1c/1024 a2=1c/1024] 3c/3072/3 | 2[a1=1c/1024] 2c/2048/2"},
		{"a container more, and all anew, when one overflows", "resourcecompliant", "a:4",
			[]string{"stmgrs=1", "container.max.instances=3"}, nil,
			"1[a0=1c/1024 a2=1c/1024] 3c/3072/3 | 2[a1=1c/1024 a3=1c/1024] 3c/3072/3"},
		{"no more containers than instances", "resourcecompliant", "a:1", []string{"stmgrs=5"}, nil,
			"1[a0=1c/1024] 2c/2048/2"},
		{"none asked for is one for each instance", "resourcecompliant", "a:2", []string{"stmgrs=0"}, nil,
			"1[a0=1c/1024] 2c/2048/2 | 2[a1=1c/1024] 2c/2048/2"},
		{"the biggest first, each into the first with room", "firstfit", "a:1 b:1 c:2",
			[]string{"container.max.instances=4", "component.rammap=b:2147483648,c:1610612736"}, nil,
			"1[b0=1c/2048 a0=1c/1024] 3c/4096/3 | 2[c0=1c/1536 c1=1c/1536] 3c/4096/3"},
		{"or those with most CPU", "firstfit", "a:1 b:1",
			[]string{"packing.ffd.sorting.strategy=cpu_first", "component.rammap=a:2147483648", "component.cpumap=b:1.5"}, nil,
			"1[b0=1.5c/1024 a0=1c/2048] 4c/4096/3"},
		{"CPU of containers is a whole number", "firstfit", "a:1", []string{"component.cpumap=a:0.4"}, nil,
			"1[a0=0.4c/1024] 1c/2048/2"},
		{"padding is a percentage if that is more", "firstfit", "a:1",
			[]string{"container.padding.percentage=50", "container.cpu=8", "container.ram=8589934592"}, nil,
			"1[a0=1c/1024] 5c/5120/6"},
		{"what a component loses goes from where it is alone", "resourcecompliant", "a:2 b:1", []string{"stmgrs=2"}, []string{"a:-1"},
			"1[a0=1c/1024 b0=1c/1024] 3c/3072/3"},
		{"else from the smallest container", "resourcecompliant", "a:3 b:2", []string{"stmgrs=2"}, []string{"a:-1"},
			"1[a0=1c/1024 a2=1c/1024 b1=1c/1024] 4c/4096/4 | 2[b0=1c/1024] 2c/2048/2"},
		{"of equal ones from that of which it is most", "resourcecompliant", "a:3 b:3", []string{"stmgrs=2"}, []string{"a:-1"},
			"1[a2=1c/1024 b1=1c/1024] 3c/3072/3 | 2[a1=1c/1024 b0=1c/1024 b2=1c/1024] 4c/4096/4"},
		{"of those like it from the last", "resourcecompliant", "a:2 b:2", []string{"stmgrs=2"}, []string{"a:-1"},
			"1[a0=1c/1024 b0=1c/1024] 3c/3072/3 | 2[b1=1c/1024] 2c/2048/2"},
		{"what a component gains goes where there is room", "firstfit", "a:3", []string{"container.max.instances=3"}, []string{"a:2"},
			"1[a0=1c/1024 a1=1c/1024] 3c/3072/3 | 2[a2=1c/1024 a3=1c/1024] 3c/3072/3 | 3[a4=1c/1024] 2c/2048/2"},
		{"in turn", "resourcecompliant", "a:2", []string{"stmgrs=2"}, []string{"a:2"},
			"1[a0=1c/1024 a2=1c/1024] 3c/3072/3 | 2[a1=1c/1024 a3=1c/1024] 3c/3072/3"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			alg, err := New(c.algorithm, plain)
			if err != nil {
				t.Fatal(err)
			}
			def := define(t, c.components, c.config...)
			p, err := alg.Pack(def)
			for _, changes := range c.changes {
				if err != nil {
					break
				}
				p, err = alg.Repack(def, p, parseChanges(t, changes))
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := short(p); got != c.want {
				t.Errorf("plan\n %s, want\n %s", got, c.want)
			}
		})
	}
}

func TestFillingRefuses(t *testing.T) {
	const both, rcrr, ffd = "resourcecompliant firstfit", "resourcecompliant", "firstfit"
	for _, c := range []struct {
		algorithms, components, config string
		settings                       Settings
		stage                          Stage
		kind                           error
		want                           string
	}{
		{both, "a:1", "container.max.instances=0", plain, StageInitialize, nil, "topology.container.max.instances is 0"},
		{both, "a:1", "container.max.instances=-1", plain, StageInitialize, ErrExceeded,
			"Multiplying ByteAmount{1.0 GB (1073741824 bytes)} by -1 would exceed Long.MAX_LONG"},
		{both, "a:1", "container.max.instances=few", plain, StageInitialize, nil, `topology.container.max.instances is "few"`},
		{both, "a:1", "container.padding.percentage=10%", plain, StageInitialize, nil, "topology.container.padding.percentage"},
		{both, "a:1", "container.cpu.padding=some", plain, StageInitialize, nil, "topology.container.cpu.padding"},
		{both, "a:1", "container.cpu=NaN", plain, StageInitialize, nil, `topology.container.cpu is "NaN"`},
		{both, "a:1", "component.rammap=b:5", plain, StageInitialize, nil, `component "b"`},
		{both, "a:1", "component.cpumap=a:-1", plain, StageInitialize, nil, `component "a" has -1.0`},
		{both, "a:1", "component.diskmap=a:-1", plain, StageInitialize, nil, `component "a" has -1`},
		{rcrr, "a:1", "stmgrs=x", plain, StageInitialize, nil, `topology.stmgrs is "x"`},
		{ffd, "a:1", "packing.ffd.sorting.strategy=size", plain, StageInitialize, nil, `"size", neither RAM_FIRST nor CPU_FIRST`},
		{both, "a:-1 b:2", "stmgrs=1", plain, StagePack, nil, `component "a"`},
		{both, "a:0", "stmgrs=1", plain, StagePack, ErrParallelism, "the topology has no instances"},
		{both, "a:1 b:2147483647", "stmgrs=1", plain, StagePack, ErrParallelism, "2147483648 instances are more than task ids can number"},
		{both, "a:1", "container.cpu=1.9", plain, StagePack, ErrExceeded,
			"Adding instance a with 1.000 cores to container"},
		{both, "a:1", "container.disk=-1", plain, StagePack, ErrExceeded,
			"with existing ByteAmount{1.0 GB (1073741824 bytes)} disk would exceed its capacity of ByteAmount{-1 bytes} disk"},
		{rcrr, "a:1", "component.rammap=a:201326591", plain, StagePack, ErrMinimum, "Cannot add to that container: Instance a is configured"},
		{ffd, "a:1", "component.cpumap=a:0.09", plain, StagePack, ErrMinimum,
			"Instance a is configured 0.090 CPU that is less than the minimum CPU per instance 0.100"},
		{both, "a:1", "component.rammap=a:9223372036854775807", plain, StagePack, ErrExceeded,
			"Adding ByteAmount{8589934592.0 GB (9223372036854775807 bytes)} to ByteAmount{1.0 GB (1073741824 bytes)} would exceed Long.MAX_LONG"},
		{both, "a:1", "stmgrs=1", Settings{InstanceCPU: 1, InstanceRAM: 1 << 62, InstanceDisk: 1}, StageInitialize, ErrExceeded, "by 10 would exceed"},
	} {
		for _, name := range strings.Fields(c.algorithms) {
			t.Run(name+" "+c.components+" "+c.config, func(t *testing.T) {
				alg, err := New(name, c.settings)
				if err != nil {
					t.Fatal(err)
				}
				_, err = alg.Pack(define(t, c.components, c.config))
				wantRefusal(t, err, c.stage, c.kind, c.want)
			})
		}
	}
}

func TestRefillingRefuses(t *testing.T) {
	const both, rcrr, ffd = "resourcecompliant firstfit", "resourcecompliant", "firstfit"
	one := func(n int) *Plan {
		p := &Plan{ID: "t-id", Containers: []Container{{ID: 1, Required: Resource{CPU: 2, RAM: 2 << 30, Disk: 2 << 30}}}}
		for i := range int32(n) {
			p.Containers[0].Instances = append(p.Containers[0].Instances,
				Instance{Component: "a", TaskID: i + 1, Index: i, Resource: Resource{CPU: 1, RAM: 1 << 30, Disk: 1 << 30}})
		}
		return p
	}
	twice := one(1)
	twice.Containers = append(twice.Containers, twice.Containers[0])
	tiny := one(1)
	tiny.Containers[0].Required.CPU = 1e-9
	for _, c := range []struct {
		algorithms, what, config string
		plan                     *Plan
		changes                  string
		stage                    Stage
		kind                     error
		want                     string
	}{
		{both, "no change", "", one(1), "", StageRepack, ErrUnchanged, "no component grows or shrinks"},
		{both, "a change by none", "", one(1), "a:0", StageRepack, ErrUnchanged, "no component grows or shrinks"},
		{both, "more gone than there are", "", one(2), "a:-3", StageRepack, ErrParallelism,
			"Cannot remove instance. No more instances of component a exist in the containers."},
		{both, "two containers of an id", "", twice, "a:1", StageRepack, nil, "two containers of id 1"},
		{both, "a bad definition", "container.cpu=x", one(1), "a:1", StageInitialize, nil, "topology.container.cpu"},
		{both, "an instance too small", "component.rammap=a:5", one(1), "a:1", StageRepack, ErrMinimum, "the minimum RAM per instance"},
		{both, "more than can be numbered", "", one(1), "a:2147483647", StageRepack, ErrParallelism, "more than task ids can number"},
		{rcrr, "more containers than instances", "container.max.instances=2", one(1), "a:3", StageRepack, ErrExceeded,
			"Cannot add to that container: Insufficient resources to add 'a' instance to any of the 3 containers."},
		{rcrr, "containers without end", "", tiny, "a:1", StageRepack, ErrContainers, "the change needs 1000000001 containers"},
		{rcrr, "a plan of nothing", "", &Plan{}, "a:1", StageRepack, nil, "Division by 0."},
		{ffd, "a plan of nothing", "", &Plan{}, "a:1", StageRepack, ErrContainers, "the current plan has no container"},
		{ffd, "a container that is too small", "container.cpu=1.5", one(1), "a:1", StageRepack, ErrExceeded,
			"Could not repack instances into existing packing plan: Adding instance a with 1.000 cores to container 2"},
	} {
		for _, name := range strings.Fields(c.algorithms) {
			t.Run(name+" "+c.what, func(t *testing.T) {
				alg, err := New(name, plain)
				if err != nil {
					t.Fatal(err)
				}
				_, err = alg.Repack(define(t, "a:3", strings.Fields(c.config)...), c.plan, parseChanges(t, c.changes))
				wantRefusal(t, err, c.stage, c.kind, c.want)
			})
		}
	}
}

func wantRefusal(t *testing.T, err error, stage Stage, kind error, want string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v (%T), want a *Error with %q", err, err, want)
	}
	if e.Stage != stage || !strings.Contains(e.Error(), want) || e.Kind() != outcome.Usage || kind != nil && !errors.Is(err, kind) {
		t.Errorf("%s, kind %v: %s; want %s, kind %v: %s", e.Stage, e.Class, e, stage, kind, want)
	}
}
