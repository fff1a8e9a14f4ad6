package subject

import (
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Dead is what an operation that died means for the next command on its
// topology.
type Dead string

// What an operation that died can mean.
const (
	// DeadNone: none has died.
	DeadNone Dead = ""
	// DeadEqual: it was the same command with an equal request on the same
	// topology id. The command continues it.
	DeadEqual Dead = "equal"
	// DeadOther: it was the same command with another request, or on an earlier
	// topology of the name. The command decides what that means.
	DeadOther Dead = "other"
	// DeadOver: it left nothing but its intent, or nothing that this command does
	// not do anyway. The claim replaces the intent.
	DeadOver Dead = "over"
)

// CheckDead says what the operation that died means for this command, and
// refuses where another one has to come first:
//
//   - kill takes over whatever died.
//   - A command of the same kind continues an equal request.
//   - Activate, deactivate and restart leave the topology as it was, or as it
//     would be after the next start of a container: any command takes over.
//   - A submit that had written everything misses no more than the removal of
//     its intent. Whether its job is there is for the caller to check.
//   - Update, replace and rollback may stand in the middle: the same command
//     finishes them, or kill.
func (s *Subject) CheckDead(request string) (Dead, error) {
	if s.There.Pending == nil {
		return DeadNone, nil
	}
	i := s.There.Pending.Intent
	switch {
	case s.Operation == statemgr.OperationKill:
		return DeadOver, nil
	case i.Operation == s.Operation && i.Request == request && i.TopologyID == s.ID():
		return DeadEqual, nil
	case i.Operation == s.Operation:
		return DeadOther, nil
	}
	switch i.Operation {
	case statemgr.OperationActivate, statemgr.OperationDeactivate, statemgr.OperationRestart:
		return DeadOver, nil
	case statemgr.OperationSubmit:
		if i.TopologyID == s.ID() && s.There.Complete(s.ID()) {
			return DeadOver, nil
		}
	}
	err := s.Errorf(outcome.Differs, "%s died at the step %q; repeat that command first, or kill the topology", i.Owner, i.Step)
	if i.Partial() {
		return "", s.Broken(err)
	}
	return "", err
}
