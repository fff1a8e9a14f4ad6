package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/versions"
)

// submitFlags are those of submit. The first group the original client has
// too: these count behind the class name as well.
type submitFlags struct {
	clusterFlags
	waitFlags
	dryRun         bool
	dryRunFormat   string
	paused         bool
	extraClasspath string
	releaseFile    string
	jvmProperties  []string
	verboseGC      bool

	definition string
	topologyID string
	rollback   bool
	lock       lockFlags

	replace bool
	state   string
}

func (s *submitFlags) add(a *app, f *pflag.FlagSet) (original map[string]bool) {
	s.clusterFlags.add(f)
	f.BoolVar(&s.dryRun, "dry-run", false, "print what would be done and do nothing")
	f.StringVar(&s.dryRunFormat, "dry-run-format", "", "form of a dry run: "+strings.Join(submit.Formats(), ", ")+" (default: a table)")
	f.BoolVar(&s.paused, "deploy-deactivated", false, "submit the topology paused")
	f.StringVar(&s.extraClasspath, "extra-launch-classpath", "", "accepted for old scripts; this client has no Java of its own to launch")
	f.StringVar(&s.releaseFile, "release-yaml-file", "", "release file (default: release.yaml in Heron's home)")
	f.StringArrayVar(&s.jvmProperties, "topology-main-jvm-property", nil, "system property KEY=VALUE for the topology's main; may be repeated")
	f.BoolVar(&s.verboseGC, "verbose_gc", false, "have the instances log garbage collection")
	original = map[string]bool{"verbose-gc": true}
	f.VisitAll(func(f *pflag.Flag) { original[f.Name] = f.Name != "output" })

	s.addNomad(f)
	f.StringVar(&s.definition, "topology-definition", "", "take this definition file and run nothing")
	f.StringVar(&s.topologyID, "topology-id", "", "use this topology id instead of the program's")
	s.waitFlags.add(f)
	s.addTimeout(f)
	f.BoolVar(&s.rollback, "rollback", false, "with --wait: undo the submission of a topology that does not run in time")
	s.lock.add(f)
	f.BoolVar(&s.replace, "replace", false, "put it in the place of what runs under its name; what does not become good is taken back")
	addStateFlag(f, &s.state)
	f.BoolVar(&a.quiet, "quiet", false, "print no progress")
	f.BoolP("help", "h", false, "help for this command")
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "verbose-gc" {
			name = "verbose_gc"
		}
		return pflag.NormalizedName(name)
	})
	return original
}

func (a *app) submitCommand() *cobra.Command {
	return a.programCommand(&cobra.Command{
		Use:   "submit [flags] cluster/[role]/[env] topology-file topology-class [topology-args...]",
		Short: "Submit a topology",
		Long: `Run the program that defines a topology and put the topology on the cluster.

The topology file is a .jar, .tar, .tar.gz, .pex, .so or .dylib, or a native
executable. What stands behind the class name goes to the program; the flags
of the original client count there too. For a .pex that is run as it is, and
for a native executable, the class is "-". For a .so or .dylib it is the path
of the program that writes the definition.

With --topology-definition the program does not run and no class is given.

With --replace a topology of the name that runs is replaced, and heron waits
until the new one runs well; if it does not, the old one comes back. Where none
runs, it is submitted.`,
		Example: `  heron submit nomad topology.jar com.acme.WordCount wc
  heron submit --wait --output json nomad/ads/prod topology.jar com.acme.WordCount wc
  heron submit --replace --stable-for 1m nomad topology.jar com.acme.WordCount wc
  heron submit --wait=10m --stable-for 1m --rollback nomad/ads/prod topology.jar com.acme.WordCount wc
  heron submit --dry-run nomad topology.pex -
  heron submit --topology-definition wc.defn nomad topology.jar`,
	}, a.submit)
}

// programCommand completes a command whose line ends with the arguments of the
// user's program.
func (a *app) programCommand(cmd *cobra.Command, run func(context.Context, *submitFlags, split) error) *cobra.Command {
	var flags submitFlags
	cmd.DisableFlagParsing = true
	a.outputFlag(cmd)
	original := flags.add(a, cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// Parsing is ours from here on; cobra's own would take the flags of
		// the user's program.
		s, err := splitSubmit(args, cmd.Flags(), original)
		if err != nil {
			return err
		}
		if err := cmd.Flags().Parse(s.flags); err != nil {
			return a.flagError(cmd, err)
		}
		if !cmd.Flags().Changed("output") {
			a.output = "text" // what looked like it is the program's
		}
		if help, _ := cmd.Flags().GetBool("help"); help {
			return cmd.Help()
		}
		if err := a.checkOutput(); err != nil {
			return err
		}
		if flags.replace && !flags.dryRun {
			flags.imply()
		}
		if err := flags.check(cmd.Flags()); err != nil {
			return err
		}
		return run(cmd.Context(), &flags, s)
	}
	return cmd
}

