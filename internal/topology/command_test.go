package topology

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/heronpb"
)

func TestOptionsAsTheOriginalWritesThem(t *testing.T) {
	p := &Program{
		File: "my topo.jar", Class: "org.Main", Args: []string{"first=x", "second"},
		Identity: Identity{Cluster: "nomad", Role: "ads", Environ: "", User: "me"},
	}
	const head = "cmdline.topologydefn.tmpdirectory=/tmp/a%%%%b,cmdline.topology.initial.state="
	const identity = ",cmdline.topology.role=ads,cmdline.topology.environment=,cmdline.topology.cluster=nomad"
	for name, test := range map[string]struct {
		change func(*Program)
		kind   kind
		want   string
	}{
		"jar": {func(*Program) {}, kindJar, head + "RUNNING" + identity +
			",cmdline.topology.file_name=my%%%%topo.jar,cmdline.topology.class_name=org.Main,cmdline.topology.submit_user=me"},
		"deactivated": {func(p *Program) { p.InitialState = heronpb.TopologyState_PAUSED }, kindJar, head + "PAUSED" + identity +
			",cmdline.topology.file_name=my%%%%topo.jar,cmdline.topology.class_name=org.Main,cmdline.topology.submit_user=me"},
		"class of a pex": {func(p *Program) { p.File, p.Class = "x.pex", "a.B" }, kindPex, head + "RUNNING" + identity +
			",cmdline.topology.file_name=x.pex,cmdline.topology.class_name=a.B,cmdline.topology.submit_user=me,cmdline.topology.name=first=x"},
		"pex by itself": {func(p *Program) { p.File, p.Class = "x.pex", "-" }, kindPex, head + "RUNNING" + identity +
			",cmdline.topology.file_name=x.pex,cmdline.topology.class_name=-,cmdline.topology.submit_user=me"},
		"a file name that does not fit is left out": {func(p *Program) { p.File = "a,b=c.jar" }, kindJar, head + "RUNNING" + identity +
			",cmdline.topology.class_name=org.Main,cmdline.topology.submit_user=me"},
	} {
		q := *p
		test.change(&q)
		options, err := q.options(test.kind, "/tmp/a b")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(test.want, joinOptions(options)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestProgramGetsNoTokens(t *testing.T) {
	environ := []string{"PATH=/bin", "LANG=C", "HERON_HOME=/h", "HERON_OPTIONS=old", "EMPTY="}
	secret := append(SecretVariables(), "HERON_HTTP_TOKEN", "HERON_STATEMGR_PASSWORD")
	for _, name := range secret {
		environ = append(environ, name+"=s3cret")
	}
	for _, name := range []string{"NOMAD_TOKEN", "CONSUL_HTTP_TOKEN", "VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		if !slices.Contains(secret, name) {
			t.Errorf("%s counts as no secret", name)
		}
	}
	want := []string{"PATH=/bin", "LANG=C", "HERON_HOME=/h", "EMPTY=", "HERON_OPTIONS=new"}
	if diff := cmp.Diff(want, programVariables(environ, "new")); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestJavaCommand(t *testing.T) {
	p := &Program{
		File: "dir/app.jar", Class: "Main", Args: []string{"--password", "s3cret"},
		JVMProperties: []string{"key=pass=word", "flag"}, HeronHome: "/opt/heron",
		Variables: []string{"JAVA_BIN=/bin/sh"},
	}
	c, err := p.command(t.Context(), kindJar, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/bin/sh", "-client", "-Xmx1g", "-Dkey=pass=word", "-Dflag",
		"-cp", "dir/app.jar:/opt/heron/lib/third_party/*", "Main", "--password", "s3cret"}
	if diff := cmp.Diff(want, c.args); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	if strings.Contains(c.shown, "pass=word") || strings.Contains(c.shown, "s3cret") || !strings.Contains(c.shown, "Main (and 2 arguments)") {
		t.Errorf("shown as %q", c.shown)
	}
}

func TestJavaIsFoundInOrder(t *testing.T) {
	f := newFixture(t, sample("t"))
	home := f.write(t, "java", []byte("#!/bin/sh\n"), 0o700)
	bin := strings.TrimSuffix(home, "/java")
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"JAVA_BIN first":   {[]string{"PATH=" + bin, "JAVA_HOME=/no", "JAVA_BIN=/bin/sh"}, "/bin/sh"},
		"JAVA_BIN by name": {[]string{"PATH=/bin", "JAVA_BIN=sh"}, "/bin/sh"},
		"PATH last":        {[]string{"PATH=.:/no:" + bin, "JAVA_HOME="}, home},
	} {
		f.Variables = test.environ
		if got, err := f.java(); got != test.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
}

func TestPackageType(t *testing.T) {
	f := newFixture(t, sample("t"))
	for name, want := range map[string]string{
		"a.jar": "jar", "/x/A.JAR": "jar", "a.tar": "tar", "a.tar.gz": "tar", "A.Tar.GZ": "tar", "a.pex": "pex", "a.so": "so", "a.dylib": "dylib",
		"a.zip": "", "a.tgz": "", "a.gz": "", "jar": "", "a.jar.bak": "", "": "",
		f.write(t, "elf-1.2", []byte("\x7fELF\x02"), 0o700):                    "so",
		f.write(t, "script", []byte("#!/bin/sh\n"), 0o700):                     "so",
		f.write(t, "mach", []byte{0xcf, 0xfa, 0xed, 0xfe, 7}, 0o700):           "dylib",
		f.write(t, "words", append([]byte("#!x\n"), zipped(t, nil)...), 0o700): "pex",
		f.write(t, "empty", nil, 0o700):                                        "",
		f.dir:                                                                  "",
	} {
		got, err := PackageType(name)
		if got != want || (want == "") != (err != nil) {
			t.Errorf("%q: %q, %v; want %q", name, got, err, want)
		}
	}
}
