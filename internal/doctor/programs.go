package doctor

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/topology"
)

// versionTime bounds the run of a program that is asked for its version.
const versionTime = 10 * time.Second

// Programs makes the one check that is about the machine where topologies are
// submitted, for a report from elsewhere.
func Programs(ctx context.Context, opts Options) []Check {
	e := &examination{opts: opts}
	e.programs(ctx)
	return e.checks
}

// programs looks for what runs topology files here: java for jars, python for
// pex files. Without a file at hand, what is missing may never be needed.
func (e *examination) programs(ctx context.Context) {
	jar, pex := true, true
	var kind string
	if e.opts.File != "" {
		var err error
		if kind, err = topology.PackageType(e.opts.File); err != nil {
			e.add(failed(Java, "", err, ""))
			return
		}
		jar, pex = kind == "jar" || kind == "tar", kind == "pex"
	}
	if jar {
		e.program(ctx, Java, "jars", e.opts.Program.Java, "-version")
	}
	if pex {
		e.program(ctx, Python, "pex files", e.opts.Program.Python, "--version")
	}
}

// program asks a program for its version.
func (e *examination) program(ctx context.Context, name, runs string, find func() (string, error), flag string) {
	bin, err := find()
	var version string
	if err == nil {
		version, err = versionOf(ctx, bin, flag)
	}
	switch {
	case err == nil:
		e.add(ok(name, "", "%s is %s", bin, version))
	case e.opts.File != "":
		e.add(failed(name, "", err, ""))
	default:
		e.add(Check{Name: name, Status: Warning, Err: err, Text: err.Error(), Advice: "needed only where " + runs + " are submitted from this machine"})
	}
}

// versionOf is the first line that a program prints about itself.
func versionOf(ctx context.Context, bin, flag string) (string, error) {
	bounded, cancel := context.WithTimeout(ctx, versionTime)
	defer cancel()
	cmd := exec.CommandContext(bounded, bin, flag)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"} // nothing of ours
	out, err := cmd.CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return "", errors.New(bin + " does not run: " + strings.TrimSpace(line+" "+err.Error()))
	}
	return strings.TrimSpace(line), nil
}
