package main

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/localfs"
	"github.com/heron-nomad/heron/internal/testenv"
)

// completions are the words offered for the end of a line.
func completions(t *testing.T, line ...string) (words []string) {
	t.Helper()
	code, out, errs := lines(t, append([]string{"__complete"}, line...)...)
	if code != exitOK {
		t.Fatalf("%v: code %d, %s", line, code, errs)
	}
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		if word, _, _ := strings.Cut(l, "\t"); !strings.HasPrefix(word, ":") {
			words = append(words, word)
		}
	}
	return words
}

// folderCluster is a cluster whose state is in a folder, with the topologies
// words of ann and others of bob, and the flags that lead to it.
func folderCluster(t *testing.T) (flags []string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "state")
	store, err := localfs.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	tree := statemgr.Tree{Store: store, Layout: statemgr.Layout{Root: root}}
	write := func(path string, m proto.Message) {
		data, err := proto.Marshal(m)
		if err == nil {
			err = tree.EnsureDirs(t.Context(), tree.Dirs()...)
		}
		if err == nil {
			err = tree.ApplyAll(t.Context(), statemgr.Create(path, data))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, role := range map[string]string{"words": "ann", "others": "bob"} {
		write(tree.Topology(name), &heronpb.Topology{
			Id: proto.String(name + "1"), Name: proto.String(name), State: heronpb.TopologyState_RUNNING.Enum(),
		})
		write(tree.ExecutionState(name), &heronpb.ExecutionState{
			TopologyName: proto.String(name), TopologyId: proto.String(name + "1"),
			Cluster: proto.String("nomad"), Role: proto.String(role), Environ: proto.String("default"),
		})
	}
	instance := func(component string) *heronpb.InstancePlan {
		return &heronpb.InstancePlan{ComponentName: proto.String(component), TaskId: proto.Int32(1), ComponentIndex: proto.Int32(0), Resource: resource()}
	}
	plan := &heronpb.PackingPlan{Id: proto.String("p")}
	for i := range int32(2) {
		plan.ContainerPlans = append(plan.ContainerPlans, &heronpb.ContainerPlan{
			Id: proto.Int32(i + 1), InstancePlans: []*heronpb.InstancePlan{instance("spout"), instance("bolt")}, RequiredResource: resource(),
		})
	}
	write(tree.PackingPlan("words"), plan)
	ops := []statemgr.Op{tree.CreateHistory("words")}
	for n := range 2 {
		content := statemgr.VersionContent{Definition: []byte("x"), PackingPlan: []byte("x"), Job: []byte("x")}
		v := statemgr.Version{Number: n + 1, VersionContent: content}
		v.Deployment.TopologyID = "words1"
		made, err := v.Ops(tree.Layout, "words")
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, made...)
	}
	if err := tree.ApplyAll(t.Context(), ops...); err != nil {
		t.Fatal(err)
	}
	return stateFlags("heron.class.state.manager=org.apache.heron.statemgr.localfs.LocalFileSystemStateManager", "heron.statemgr.root.path="+root)
}

func resource() *heronpb.Resource {
	return &heronpb.Resource{Ram: proto.Int64(1), Cpu: proto.Float64(1), Disk: proto.Int64(1)}
}

func stateFlags(properties ...string) []string {
	flags := []string{"--config-path", filepath.Join(testenv.Root(), "conf")}
	for _, p := range properties {
		flags = append(flags, "--config-property", p)
	}
	return flags
}

