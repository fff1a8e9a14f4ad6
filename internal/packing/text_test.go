package packing

import "testing"

func TestTexts(t *testing.T) {
	for n, want := range map[int64]string{
		0:             "ByteAmount{0 bytes}",
		511:           "ByteAmount{511 bytes}",
		512:           "ByteAmount{0.5 KB (512 bytes)}",
		1 << 20:       "ByteAmount{1.0 MB (1048576 bytes)}",
		1431655765:    "ByteAmount{1.3 GB (1431655765 bytes)}",
		268435456 * 5: "ByteAmount{1.3 GB (1342177280 bytes)}",
		-1:            "ByteAmount{-1 bytes}",
	} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]int64{0: 0, 524287: 0, 524288: 1, 1572864: 2, 1 << 30: 1024} {
		if got := Megabytes(n); got != want {
			t.Errorf("Megabytes(%d) = %d, want %d", n, got, want)
		}
	}
	r := Resource{CPU: 1.5, RAM: 1 << 30, Disk: 2}
	p := &Plan{ID: "t-id", Containers: []Container{{
		ID: 1, Required: r, Scheduled: &r,
		Instances: []Instance{{Component: "a", TaskID: 1, Index: 0, Resource: r}},
	}}}
	const text = "{cpu: 1.500000, ram: ByteAmount{1.0 GB (1073741824 bytes)}, disk: ByteAmount{2 bytes}}"
	want := "{plan-id: t-id, containers-list: [{container-id: 1, instances-list: [{component-name: a, task-id: 1, " +
		"component-index: 0, instance-resource: " + text + "}], required-resource: " + text +
		", scheduled-resource: " + text + "}]}"
	if got := p.String(); got != want {
		t.Errorf("plan prints as\n%s, want\n%s", got, want)
	}
}
