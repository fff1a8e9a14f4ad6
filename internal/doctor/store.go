package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// state looks at the state store, its servers, what may be written there, and
// its directories.
func (e *examination) state(ctx context.Context) {
	s := e.cl.Settings.State
	versions := e.servers(ctx)
	if err := e.opts.Not.State; err != nil {
		e.add(failed(State, "", err, "see whether the state store runs there, and heron.statemgr.connection.string"))
		return
	}
	probe := e.cl.State.Topology("heron-doctor-no-such-topology")
	if err := e.cl.State.CheckRights(ctx, statemgr.Create(probe, nil), statemgr.Set(probe, nil), statemgr.Delete(probe)); err != nil {
		advice := "see whether the store runs"
		if errors.Is(err, statemgr.ErrDenied) {
			advice = "docs/zookeeper.md tells how to log in and which rights are needed"
		}
		e.add(failed(State, "", err, advice))
		return
	}
	e.add(ok(State, "", "%s %s%s answers and lets us write below %s", s.Kind, s.Address(), versions, s.Root))
	e.directories(ctx)
}

// servers asks the store's servers one by one, and returns their versions.
func (e *examination) servers(ctx context.Context) string {
	if e.opts.StateServers == nil {
		return ""
	}
	list, err := e.opts.StateServers(ctx)
	if err != nil {
		return "" // it could not be opened either, which is told
	}
	versions := map[string]bool{}
	reached := 0
	for _, one := range list {
		if one.Err != nil {
			continue
		}
		reached++
		if one.Version != "" {
			versions[one.Version] = true
		}
	}
	for _, one := range list {
		// Where none can be reached, the failure to open the store tells it.
		if one.Err != nil && reached > 0 {
			e.add(Check{Name: State, About: one.Address, Status: Warning, Err: one.Err, Text: fmt.Sprintf("server %s cannot be used: %v", one.Address, one.Err),
				Advice: "see whether it runs; the others do"})
		}
	}
	if len(versions) == 0 {
		return ""
	}
	return " (version " + strings.Join(keys(versions), ", ") + ")"
}

// directories looks for those that the engine needs and cannot make. ZooKeeper
// removes the original client's when they are empty.
func (e *examination) directories(ctx context.Context) {
	tree := e.cl.State
	there, err := tree.ReadAll(ctx, tree.Dirs()...)
	if err != nil {
		e.add(failed(Directories, "", err, ""))
		return
	}
	e.add(judgeDirectories(tree.Layout, there)...)
}

// judgeDirectories is about the directories that are there.
func judgeDirectories(l statemgr.Layout, there map[string]statemgr.Node) []Check {
	if len(there) == 0 {
		return []Check{ok(Directories, "", "%s is empty; the first submit makes its directories", l.Root)}
	}
	var missing, reaped []string
	for _, dir := range l.Dirs() {
		node, is := there[dir]
		switch {
		case !is:
			missing = append(missing, dir)
		case node.Ephemeral:
			reaped = append(reaped, dir) // a container node: nothing can be below one that goes with a session
		}
	}
	engine := slices.DeleteFunc(slices.Clone(missing), func(dir string) bool { return !slices.Contains(l.EngineDirs(), dir) })
	const advice = "any command that changes a topology makes them again, such as a restart of one container"
	var list []Check
	switch {
	case len(engine) > 0:
		list = append(list, problem(Directories, "", advice, "missing, so that Heron's processes cannot store what they have to: %s", strings.Join(engine, ", ")))
	case len(missing) > 0:
		list = append(list, warning(Directories, "", "the next command that changes a topology makes them", "missing: %s", strings.Join(missing, ", ")))
	}
	if len(reaped) > 0 {
		list = append(list, warning(Directories, "", "the directory is made to stay by the next submit after it has gone; nothing has to be done while topologies run",
			"ZooKeeper removes these when they are empty, because the original client made them: %s", strings.Join(reaped, ", ")))
	}
	if len(list) == 0 {
		list = append(list, ok(Directories, "", "all directories below %s are there, and stay", l.Root))
	}
	return list
}

// uploader looks at where packages go.
func (e *examination) uploader(ctx context.Context) {
	kind := e.cl.Settings.Upload.Kind
	cl, err := e.cl, e.opts.Not.Uploader
	if err == nil && cl.Uploader == nil && e.opts.ForTopology != nil {
		name := cmp.Or(e.opts.Topology, "heron-doctor")
		cl, err = cl.ForTopology(e.opts.ForTopology, name, "")
	}
	if err == nil {
		err = cl.Uploader.Check(ctx)
	}
	if err != nil {
		e.add(failed(Uploader, "", err, "docs/uploading.md tells what uploader "+kind+" needs"))
		return
	}
	var cannot []string
	can := cl.Uploader.Capabilities()
	if !can.Delete {
		cannot = append(cannot, "packages cannot be removed")
	}
	if !can.List {
		cannot = append(cannot, "packages cannot be listed")
	}
	if !can.Resume {
		cannot = append(cannot, "uploads cannot be resumed")
	}
	text := "uploader " + kind + " can store packages"
	if len(cannot) > 0 {
		text += "; with it, " + strings.Join(cannot, ", ")
	}
	e.add(ok(Uploader, "", "%s", text))
}

// gcAge is how old a package is that gc would remove by default.
const gcAge = 7 * 24 * time.Hour

// packages looks for packages that nothing uses.
func (e *examination) packages(ctx context.Context) {
	if !e.hasState() || e.opts.Not.Uploader != nil || !e.hasNomad() {
		return // told already
	}
	found, err := lifecycle.GC(ctx, e.cl, e.nomad, lifecycle.GCOptions{OlderThan: gcAge, Now: e.opts.Now(), DryRun: true})
	switch kind := outcome.KindOf(err); {
	case ctx.Err() != nil:
	case kind == outcome.Usage, kind == outcome.Denied:
		e.add(ok(Packages, "", "not looked at: %v", err))
	case err != nil:
		e.add(Check{Name: Packages, Status: Warning, Text: fmt.Sprintf("cannot tell which packages are used: %v", err), Err: err})
	case len(found.Removed) > 0:
		c := warning(Packages, "", "", "%d packages of %d bytes are older than 7 days, and nothing uses them", len(found.Removed), found.Bytes)
		c.Remedy = &outcome.Remedy{Action: outcome.GC, Cluster: e.cl.Settings.Cluster, Role: e.cl.Settings.Role, Environ: e.cl.Settings.Environ}
		e.add(c)
	default:
		e.add(ok(Packages, "", "all packages are used or young: %d and %d", found.Kept, found.Young))
	}
}

func keys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// named is how many of a list a text names.
const named = 5

// some is the first few of a list.
func some(list []string) string {
	if rest := len(list) - named; rest > 0 {
		return strings.Join(list[:named], ", ") + fmt.Sprintf(" and %d more", rest)
	}
	return strings.Join(list, ", ")
}