func TestNamesOfTheClusterAreCompleted(t *testing.T) {
	flags := folderCluster(t)
	for _, c := range []struct {
		command string
		words   []string
		want    []string
	}{
		{"kill", []string{"nomad", ""}, []string{"words"}},
		{"kill", []string{"nomad/bob", ""}, []string{"others"}},
		{"status", []string{"nomad/ann/default", "w"}, []string{"words"}},
		{"activate", []string{"nomad", "x"}, nil},
		{"deactivate", []string{"nowhere", ""}, nil},
		{"topologies", []string{""}, []string{"nomad"}},
		{"topologies", []string{"nomad", ""}, nil},
		{"kill", []string{"nomad", "words", ""}, nil},
		{"gc", []string{"no"}, []string{"nomad"}},
		{"doctor", []string{"nomad", ""}, []string{"words"}},
		{"unlock", []string{"nomad", ""}, []string{"words"}},
		{"restart", []string{"nomad", "words", ""}, []string{"0", "1", "2"}},
		{"restart", []string{"nomad", "words", "--component", "s"}, []string{"spout"}},
		{"rollback", []string{"nomad", "words", ""}, []string{"1", "2"}},
		{"history", []string{"nomad", ""}, []string{"words"}},
		{"logs", []string{"nomad", "words", ""}, []string{"0", "1", "2"}},
		{"logs", []string{"nomad", "words", "--component", ""}, []string{"bolt", "spout"}},
		{"submit", []string{""}, []string{"nomad"}},
		{"submit", []string{"--dry-run-format", "ta"}, []string{"table"}},
		{"plan", []string{"--topology-"}, []string{"--topology-definition", "--topology-id", "--topology-main-jvm-property"}},
		{"kill", []string{"--output", ""}, []string{"text", "json"}},
	} {
		line := append(append([]string{c.command}, flags...), c.words...)
		if got := completions(t, line...); !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %v, want %v", c.command, c.words, got, c.want)
		}
	}
	if got := completions(t, "config", "nomad", ""); !slices.Equal(got, []string{"list", "set", "unset"}) {
		t.Errorf("config: %v", got)
	}
	if got := completions(t, "help", "exi"); !slices.Equal(got, []string{"exit-codes"}) {
		t.Errorf("help: %v", got)
	}
	if got := completions(t, "completion", ""); !slices.Contains(got, "fish") {
		t.Errorf("completion: %v", got)
	}
}

// The number of instances stands behind the component's name.
func TestComponentsAreCompletedForANumber(t *testing.T) {
	a := quietApp()
	a.getenv = account
	cmd, _, err := a.rootCommand().Find([]string{"status"})
	if err != nil {
		t.Fatal(err)
	}
	cmd.SetContext(t.Context())
	if err := cmd.ParseFlags(folderCluster(t)); err != nil {
		t.Fatal(err)
	}
	if got, _ := a.flagCompleter("component-parallelism")(cmd, []string{"nomad", "words"}, ""); !slices.Equal(got, []string{"bolt:", "spout:"}) {
		t.Errorf("%v", got)
	}
	cmd.Use = "rollback [flags] cluster/[role]/[env] topology-name [version]"
	if got, _ := a.completePositional(cmd, []string{"nomad", "words"}, ""); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("versions: %v", got)
	}
}

// A server that takes a connection and says nothing must not hold up a person
// who presses Tab.
func TestCompletionGivesUpOnASilentServer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	begun := time.Now()
	flags := stateFlags("heron.statemgr.connection.string=" + silent.Addr().String())
	if got := completions(t, append(append([]string{"kill"}, flags...), "nomad", "")...); got != nil {
		t.Errorf("offered %v", got)
	}
	if took := time.Since(begun); took > 2*completionTime {
		t.Errorf("took %v", took)
	}
}

func TestCompletionScripts(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "complete -o default", "zsh": "#compdef heron", "fish": "complete -c heron", "powershell": "Register-ArgumentCompleter",
	} {
		if code, out, errs := lines(t, "completion", shell); code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: code %d, %s", shell, code, errs)
		}
	}
	if code, _, _ := lines(t, "completion", "--output", "json", "bash"); code != exitOK {
		t.Errorf("code %d", code)
	}
	if code, out, _ := lines(t, "completion", "--output", "json", "tcsh"); code != exitInput || !strings.Contains(out, `"kind": "usage"`) {
		t.Errorf("code %d, %s", code, out)
	}
}