// submittedDoc is what submit prints as JSON.
type submittedDoc struct {
	Submitted []*submit.Submitted `json:"submitted"`
	Error     *errorBody          `json:"error,omitempty"`
}

func (a *app) submit(ctx context.Context, flags *submitFlags, words split) error {
	switch {
	case flags.dryRun && flags.asked():
		return usagef("--wait does not go with --dry-run, which starts nothing")
	case flags.dryRun && flags.replace:
		return usagef("--replace does not go with --dry-run; heron plan compares with what runs")
	case flags.state != "" && !flags.replace:
		return usagef("--state goes with --replace: it is about the state of what runs")
	}
	if flags.rollback && !flags.asked() {
		return usagef("--rollback undoes a submission that --wait finds not running; add --wait")
	}
	s, req, err := a.submitRequest(ctx, flags, words, "submit")
	if err != nil {
		return err
	}
	if s.service != nil && flags.dryRun {
		return a.dryRunThrough(ctx, s, flags, req)
	}
	if flags.dryRun {
		prepared, err := submit.Prepare(ctx, req)
		if err != nil {
			return err
		}
		defer prepared.Close()
		manifests, err := prepared.Manifests(ctx)
		if err != nil {
			return err
		}
		return a.dryRun(manifests, flags.dryRunFormat)
	}
	do := a.submitDirect
	if s.service != nil {
		do = a.submitThrough
	}
	done, err := do(ctx, s, flags, req)
	if done == nil {
		return err
	}
	a.changed = slices.ContainsFunc(done, func(r *submit.Submitted) bool { return r.Action != submit.ActionUnchanged })
	return a.partial(err, func(e *errorBody) any { return submittedDoc{done, e} }, func() { a.printSubmitted(done) })
}

// submitDirect submits on the servers themselves. It returns no list where it
// fails before it begins.
func (a *app) submitDirect(ctx context.Context, s *session, flags *submitFlags, req submit.Request) ([]*submit.Submitted, error) {
	prepared, err := submit.Prepare(ctx, req)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	cl, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return a.submitWhenFree(ctx, flags, cl.Cluster, func() ([]*submit.Submitted, error) {
		if flags.replace {
			return versions.Replace(ctx, cl.Cluster, prepared, versions.ReplaceOptions{
				Wait: flags.versionWait(), State: flags.state, Rollback: flags.rollback, ForTopology: s.config.ForTopology,
			})
		}
		decisions, err := prepared.Decide(ctx, cl.Cluster)
		if err != nil {
			return nil, err
		}
		return submit.Submit(ctx, cl.Cluster, decisions, submit.Options{Wait: flags.limit(), StableFor: flags.stable, Rollback: flags.rollback})
	})
}

// submitWhenFree looks, decides and submits. The program does not run again
// after a wait, and a submission that has done something is not repeated.
func (a *app) submitWhenFree(ctx context.Context, flags *submitFlags, cl cluster.Cluster, do func() ([]*submit.Submitted, error)) ([]*submit.Submitted, error) {
	done := []*submit.Submitted{}
	var failed error
	err := flags.lock.whenFree(ctx, cl, func() error {
		list, err := do()
		done = append(done, list...)
		if len(done) > 0 {
			failed = err
			return nil
		}
		return err
	})
	return done, cmp.Or(err, failed)
}

