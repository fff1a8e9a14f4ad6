package packing

import (
	"errors"
	"strings"
	"testing"
)

func TestRoundRobinV2Rules(t *testing.T) {
	for _, c := range []struct {
		rule       string
		components string
		config     []string
		want       string
	}{
		{"an instance gets the default, also in a less full container", "a:3", []string{"stmgrs=2"},
			"1[a0=1c/1024 a2=1c/1024] 3c/4096/14 | 2[a1=1c/1024] 2c/3072/14"},
		{"and in a container that has more; all CPU and disk are the container's, RAM only as needed", "a:2",
			[]string{"container.ram=8589934592", "container.cpu=4", "container.disk=5368709120"},
			"1[a0=1c/1024 a1=1c/1024] 4c/4096/5"},
		{"-1 leaves an amount open", "a:1",
			[]string{"container.ram=-1", "container.cpu=-1", "container.disk=-1"},
			"1[a0=1c/1024] 2c/3072/13"},
		{"components with more RAM of their own come first, and get it", "a:1 b:1 c:1",
			[]string{"stmgrs=3", "component.rammap=b:1048576000,c:2097152000"},
			"1[c0=1c/2000] 2c/4048/13 | 2[b0=1c/1000] 2c/3048/13 | 3[a0=1c/1024] 2c/3072/13"},
		{"components get CPU of their own, and default disk", "a:1 b:2",
			[]string{"component.cpumap=a:0.5", "component.diskmap=a:1"},
			"1[a0=0.5c/1024 b0=1c/1024 b1=1c/1024] 3.5c/5120/15"},
		{"padding gives way to instances", "a:1 b:1",
			[]string{"container.ram=3221225472", "component.rammap=a:2147483648"},
			"1[a0=1c/2048 b0=1c/1024] 3c/3072/14"},
		{"daemons' RAM is the padding", "a:1",
			[]string{"stmgr.ram=1048576", "metricsmgr.ram=2097152"},
			"1[a0=1c/1024] 2c/1027/13"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p, err := packBy("roundrobinv2", define(t, c.components, c.config...), plain)
			if err != nil {
				t.Fatal(err)
			}
			if got := short(p); got != c.want {
				t.Errorf("plan\n %s, want\n %s", got, c.want)
			}
		})
	}
}

func TestRoundRobinV2Refuses(t *testing.T) {
	for _, c := range []struct {
		components, config string
		kind               error
		want               string
	}{
		{"a:4", "container.ram=3221225472", ErrExceeded,
			"Total instance RAM (ByteAmount{4.0 GB (4294967296 bytes)}) in container#1 have exceeded " +
				"the container-level constraint of ByteAmount{3.0 GB (3221225472 bytes)}."},
		{"a:2", "container.cpu=1.5", ErrExceeded, "Total instance CPU (CPUShare{2.000}) in container#1"},
		{"a:1", "component.rammap=a:201326591", ErrMinimum,
			"A minimum of ByteAmount{192.0 MB (201326592 bytes)} RAM is required, but InstancePlan for component 'a' has"},
		{"a:1", "stmgrs=2", ErrContainers, "More containers (2) allocated than instances (1)."},
	} {
		t.Run(c.components+" "+c.config, func(t *testing.T) {
			p, err := packBy("roundrobinv2", define(t, c.components, c.config), plain)
			e, ok := errors.AsType[*Error](err)
			if !ok || !errors.Is(err, c.kind) || e.Stage != StagePack || !strings.Contains(err.Error(), c.want) {
				t.Errorf("plan %v, error %v (%T), want a *Error of the pack stage: %v: %s", p, err, err, c.kind, c.want)
			}
		})
	}
}
