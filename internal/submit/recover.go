package submit

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
)

// lookBack finds out whether an earlier submission of the name is under way,
// which is an error, or has died, and what it left.
func (s *submission) lookBack(ctx context.Context) error {
	name := s.d.Definition.Name()
	found, err := s.env.readIntent(ctx, s.layout, name)
	if err != nil || found == nil {
		return err
	}
	if found.alive {
		return busy(name, found.intent.Owner)
	}
	s.found = found
	if err := checkPlace(s.d.in.Settings.Nomad, found.intent); err != nil {
		return err
	}
	if err := s.finished(ctx); err != nil {
		return err
	}
	s.resume = s.canResume()
	return nil
}

// canResume says whether this submission would make the very same as the one
// that died: then all that is there already is its own.
func (s *submission) canResume() bool {
	i, d := s.found.intent, s.d
	return i.Request != "" && i.Request == d.in.Request &&
		i.TopologyID == d.Definition.ID() && i.SubmittedAt.Unix() == d.in.Now.Unix() &&
		s.env.Uploader.Capabilities().FixedNames &&
		i.Package.Uploader == d.in.Settings.Upload.Kind && i.Package.Name == d.PackageName && i.Package.URI == d.Package.URI
}

// finished ends a submission whose predecessor died when all was done: its
// topology runs, and is not to be touched. All that is left to do for it is
// to remove its intent.
func (s *submission) finished(ctx context.Context) error {
	name, id := s.d.Definition.Name(), s.found.intent.TopologyID
	job, err := s.env.Jobs.Job(ctx, *s.d.Job.ID)
	if errors.Is(err, nomad.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for job %s: %w", *s.d.Job.ID, err)
	}
	if job.Meta[jobspec.MetaTopologyID] != id || job.Stop != nil && *job.Stop {
		return nil
	}
	st, err := readStored(ctx, s.env, s.layout, name)
	if err != nil {
		return err
	}
	if !st.complete(id) {
		return outcome.Errorf(outcome.Exists, "job %s of a submit that died runs, although the state of topology %q is not whole; remove both with: %s",
			*s.d.Job.ID, name, s.d.killCommand())
	}
	drop := statemgr.Delete(s.layout.Operation(name)).At(s.found.version)
	if err := s.env.Store.Apply(ctx, drop); err != nil {
		s.env.Report.say("could not remove %s, which does no harm: %v", drop.Path, err)
	}
	s.env.sweep(ctx, s.layout, name)
	return outcome.Errorf(outcome.Exists, "topology %q already exists at %s: the submit that was killed had done all, as id %s; kill it first, or submit under another name",
		name, s.layout.Topology(name), id)
}

// stored is what there is of a topology's state, by the ids that its parts
// name. The scheduler's location has none.
type stored struct {
	parts int
	ids   map[string]int
	// definition: the topology is there.
	definition bool
}

// stateParts are the nodes that a submission makes.
const stateParts = 5

// complete says that all of it is there and of one id.
func (st stored) complete(id string) bool {
	return st.parts == stateParts && st.of(id)
}

// of says that what is there is of one id and no other.
func (st stored) of(id string) bool { return len(st.ids) == 1 && st.ids[id] > 0 }

// readStored looks at the nodes that a submission makes.
func readStored(ctx context.Context, env Env, layout statemgr.Layout, name string) (stored, error) {
	st := stored{ids: map[string]int{}}
	for _, part := range []struct {
		path string
		id   func(data []byte) (string, error)
	}{
		{layout.Topology(name), func(data []byte) (string, error) {
			def, err := topology.Decode(data)
			if err != nil {
				return "", err
			}
			return def.ID(), nil
		}},
		{layout.PackingPlan(name), func(data []byte) (string, error) {
			var plan heronpb.PackingPlan
			err := proto.Unmarshal(data, &plan)
			return plan.GetId(), err
		}},
		{layout.ExecutionState(name), func(data []byte) (string, error) {
			var es heronpb.ExecutionState
			err := proto.Unmarshal(data, &es)
			return es.GetTopologyId(), err
		}},
		{layout.Deployment(name), func(data []byte) (string, error) {
			record, err := statemgr.DecodeDeployment(data)
			return record.TopologyID, err
		}},
		{layout.Scheduler(name), nil},
	} {
		data, there, err := env.readNode(ctx, part.path, fmt.Sprintf("look for topology %q", name))
		if err != nil {
			return stored{}, err
		}
		if !there {
			continue
		}
		st.parts++
		st.definition = st.definition || part.path == layout.Topology(name)
		if part.id == nil {
			continue
		}
		id, err := part.id(data)
		if err != nil {
			id = "" // nobody's that we know
		}
		st.ids[id]++
	}
	return st, nil
}

