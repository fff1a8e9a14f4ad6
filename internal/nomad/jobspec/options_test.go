package jobspec

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/conf"
)

// allOptions is a job with all that the configuration can say, which every
// node of the tests takes.
func allOptions() Spec {
	s := someSpec()
	n := &s.Settings.Nomad
	n.Namespace, n.Region = "default", "global"
	n.Place = conf.NomadPlace{
		NodePool: "default", Priority: 70,
		Constraints: []conf.Constraint{{Attribute: "${attr.kernel.name}", Operator: "regexp", Value: "linux|darwin"}},
		Affinities:  []conf.Affinity{{Attribute: "${node.class}", Operator: "=", Value: "big", Weight: -30}},
		Spreads:     []conf.Spread{{Attribute: "${node.datacenter}", Weight: 20, Targets: []conf.SpreadTarget{{Value: "dc1", Percent: 70}, {Value: "dc2", Percent: 30}}}},
	}
	n.Policy = conf.NomadPolicy{
		Restart:    conf.RestartPolicy{Attempts: 2, Interval: time.Minute, Delay: 10 * time.Second, Mode: "delay"},
		Reschedule: conf.ReschedulePolicy{Attempts: 3, Interval: time.Hour, Delay: 20 * time.Second, DelayFunction: "fibonacci", MaxDelay: time.Minute},
		Update: conf.UpdatePolicy{
			MaxParallel: 4, HealthCheck: "task_states", MinHealthyTime: time.Second,
			HealthyDeadline: 20 * time.Minute, ProgressDeadline: 30 * time.Minute, AutoRevert: true,
		},
		Logs: conf.LogPolicy{MaxFiles: 7, MaxFileSize: 50 << 20},
	}
	n.Variables = map[string]string{"COLOUR": "green"}
	n.MemoryMaxPercent = 150
	return s
}