// submitRequest turns the command line of a command into a request.
func (a *app) submitRequest(ctx context.Context, flags *submitFlags, words split, command string) (*session, submit.Request, error) {
	refuse := func(format string, args ...any) (*session, submit.Request, error) {
		return nil, submit.Request{}, usagef(format, args...)
	}
	n := len(words.positionals)
	switch {
	case flags.definition != "" && (n != 2 || len(words.program) > 0):
		return refuse("with --topology-definition give cluster and topology file only; no program runs")
	case flags.definition == "" && n < 3:
		return refuse("%s takes cluster/[role]/[env], topology file and class, got %d of 3; see: heron %s --help", command, n, command)
	}
	if f := flags.dryRunFormat; f != "" {
		if a.asJSON() && f != "json" && f != submit.FormatDeployment {
			return refuse("--output json goes with --dry-run-format json or %s, not %s", submit.FormatDeployment, f)
		}
		if err := submit.CheckFormat(flags.dryRunFormat); err != nil {
			return nil, submit.Request{}, err
		}
	}
	s, err := a.reach(ctx, &flags.clusterFlags, words.positionals[0], func(o *conf.Options) {
		o.ReleaseFile, o.Release, o.VerboseGC = flags.releaseFile, releaseText(), flags.verboseGC
	})
	if err != nil {
		return nil, submit.Request{}, err
	}
	now := a.now()
	fixed, err := topology.SourceDate(a.getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return nil, submit.Request{}, err
	}
	if !fixed.IsZero() {
		now = fixed
	}
	req := submit.Request{
		Config:         s.config,
		File:           words.positionals[1],
		DefinitionFile: flags.definition,
		TopologyID:     flags.topologyID,
		Program: topology.Program{
			Args:          words.program,
			JVMProperties: flags.jvmProperties,
			Variables:     a.env,
			Stdout:        a.stderr,
			Stderr:        a.stderr,
		},
		Paused:   flags.paused,
		DryRun:   flags.dryRun,
		Client:   version,
		Now:      now,
		ModTime:  fixed,
		Progress: a.progress(),
	}
	if n > 2 {
		req.Program.Class = words.positionals[2]
	}
	return s, req, nil
}

// dryRunFormat is the form of a dry run, by default that which the output is
// for.
func (a *app) dryRunFormat(asked string) string {
	switch {
	case asked != "":
		return asked
	case a.asJSON():
		return "json"
	case a.isTerminal():
		return "colored_table"
	}
	return "table"
}

// dryRun words what would be written.
func (a *app) dryRun(list []*submit.Manifest, format string) error {
	var texts []string
	for _, m := range list {
		var text strings.Builder
		if err := m.Show(&text, a.dryRunFormat(format)); err != nil {
			return err
		}
		texts = append(texts, text.String())
	}
	return a.show(texts)
}

// show prints the dry run of each topology; in JSON as one document, that of the
// only topology or a list.
func (a *app) show(texts []string) error {
	if a.asJSON() {
		var docs []json.RawMessage
		for _, text := range texts {
			docs = append(docs, json.RawMessage(text))
		}
		if len(docs) == 1 {
			a.printJSON(docs[0])
			return nil
		}
		a.printJSON(docs)
		return nil
	}
	for _, text := range texts {
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if _, err := io.WriteString(a.stdout, text); err != nil {
			return fmt.Errorf("print the dry run: %w", err)
		}
	}
	return nil
}

func (a *app) isTerminal() bool {
	f, ok := a.stdout.(interface{ Fd() uintptr })
	return ok && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// printSubmitted prints what was submitted, and where to look next.
func (a *app) printSubmitted(done []*submit.Submitted) {
	for _, r := range done {
		how := "submitted"
		switch {
		case r.Action == submit.ActionUnchanged:
			fmt.Fprintf(a.stdout, "topology %s at %s/%s/%s runs just this already, as id %s; nothing was changed\n", r.Topology, r.Cluster, r.Role, r.Environ, r.ID)
			continue
		case r.Action == submit.ActionReplaced:
			how = fmt.Sprintf("replaced, version %d runs", r.Number)
			if r.Paused {
				how += ", paused,"
			}
		case r.Running && r.Paused:
			how = "is up, paused,"
		case r.Running:
			how = "runs"
		case r.Paused:
			how = "submitted, paused,"
		}
		if r.Job == "" { // the original API server does not tell
			fmt.Fprintf(a.stdout, "topology %s %s at %s/%s/%s: id %s\n", r.Topology, how, r.Cluster, r.Role, r.Environ, r.ID)
			continue
		}
		fmt.Fprintf(a.stdout, "topology %s %s at %s/%s/%s: job %s, %s, id %s\n",
			r.Topology, how, r.Cluster, r.Role, r.Environ, r.Job, count(r.Containers, "container"), r.ID)
		a.say("its job in Nomad: %s", r.JobPage)
		a.say("remove it with: %s", a.command(outcome.Kill, r.Cluster, r.Role, r.Environ, r.Topology))
		if r.Action == submit.ActionReplaced {
			a.printState(r.Topology, r.State)
			a.say("go back with: %s", a.command("rollback", r.Cluster, r.Role, r.Environ, r.Topology))
			a.printSettled(r.Removed, r.Kept)
			continue
		}
		for _, l := range r.Kept {
			fmt.Fprintf(a.stdout, "%s, of an earlier submit that died, kept: %s\n", l, l.Why)
		}
	}
}