// checkState refuses a name whose state is there, in part or whole, unless
// the submission that died left it, and a state store that would not let us
// write.
func (s *submission) checkState(ctx context.Context) error {
	name := s.d.Definition.Name()
	st, err := readStored(ctx, s.env, s.layout, name)
	if err != nil {
		return err
	}
	s.oldState = s.found != nil && !s.resume && st.of(s.found.intent.TopologyID)
	rights := s.intentRights()
	for _, op := range s.d.State {
		node, there, err := s.env.readNode(ctx, op.Path, fmt.Sprintf("look for topology %q", name))
		switch {
		case err != nil:
			return err
		case !there:
			rights = append(rights, op)
		case s.oldState:
			rights = append(rights, statemgr.Delete(op.Path))
		case s.resume && string(node) == string(op.Data):
		case st.definition:
			return outcome.Errorf(outcome.Exists, "topology %q already exists at %s; kill it first, or submit under another name",
				name, s.layout.Topology(name))
		default:
			return outcome.Errorf(outcome.Exists, "%s is left of an earlier topology %q; remove it with: %s", op.Path, name, s.d.killCommand())
		}
	}
	if err := statemgr.CheckRights(ctx, s.env.Store, s.layout, rights...); err != nil {
		return fmt.Errorf("submit topology %q: %w", name, err)
	}
	return nil
}

// intentRights are operations as those on the intent and its owner.
func (s *submission) intentRights() []statemgr.Op {
	path := s.layout.Operation(s.d.Definition.Name())
	owner := s.layout.Owner(s.d.Definition.Name(), "0000000000000000")
	ops := []statemgr.Op{statemgr.Create(owner, nil), statemgr.Delete(owner)}
	if s.found != nil {
		return append(ops, statemgr.Set(path, nil), statemgr.Delete(path))
	}
	return append(ops, statemgr.Create(path, nil), statemgr.Delete(path))
}

// begin claims the topology and, where an earlier submission died whose work
// is of no use, removes what it left.
func (s *submission) begin(ctx context.Context) error {
	name, set := s.d.Definition.Name(), s.d.in.Settings
	owner := statemgr.NewOwner(statemgr.OperationSubmit, set.User, s.d.in.Now)
	intent := s.intent()
	if s.found != nil {
		// Until its leavings are gone, the intent speaks of them: whoever finds
		// it must find them.
		intent = s.found.intent
	}
	var err error
	if s.claim, err = s.env.claimIntent(ctx, s.layout, name, owner, intent, s.found); err != nil {
		return err
	}
	switch {
	case s.found == nil:
		return nil
	case s.resume:
		s.env.Report.say("go on where %s died, at the step %q, as id %s", s.found.intent.Owner, s.found.intent.Step, s.d.Definition.ID())
		s.uploaded, s.stateMade = true, true
		return nil
	}
	s.env.Report.say("remove what %s left, which died at the step %q", s.found.intent.Owner, s.found.intent.Step)
	cleanup := run{steps: s.cleanup(), report: s.env.Report, undoLimit: s.undoLimit()}
	if err := cleanup.carryOut(ctx); err != nil {
		s.claim.letGo(context.WithoutCancel(ctx))
		return s.stillLeft(err)
	}
	if err := s.claim.write(ctx, s.ownIntent()); err != nil {
		s.claim.letGo(context.WithoutCancel(ctx))
		return fmt.Errorf("claim topology %q: %w", name, err)
	}
	return nil
}

// stillLeft makes an error of a cleanup name what it could not remove.
func (s *submission) stillLeft(err error) error {
	var f *Failure
	if !errors.As(err, &f) {
		return err
	}
	f.Repair = s.d.killCommand()
	f.Left = append(f.Left, Leftover{What: "what a submit that died left of topology " + s.d.Definition.Name(), Why: "see " + s.claim.layout.Operation(s.d.Definition.Name())})
	return f
}

// clearParts removes what is left of the upload of a submission that died,
// where a new upload would not go on with it.
func (s *submission) clearParts(ctx context.Context) error {
	if can := s.env.Uploader.Capabilities(); can.Resume || !can.List || !can.Delete {
		return nil
	}
	for stored, err := range s.env.Uploader.List(ctx, path.Dir(s.d.PackageName)) {
		if err != nil {
			return err
		}
		if stored.Partial && stored.Name == s.d.PackageName {
			return s.env.Uploader.Delete(ctx, s.d.Package.URI)
		}
	}
	return nil
}