func TestOptionsAreInTheJob(t *testing.T) {
	job := mustBuild(t, allOptions())
	group := job.TaskGroups[0]
	task := group.Tasks[0]
	for what, c := range map[string]struct {
		got  any
		want string
	}{
		"namespace":   {job.Namespace, `"default"`},
		"region":      {job.Region, `"global"`},
		"node pool":   {job.NodePool, `"default"`},
		"priority":    {job.Priority, `70`},
		"constraints": {job.Constraints, `[{"LTarget":"${attr.kernel.name}","RTarget":"linux|darwin","Operand":"regexp"}]`},
		"affinities":  {job.Affinities, `[{"LTarget":"${node.class}","RTarget":"big","Operand":"=","Weight":-30}]`},
		"spreads":     {job.Spreads, `[{"Attribute":"${node.datacenter}","Weight":20,"SpreadTarget":[{"Value":"dc1","Percent":70},{"Value":"dc2","Percent":30}]}]`},
		"restart": {group.RestartPolicy,
			`{"Interval":60000000000,"Attempts":2,"Delay":10000000000,"Mode":"delay","RenderTemplates":null}`},
		"reschedule": {group.ReschedulePolicy,
			`{"Attempts":3,"Interval":3600000000000,"Delay":20000000000,"DelayFunction":"fibonacci","MaxDelay":60000000000,"Unlimited":false}`},
		"update": {group.Update,
			`{"Stagger":null,"MaxParallel":4,"HealthCheck":"task_states","MinHealthyTime":1000000000,"HealthyDeadline":1200000000000,` +
				`"ProgressDeadline":1800000000000,"Canary":0,"AutoRevert":true,"AutoPromote":false}`},
		"logs":       {[]*int{task.LogConfig.MaxFiles, task.LogConfig.MaxFileSizeMB}, `[7,50]`},
		"disk":       {group.EphemeralDisk.SizeMB, `550`},
		"memory":     {[]*int{task.Resources.MemoryMB, task.Resources.MemoryMaxMB}, `[201,301]`},
		"extra":      {task.Env["COLOUR"], `"green"`},
		"Heron's":    {task.Env[envPackageURI], `"file:///packages/wc.tar.gz"`},
		"containers": {*group.Count, `3`},
	} {
		got, err := json.Marshal(c.got)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestWhatIsNotSaidIsLeftToNomad(t *testing.T) {
	job := mustBuild(t, someSpec())
	group := job.TaskGroups[0]
	task := group.Tasks[0]
	if job.Namespace != nil || job.Region != nil || job.NodePool != nil || job.Priority != nil ||
		len(job.Constraints)+len(job.Affinities)+len(job.Spreads) > 0 ||
		task.LogConfig != nil || task.Resources.MemoryMaxMB != nil || group.EphemeralDisk != nil {
		t.Errorf("%+v", job)
	}
	if *group.Update.MaxParallel != 1 || *group.RestartPolicy.Attempts != 3 || !*group.ReschedulePolicy.Unlimited {
		t.Errorf("policies are not the defaults: %+v %+v %+v", group.Update, group.RestartPolicy, group.ReschedulePolicy)
	}
}

// TestDiskHasRoomForLogs shows how the disk that is asked for follows from
// the plan's, 50 MB here, and the logs.
func TestDiskHasRoomForLogs(t *testing.T) {
	for _, c := range []struct {
		request bool
		logs    conf.LogPolicy
		want    int
	}{
		{false, conf.LogPolicy{}, 0},
		{false, conf.LogPolicy{MaxFiles: 2}, 0},
		{false, conf.LogPolicy{MaxFiles: 30}, 500},
		{true, conf.LogPolicy{}, 50},
		{true, conf.LogPolicy{MaxFiles: 1, MaxFileSize: 1 << 20}, 201},
	} {
		s := someSpec()
		s.Settings.Nomad.RequestDisk = c.request
		s.Settings.Nomad.Policy = conf.DefaultNomadPolicy()
		s.Settings.Nomad.Policy.Logs = c.logs
		got := 0
		if disk := mustBuild(t, s).TaskGroups[0].EphemeralDisk; disk != nil {
			got = *disk.SizeMB
		}
		if got != c.want {
			t.Errorf("request %v, logs %+v: %d MB, want %d", c.request, c.logs, got, c.want)
		}
	}
}

func TestExtraVariablesDoNotReplaceHerons(t *testing.T) {
	own := mustBuild(t, someSpec()).TaskGroups[0].Tasks[0].Env
	for name := range own {
		s := someSpec()
		s.Settings.Nomad.Variables = map[string]string{name: "mine"}
		_, err := Build(s)
		var bad *InputError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), name+", which is Heron's own") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who reads metrics leaves before the container does.
func TestContainersWithAServiceEndLater(t *testing.T) {
	for _, registered := range []bool{false, true} {
		s := someSpec()
		s.Settings.Nomad.ShutdownDelay = 3 * time.Second
		s.Settings.Executor.MetricsPortFile, s.Settings.Nomad.RegisterMetrics = "port_file", registered
		want := time.Duration(0)
		if registered {
			want = 3 * time.Second
		}
		if got := mustBuild(t, s).TaskGroups[0].Tasks[0].ShutdownDelay; got != want {
			t.Errorf("registered %v: shutdown delay %s, want %s", registered, got, want)
		}
	}
}

func TestANodeWithoutNomadEndsItsContainers(t *testing.T) {
	s := someSpec()
	if block := mustBuild(t, s).TaskGroups[0].Disconnect; block != nil {
		t.Errorf("switched off: %+v", block)
	}
	s.Settings.Nomad.DisconnectStop = time.Minute
	if block := mustBuild(t, s).TaskGroups[0].Disconnect; block == nil || *block.StopOnClientAfter != time.Minute || block.LostAfter != nil {
		t.Errorf("after a minute: %+v", block)
	}
}