// cleanup are the steps that remove what a submission left that died. Its job,
// if it is there, is stopped; the new one takes its place.
func (s *submission) cleanup() []step {
	var list []step
	name, i := s.d.Definition.Name(), s.found.intent
	if s.oldState {
		list = append(list, step{
			name: fmt.Sprintf("remove the state that it left of topology %q", name),
			do: func(ctx context.Context) error {
				err := statemgr.DeleteTopology(ctx, s.env.Store, s.layout, name, false, s.claim.guards()...)
				return s.claim.seen(err)
			},
		})
	}
	if i.Package.URI != "" && i.Package.URI != s.d.Package.URI {
		list = append(list, step{
			name: "remove its package " + i.Package.URI,
			do:   func(ctx context.Context) error { return s.removeOldPackage(ctx, i) },
		})
	}
	return list
}

// removeOldPackage removes a package as far as the configured uploader can.
func (s *submission) removeOldPackage(ctx context.Context, i statemgr.Intent) error {
	if i.Package.Uploader == s.d.in.Settings.Upload.Kind {
		err := s.env.Uploader.Delete(ctx, i.Package.URI)
		if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, uploader.ErrForeign) {
			return err
		}
	}
	s.env.Report.say("its package stays, for the configured uploader cannot remove it: %s", i.Package.URI)
	s.kept = append(s.kept, i.Package.URI)
	return nil
}

// end takes the intent away when all is done or undone, and leaves it where
// something is left that it names. err is how the steps ended.
func (s *submission) end(ctx context.Context, err error) error {
	ctx = context.WithoutCancel(ctx)
	name := s.d.Definition.Name()
	path := s.layout.Operation(name)
	var f *Failure
	switch {
	case err == nil:
		return s.endWell(ctx)
	case s.claim.lost:
		s.claim.letGo(ctx)
		return outcome.Errorf(outcome.Exists, "submit topology %q: %w; what this submit had done is left to it", name, errLost)
	case errors.As(err, &f) && len(f.Left) > 0 && !f.beyondUs():
		s.claim.letGo(ctx)
		return err
	}
	if f != nil && len(f.Left) > 0 && f.beyondUs() {
		f.Repair = "" // for nothing that it could do is left
	}
	if dropErr := s.claim.drop(ctx); dropErr != nil && f != nil && !s.claim.lost {
		f.Left = append(f.Left, Leftover{What: "note of this submit, " + path, Why: dropErr.Error()})
	}
	return err
}

// endWell ends a submission whose steps are all done. From here on nothing is
// undone, and the topology is others' to act on.
func (s *submission) endWell(ctx context.Context) error {
	name := s.d.Definition.Name()
	err := s.claim.drop(ctx)
	if err == nil {
		return nil
	}
	if !s.claim.lost {
		s.env.Report.say("could not remove %s, which does no harm and goes with the next submit or kill: %v", s.layout.Operation(name), err)
		return nil
	}
	if shared, readErr := s.shared(ctx); readErr != nil || shared {
		return readErr
	}
	undo := run{
		steps: []step{{what: "job " + *s.d.Job.ID, undo: s.endOwnJob}}, report: s.env.Report,
		undoLimit: s.undoLimit(),
	}
	f := &Failure{Step: fmt.Sprintf("submit topology %q", name), Err: errLost, Repair: s.d.killCommand()}
	undo.undo(ctx, undo.steps, f)
	return f
}

// shared says whether whoever took over has gone on with this very topology,
// or else has put another in its place.
func (s *submission) shared(ctx context.Context) (bool, error) {
	name, id := s.d.Definition.Name(), s.d.Definition.ID()
	found, err := s.env.readIntent(ctx, s.layout, name)
	if err != nil || found != nil && found.intent.TopologyID == id {
		return true, err
	}
	st, err := readStored(ctx, s.env, s.layout, name)
	return st.complete(id), err
}

// undoLimit is long enough for containers to end.
func (s *submission) undoLimit() time.Duration {
	n := s.d.in.Settings.Nomad
	return n.StopTimeout + 4*n.RequestTimeout
}

// intent is what this submission is about to do.
func (s *submission) intent() statemgr.Intent {
	d, set := s.d, s.d.in.Settings
	i := statemgr.Intent{
		Operation: statemgr.OperationSubmit, Step: statemgr.StepPackage,
		TopologyID: d.Definition.ID(), Request: d.in.Request,
		Cluster: set.Cluster, Role: set.Role, Environ: set.Environ,
		SubmittedAt: d.in.Now,
	}
	i.Package.Uploader, i.Package.Name, i.Package.URI = set.Upload.Kind, d.PackageName, d.Package.URI
	i.Package.SHA256, i.Package.Size = d.in.Package.SHA256, d.in.Package.Size
	i.Nomad.Address, i.Nomad.JobID = set.Nomad.Address, *d.Job.ID
	i.Nomad.Region, i.Nomad.Namespace = set.Nomad.Region, set.Nomad.Namespace
	return i
}

// ownIntent is the intent with the owner of the claim.
func (s *submission) ownIntent() statemgr.Intent {
	i := s.intent()
	i.Owner = s.claim.intent.Owner
	return i
}
